"""Anonymised files of made ones: references, names, transfer syntaxes, and files that are refused."""

import io
from array import array
from collections.abc import Iterator, Mapping
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from davfs.errors import OrthancError, UnknownResource
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.anonymising import Archive, anonymising, flat


@pytest.fixture(scope="module")
def archive(run_orthanc: RunOrthanc) -> Iterator[Archive]:
    """An Orthanc whose instances are anonymised."""
    with anonymising(run_orthanc) as archive:
        yield archive


def test_reference_leads_to_the_other_file(archive: Archive) -> None:
    """A file refers to the file that the one it referred to has become."""
    target = dicom.instance("refers", number=1)
    item = Dataset()
    item.ReferencedSOPInstanceUID = dicom.uid("refers", 1, 1, 1)
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    source = dicom.instance("refers", number=2, tags={"ReferencedImageSequence": [item]})
    first, second = archive.add(target).after, archive.add(source).after
    (reference,) = second.ReferencedImageSequence
    assert reference.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert second.SeriesInstanceUID == first.SeriesInstanceUID


def test_well_known_frame_of_reference_stays(archive: Archive) -> None:
    """A frame of reference that the standard defines (Talairach's) is not replaced."""
    talairach = "1.2.840.10008.1.4.1.1"
    served = archive.add(dicom.instance("talairach", tags={"FrameOfReferenceUID": talairach}))
    assert served.after.FrameOfReferenceUID == talairach


def test_name_is_removed_wherever_it_is(archive: Archive) -> None:
    """A name in a sequence, a description, a private element or a comment is gone; what tells nothing stays."""
    item = Dataset()
    item.PatientName = "Müller^Jörg"
    item.PatientBirthDate = "19700101"
    item.ScheduledPerformingPhysicianName = "House^Gregory"
    item.PatientID = "4711-0815"
    item.CodeMeaning = "of MULLER JORG"
    item.CodeValue = "Head"
    item.add_new(0x00090010, "LO", "MAKER")
    item.add_new(0x00091001, "UN", "Müller^Jörg".encode())
    tags = {
        "PatientName": "Müller^Jörg",
        "ImageComments": "Jörg Müller, seen by nobody",
        "ManufacturerModelName": "Scanner of Mueller",
        "SoftwareVersions": "for müller, jörg",
        "PositionReferenceIndicator": "born 19700101",
        "AnatomicRegionSequence": [item],
    }
    content = pydicom.dcmread(io.BytesIO(dicom.instance("4711-0815", tags=tags)))
    content.add_new(0x00090010, "LO", "MAKER")
    content.add_new(0x00091001, "LO", "Müller^Jörg")
    written = io.BytesIO()
    content.save_as(written)
    after = archive.add(written.getvalue()).after
    assert "ImageComments" not in after
    assert (after.SoftwareVersions, after.PositionReferenceIndicator) == ("ANONYMIZED", "ANONYMIZED")
    assert after.ManufacturerModelName == "Scanner of Mueller"
    (left,) = after.AnatomicRegionSequence
    said = {element.keyword: element.value for element in left if element.value}
    assert said == {"CodeValue": "Head", "CodeMeaning": "ANONYMIZED", "PatientID": "ANONYMIZED"}
    assert not any(tag.is_private for tag, _ in flat(after))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_uncompressed_transfer_syntaxes(archive: Archive, syntax: UID) -> None:
    """Implicit and big endian files are served with the pixels that they had, whatever Orthanc makes of them."""
    served = archive.add(transcoded(dicom.instance(f"syntax {syntax}", pixels=dicom.ROW), syntax))
    pixels = array("H", served.before.PixelData)
    if served.after.file_meta.TransferSyntaxUID.is_little_endian != syntax.is_little_endian:
        pixels.byteswap()
    assert served.after.PixelData == pixels.tobytes()


def test_deflated_files_are_refused(archive: Archive) -> None:
    """Deflated files are refused, since their compressed data set cannot be padded."""
    content = transcoded(dicom.instance("deflated", pixels=dicom.ROW), DeflatedExplicitVRLittleEndian)
    with pytest.raises(OrthancError, match="cannot be padded"):
        archive.add(content)


def transcoded(content: bytes, syntax: UID) -> bytes:
    """Return a file in another transfer syntax, its pixels not swapped."""
    data = pydicom.dcmread(io.BytesIO(content))
    data.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_little_endian:
        data["PixelData"].VR = "OW"
    written = io.BytesIO()
    pydicom.dcmwrite(written, data)
    return written.getvalue()


@pytest.mark.parametrize("tags", [{"EncapsulatedDocument": b"%PDF Doe"}, {"SOPClassUID": "1.3.12.2.1107.5.9.1"}])
def test_hopeless_files_are_refused(archive: Archive, tags: Mapping[str, Any]) -> None:
    """A document, and what only one maker can read, are never served."""
    content = dicom.instance(f"hopeless {next(iter(tags))}", tags=tags)
    with pytest.raises(OrthancError, match="cannot be anonymised") as refused:
        archive.add(content)
    assert "Doe" not in refused.value.reason


def test_deleted_and_replaced_files_are_not_served(archive: Archive) -> None:
    """A cached anonymised file is served only while Orthanc has the file that it was made from."""
    served = archive.add(dicom.instance("deleted"))
    made = archive.maker.file(served.instance, served.tags)
    with made.open() as file:
        assert b"".join(file.buffers()) == served.content
    archive.rest.delete(f"/instances/{served.instance.id}").raise_for_status()
    with pytest.raises(UnknownResource), made.open():
        pass
    archive.add(dicom.instance("deleted", tags={"InstitutionName": "another"}))
    with pytest.raises(UnknownResource, match="replaced"), made.open():
        pass
