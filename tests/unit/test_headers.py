"""Headers of data elements in every encoding (DICOM PS3.5 §7.1, §7.5)."""

import struct

import pytest

from davfs.elements.headers import ITEM, SEQUENCE_END, UNDEFINED, Encoding, is_sequence, representation_of

ENCODINGS = [Encoding(implicit, little) for implicit in (False, True) for little in (False, True)]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=repr)
@pytest.mark.parametrize("delimiter", [ITEM, SEQUENCE_END])
def test_delimiters_have_no_representation(encoding: Encoding, delimiter: int) -> None:
    """Items and delimiters have a length of four bytes in every encoding."""
    content = b"x" + struct.pack(f"{encoding.order}HHI", delimiter >> 16, delimiter & 0xFFFF, UNDEFINED)
    assert encoding.read_header(content, 1) == (delimiter, b"", UNDEFINED, 9)


@pytest.mark.parametrize("encoding", ENCODINGS[:2], ids=repr)
def test_explicit(encoding: Encoding) -> None:
    """The size of the length depends on the value representation; for an unknown one it is two bytes."""
    order = encoding.order
    assert encoding.read_header(struct.pack(f"{order}HH2sH", 8, 5, b"CS", 10), 0) == (0x00080005, b"CS", 10, 8)
    assert encoding.read_header(struct.pack(f"{order}HH2sH", 8, 5, b"ZZ", 10), 0) == (0x00080005, b"ZZ", 10, 8)
    long = memoryview(struct.pack(f"{order}HH2sHI", 0x7FE0, 16, b"OW", 0, 1 << 20))
    assert encoding.read_header(long, 0) == (0x7FE00010, b"OW", 1 << 20, 12)
    with pytest.raises(struct.error):
        encoding.read_header(long[:11], 0)


@pytest.mark.parametrize("encoding", ENCODINGS[2:], ids=repr)
def test_implicit(encoding: Encoding) -> None:
    """Every length has four bytes."""
    content = bytearray(struct.pack(f"{encoding.order}HHI", 0x7FE0, 16, 1 << 20))
    assert encoding.read_header(content, 0) == (0x7FE00010, b"", 1 << 20, 8)
    with pytest.raises(struct.error):
        encoding.read_header(content[:7], 0)


def test_dictionary() -> None:
    """Tags that the dictionary does not know are no sequences, and have an unknown representation."""
    assert (representation_of(0x00080005), representation_of(0x00090001)) == ("CS", "UN")
    assert is_sequence(0x00081140)
    assert not is_sequence(0x00090001)
