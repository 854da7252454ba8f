"""Files whose names, texts and values would take minutes or gigabytes are refused before that, and no others."""

import io
import struct
import subprocess
import sys

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

from davfs.confidentiality.options import Options
from davfs.confidentiality.table import AttributePlace
from davfs.derived.deidentifier import Deidentifier, Person
from davfs.derived.identity import Identity
from davfs.derived.part10 import pixels, read_head
from davfs.derived.pseudonyms import Pseudonyms
from davfs.derived.readers import PrefixReader
from davfs.derived.work_limit import WorkLimit
from davfs.errors import NotAnonymised
from davfs.layout.text import HashKey
from tests.support import dicom
from tests.support.filled import file_of

ALL = Options(modified_dates=True, patient_characteristics=True)
MORE = b"A\\" * 40_000
"""A value that only implicit files can have: of others, the length has 16 bits."""


def deidentify(content: bytes, left: int | None = None) -> pydicom.Dataset:
    """De-identify a file, with a limit of its own."""
    work = WorkLimit() if left is None else WorkLimit(left)
    dataset = read_head(PrefixReader(iter([memoryview(content)]), len(content))).dataset
    person = Person("a pseudonym", 400, Identity.of(dataset, {}, work))
    Deidentifier(ALL, person, Pseudonyms(HashKey(b"a key for tests")).uid, AttributePlace(""), work=work).deidentify(
        dataset
    )
    return dataset


@pytest.mark.parametrize(
    "tag", ["ReferringPhysicianName", "FrameOfReferenceUID", "ImageType", "SeriesDate", "Manufacturer"]
)
def test_texts_without_end(tag: str) -> None:
    """Two hundred megabytes of one name, or of two hundred million UIDs, would take all memory."""
    data = pydicom.dcmread(io.BytesIO(dicom.instance()))
    data[tag] = RawDataElement(Tag(tag), "UN", len(MORE), MORE, 0, is_implicit_VR=True, is_little_endian=True)
    with pytest.raises(NotAnonymised, match="too long"):
        deidentify(file_of(data, ImplicitVRLittleEndian))


def test_texts_that_are_removed_may_be_long() -> None:
    """A long text is no error if it is removed anyway."""
    data = deidentify(dicom.instance(tags={"ImageComments": "A" * 1000, "TextValue": "A" * 100_000}))
    assert "ImageComments" not in data


@pytest.mark.parametrize(
    "tags",
    [
        {"NamesOfIntendedRecipientsOfResults": [f"Name {number}^Given" for number in range(3000)]},
        {"FrameOfReferenceUID": "\\".join("1.2.3" for _ in range(5000))},
        {"ImageType": ["ORIGINAL"] * 5000},
    ],
    ids=["names", "identifiers", "codes"],
)
def test_values_are_counted(tags: dict[str, object]) -> None:
    """Each value of an element with many values counts towards the limit."""
    content = dicom.instance(tags=tags)
    with pytest.raises(NotAnonymised, match="too many"):
        deidentify(content, left=20_000)
    deidentify(content)


def test_names_times_texts_are_counted() -> None:
    """Each name is looked for in each text: a hundred thousand of both would take hours."""
    identity = Identity([f"Number{number}^Given" for number in range(10_000)], [], WorkLimit(100_000))
    texts = [f"text {number}".encode() for number in range(100)]
    with pytest.raises(NotAnonymised, match="too many"):
        any(identity.is_in(text, ("utf-8", "latin-1")) for text in texts)


def test_fragments_without_bytes_are_sent_together() -> None:
    """A million of them in blocks of eight bytes would take 80 MB, for 8 MB."""
    fragments = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 100_000 + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    content = dicom.instance() + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + fragments
    prefix = PrefixReader(iter([memoryview(content)]), len(content))
    head = read_head(prefix)
    blocks = list(pixels(prefix.rest(), head))
    assert b"".join(blocks).endswith(fragments)
    assert len(blocks) < 20


READING = """
import io, sys
from davfs.derived.part10 import read_head
from davfs.derived.readers import PrefixReader
content = sys.stdin.buffer.read()
read_head(PrefixReader(iter([memoryview(content)]), len(content)))
"""


def test_an_unknown_character_set_is_not_logged() -> None:
    """Pydicom names it in a warning, and it may be the name of a patient."""
    item = pydicom.Dataset()
    item.SpecificCharacterSet = "ISO_IR 100"
    content = dicom.instance(tags={"AnatomicRegionSequence": [item]})
    content = content.replace(b"ISO_IR 192", b"DOE^JOHN X").replace(b"ISO_IR 100", b"DOE^JOHN Y")
    done = subprocess.run([sys.executable, "-c", READING], input=content, capture_output=True, check=True)
    assert done.stderr == b""
