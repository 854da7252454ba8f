"""Data sets that would take gigabytes to parse are refused before that, and no others."""

import io
import struct
from functools import cache

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from davfs.derived import part10
from davfs.derived.element_count import ElementCounter
from davfs.derived.part10 import read_head
from davfs.derived.readers import PrefixReader
from davfs.elements.headers import Encoding
from davfs.errors import NotAnonymised
from tests.support import dicom
from tests.support.filled import file_of
from tests.unit.test_walk import frame

ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
HALF_A_MILLION = 500_000


@cache
def elements(count: int) -> bytes:
    """Return so many explicit elements without values, with increasing tags."""
    tags = ((0x0041 + 2 * (number >> 15), number & 0x7FFF) for number in range(count))
    return b"".join(struct.pack("<HH2sH", *tag, b"LO", 0) for tag in tags)


def sequence(kind: bytes, value: bytes, *, known: bool = True) -> bytes:
    """Return a ContentSequence of a representation, with its length or with its end."""
    length = len(value) if known else 0xFFFFFFFF
    end = b"" if known else struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return struct.pack("<HH2sHI", 0x0040, 0xA730, kind, 0, length) + value + end


def read(content: bytes) -> Dataset:
    """Return the data set of a file as it is read to be de-identified."""
    return read_head(PrefixReader(iter([memoryview(content)]), len(content))).dataset


@pytest.mark.parametrize(
    "crowd",
    [
        sequence(b"SQ", ITEM * HALF_A_MILLION),
        sequence(b"SQ", ITEM * HALF_A_MILLION, known=False),
        sequence(b"UN", ITEM * HALF_A_MILLION),
        sequence(b"UN", ITEM * HALF_A_MILLION, known=False),
        sequence(b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 8 * HALF_A_MILLION) + elements(HALF_A_MILLION)),
        elements(HALF_A_MILLION),
    ],
    ids=["items", "items without length", "unknown", "unknown without length", "elements of an item", "elements"],
)
def test_crowds(crowd: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of half a million elements is refused before pydicom parses it, which would take 350 MB for 4 MB."""
    monkeypatch.setattr(part10, "read_dataset", None)
    with pytest.raises(NotAnonymised, match="too many elements"):
        read(dicom.instance() + crowd)


def test_items_that_are_implicit_in_explicit_sequences() -> None:
    """Each item is read as its first element is written."""
    explicit = struct.pack("<HHI", 0xFFFE, 0xE000, 8) + struct.pack("<HH2sH", 0x0008, 0x0100, b"SH", 0)
    other = struct.pack("<HHI", 0xFFFE, 0xE000, 8) + struct.pack("<HHI", 0x0008, 0x0100, 0)
    with pytest.raises(NotAnonymised, match="too many elements"):
        read(dicom.instance() + sequence(b"SQ", (explicit + other) * (HALF_A_MILLION // 4), known=False))


def test_a_large_value_is_one_element() -> None:
    """A large value counts as one element, even if its bytes look like sequence items."""
    value = ITEM * HALF_A_MILLION
    data = read(dicom.instance() + struct.pack("<HH2sHI", 0x0066, 0x0016, b"OF", 0, len(value)) + value)
    assert len(data.get_item(0x00660016).value) == len(value)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_count_is_that_of_pydicom(syntax: pydicom.uid.UID) -> None:
    """Elements are counted as pydicom does, also in frames with nested items."""
    data = pydicom.dcmread(io.BytesIO(dicom.instance(pixels=1024)))
    data.PerFrameFunctionalGroupsSequence = [frame(number) for number in range(20)]
    content = file_of(data, syntax)
    start = 144 + int.from_bytes(content[140:144], "little")
    encoding = Encoding(syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian)

    def exceeds(most: int) -> bool:
        file = PrefixReader(iter([memoryview(content)]), len(content))
        return ElementCounter(file, start, encoding, {0x7FE00010}).exceeds(most)

    assert exceeds(counted(data))
    assert not exceeds(counted(data) + 1)


def counted(data: Dataset) -> int:
    """Return the number of the elements and items of a data set before its pixels."""
    items = [item for element in data if element.VR == "SQ" for item in element.value]
    own = [element for element in data if element.tag != 0x7FE00010]
    return len(own) + sum(1 + counted(item) for item in items)


def test_a_compressed_icon() -> None:
    """The fragments of a compressed icon do not count as elements."""
    fragments = struct.pack("<HHI", 0xFFFE, 0xE000, 8 * HALF_A_MILLION) + ITEM * HALF_A_MILLION
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + ITEM + fragments
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + pixels + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    item += struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    icon = struct.pack("<HH2sHI", 0x0088, 0x0200, b"SQ", 0, len(item)) + item
    assert 0x00880200 in read(dicom.instance() + icon)


def test_many_fragments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Very many fragments of an icon are refused, since each takes time as an element does."""
    monkeypatch.setattr(part10, "read_dataset", None)
    pixels = struct.pack("<HH2sHI", 0x7FE1, 0x0010, b"OB", 0, 0xFFFFFFFF) + ITEM * HALF_A_MILLION
    with pytest.raises(NotAnonymised, match="too many elements"):
        read(dicom.instance() + pixels)


HIDING = {
    "text without length": struct.pack("<HH2sHI", 0x0009, 0x1010, b"UT", 0, 0xFFFFFFFF)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 12)
    + struct.pack("<HH2sHI", 0x0009, 0x1011, b"OB", 0, 0x7FFFFFF0)
    + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0),
    "implicit element": struct.pack("<HHI", 0x0009, 0x1010, 12)
    + struct.pack("<HH2sHI", 0x0009, 0x1011, b"OB", 0, 0x7FFFFFF0),
}


@pytest.mark.parametrize("hiding", HIDING.values(), ids=HIDING.keys())
def test_nothing_hides_elements(hiding: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements are refused also where a damaged header makes pydicom continue earlier than the count."""
    monkeypatch.setattr(part10, "read_dataset", None)
    with pytest.raises((NotAnonymised, ValueError), match=r"too many elements|two encodings"):
        read(dicom.instance() + hiding + elements(HALF_A_MILLION))


@pytest.mark.parametrize("tag", [(0xFFFE, 0xE000), (0x0010, 0x0010)], ids=["too long", "no fragment"])
def test_damaged_fragments_hide_no_elements(tag: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged fragments are refused, since pydicom would parse the elements behind them."""
    monkeypatch.setattr(part10, "read_dataset", None)
    fragment = struct.pack("<HHI", *tag, 0x7FFFFFF0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    pixels = struct.pack("<HH2sHI", 0x0009, 0x0010, b"OB", 0, 0xFFFFFFFF) + fragment
    with pytest.raises(ValueError, match="fragments of pixels"):
        read(dicom.instance() + pixels + elements(HALF_A_MILLION))
