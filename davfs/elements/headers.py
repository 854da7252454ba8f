"""Reads the headers of data elements: tag, value representation, length.

Source: DICOM PS3.5 §7.1, §7.5.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from pydicom.datadict import dictionary_has_tag, dictionary_VR

LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
"""Value representations with a length of four bytes (PS3.5 §7.1.2)."""
SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
"""Value representations with a length of two bytes."""

UNDEFINED = 0xFFFFFFFF
"""The length of a value that a delimiter ends."""
DELIMITERS = 0xFFFE
"""The group of items and their delimiters, which have no value representation in any encoding."""
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
SHORTEST_HEADER, LONGEST_HEADER = 8, 12

ByteBuffer: TypeAlias = bytes | bytearray | memoryview
Header: TypeAlias = tuple[int, bytes, int, int]
"""Tag (the group in its upper 16 bits); value representation, empty if there is none; length; offset of the value."""
HeaderReader: TypeAlias = Callable[[ByteBuffer, int], Header]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a data set.

    Attributes:
        implicit: Elements have no value representation.
        little: The byte order is little endian.
    """

    implicit: bool
    little: bool

    @property
    def order(self) -> str:
        """The byte order, as `struct` names it."""
        return "<" if self.little else ">"

    @property
    def read_header(self) -> HeaderReader:
        """Reads the header at an offset of a buffer.

        The length has two bytes if the value representation is unknown. `struct.error` is raised if the buffer ends
        within the header.
        """
        return _READERS[self]


IMPLICIT = Encoding(implicit=True, little=True)
EXPLICIT = Encoding(implicit=False, little=True)


def has_representation(start: ByteBuffer, offset: int = 0) -> bool:
    """Return True if the element at an offset has a value representation, known or not."""
    representation = bytes(start[offset + 4 : offset + 6])
    return representation.isalpha() and representation.isupper()


@lru_cache(maxsize=4096)
def representation_of(tag: int) -> str:
    """Return the value representation of a tag in the standard's dictionary, UN if it is not there.

    If there are several, such as ``US or SS``, all of them are returned.
    """
    return dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"


@lru_cache(maxsize=4096)
def is_sequence(tag: int) -> bool:
    """Return True if a tag is that of a sequence, by the standard's dictionary."""
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _implicit_reader(order: str) -> HeaderReader:
    unpack = struct.Struct(f"{order}HHI").unpack_from

    def read(content: ByteBuffer, offset: int) -> Header:
        group, number, length = unpack(content, offset)
        return group << 16 | number, b"", length, offset + 8

    return read


def _explicit_reader(order: str) -> HeaderReader:
    unpack, unpack_length = struct.Struct(f"{order}HH2sH").unpack_from, struct.Struct(f"{order}I").unpack_from

    def read(content: ByteBuffer, offset: int) -> Header:
        group, number, representation, length = unpack(content, offset)
        if group == DELIMITERS:
            return group << 16 | number, b"", unpack_length(content, offset + 4)[0], offset + 8
        if representation in LONG:
            return group << 16 | number, representation, unpack_length(content, offset + 8)[0], offset + 12
        return group << 16 | number, representation, length, offset + 8

    return read


_READERS = {
    Encoding(implicit, order == "<"): make(order)
    for implicit, make in ((True, _implicit_reader), (False, _explicit_reader))
    for order in "<>"
}
