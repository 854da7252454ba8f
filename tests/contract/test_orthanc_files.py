"""Tests of an instance's file, picture, report and tags, over every implementation of `davfs.orthanc.Orthanc`."""

import hashlib
import struct

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EncapsulatedCDAStorage

from davfs.errors import UnknownResource
from davfs.orthanc import Level, Orthanc
from tests.support import dicom, documents
from tests.support.five_images import (
    ALL,
    FIRST,
    OTHER,
    fill,
    instance,
    stored_file,
)
from tests.support.images import FILES

PDF = b"%PDF-1.4\n1 0 obj\nendobj\n"
PNG = b"\x89PNG\r\n\x1a\n"


def test_file(orthanc: Orthanc) -> None:
    """Size, MD5 and content of a file are those of what was stored."""
    fill(orthanc)
    for content in ALL:
        assert orthanc.instance_size(instance(content)) == len(content)
        assert orthanc.instance_md5(instance(content)) == hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert orthanc.is_intact(instance(content))
        assert stored_file(orthanc, instance(content)) == content


def test_picture(orthanc: Orthanc) -> None:
    """An image is rendered as a PNG of its size, a multi-frame one by its first frame."""
    for name, size in (("CT_small.dcm", (128, 128)), ("examples_ybr_color.dcm", (320, 240))):
        content = (FILES / name).read_bytes()
        stored = orthanc.store(content).id
        found = orthanc.picture(stored)
        assert found
        assert found.startswith(PNG)
        assert struct.unpack(">II", found[16:24]) == size
        assert orthanc.report(stored) is None


NO_PICTURES = {
    "report": (FILES / "test-SR.dcm").read_bytes(),
    "plan": (FILES / "rtplan.dcm").read_bytes(),
    "curves": (FILES / "waveform_ecg.dcm").read_bytes(),
    "PDF": documents.encapsulated(PDF),
    "no pixels": FIRST,
    "too many pixels": documents.claiming(65_500, 65_500),
    "too few pixels": documents.damaged((FILES / "CT_small.dcm").read_bytes()),
}


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_no_picture(orthanc: Orthanc, kind: str) -> None:
    """An instance that cannot be rendered has no picture, and asking for it is no error."""
    assert orthanc.picture(orthanc.store(NO_PICTURES[kind]).id) is None


ENDS = (b"%%EOF", b"%%EOF\n", b"%%EOF\r\n", b"%%EOF ", b"%%EOF  ")


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_report(orthanc: Orthanc, end: bytes) -> None:
    """An encapsulated PDF comes back byte for byte, of even or odd length, whatever its last line ends with."""
    stored = orthanc.store(documents.encapsulated(PDF + end)).id
    assert orthanc.report(stored) == PDF + end


def test_no_report(orthanc: Orthanc) -> None:
    """Other documents, and a PDF that is empty or missing, are no report."""
    for content in (
        documents.encapsulated(b""),
        documents.encapsulated(PDF, tags={"EncapsulatedDocument": None}),
        documents.encapsulated(PDF, tags={"MIMETypeOfEncapsulatedDocument": None}),
        documents.encapsulated(PDF, tags={"SOPClassUID": CTImageStorage}),
        documents.encapsulated(b"<xml/>", media_type="text/XML", tags={"SOPClassUID": EncapsulatedCDAStorage}),
    ):
        stored = orthanc.store(content).id
        assert orthanc.report(stored) is None
        orthanc.delete(Level.INSTANCE, stored)


def test_all_tags(orthanc: Orthanc) -> None:
    """All tags of an instance are told, by number; those in sequences below their sequence, long ones without value."""
    code = Dataset()
    code.CodeValue, code.CodeMeaning = "T-A0100", "Gehirn, ü"
    tags = {"ProcedureCodeSequence": [code], "ImageType": ["ORIGINAL", "PRIMARY"], "ImageComments": "x" * 300}
    found = orthanc.all_tags(orthanc.store(dicom.instance("p1", pixels=2048, tags=tags)).id)
    assert found["0010,0010"] == "Doe^p1"
    assert found["0008,0008"] == "ORIGINAL\\PRIMARY"
    assert found["0028,0010"] == "2"
    assert found["0008,1032"] == [{"0008,0100": "T-A0100", "0008,0104": "Gehirn, ü"}]
    assert found["0020,4000"] is None
    assert found["7fe0,0010"] is None


RANGES = [(0, None), (0, 100), (100, 200), (200, None), (0, 1), (3, 3), (50, 10**9), (10**9, None), (0, None)]


def test_ranges(orthanc: Orthanc) -> None:
    """A file can be read from anywhere to anywhere, in any order, however it was opened."""
    fill(orthanc)
    for content in (FIRST, OTHER):
        for first in (0, 100, len(content) - 1):
            with orthanc.open_instance(instance(content), first) as file:
                assert file.size == len(content)
                for start, stop in [(first, None), *RANGES]:
                    assert b"".join(file.buffers(start, stop)) == content[start:stop]


def test_ranges_one_by_one(orthanc: Orthanc) -> None:
    """A file can be read in ranges that open it anew each time, one after the other or across each other."""
    fill(orthanc)
    for content in (FIRST, OTHER):
        for start in (*range(0, len(content), 100), *range(0, len(content), 333), len(content) - 1):
            with orthanc.open_instance(instance(content)) as file:
                assert b"".join(file.buffers(start, start + 100)) == content[start : start + 100]


def test_two_readers_of_one_file(orthanc: Orthanc) -> None:
    """Ranges of one open file that are read at the same time do not disturb each other."""
    orthanc.store(OTHER)
    with orthanc.open_instance(instance(OTHER)) as file:
        some, others = file.buffers(0, 300), file.buffers(200, None)
        assert next(others) == OTHER[200 : 200 + len(next(file.buffers(200, None)))]
        assert b"".join(some) == OTHER[:300]


def test_deleted_between_ranges(orthanc: Orthanc) -> None:
    """A deleted instance cannot be opened although it was just read, and its successor is read with its own content."""
    same_size = dicom.instance("p2", pixels=2048, tags={"ImageComments": "new"})
    orthanc.store(dicom.instance("p2", pixels=2048, tags={"ImageComments": "old"}))
    for content in (same_size.replace(b"new ", b"old "), same_size):
        for _ in range(4):
            with orthanc.open_instance(instance(OTHER)) as file:
                assert b"".join(file.buffers(10, 1000)) == content[10:1000]
        orthanc.delete(Level.INSTANCE, instance(OTHER))
        with pytest.raises(UnknownResource):
            orthanc.open_instance(instance(OTHER)).__enter__()
        orthanc.store(same_size)
