"""Parses DICOM files into elements. Values are not converted, and not copied: they are views into the file.

A data set without preamble or meta information is parsed as well, since Orthanc stores such files. Group lengths, and
padding behind the data set, are left out.

Source: DICOM PS3.5 section 7, PS3.10 section 7.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from davfs.elements.files import DEFLATED, encoding_at, find_data_set, inflated
from davfs.elements.headers import (
    IMPLICIT,
    ITEM,
    ITEM_END,
    LONG,
    SEQUENCE_END,
    SHORT,
    UNDEFINED,
    Encoding,
    representation_of,
)

_LENGTH_TO_END = 0x00080001
_PADDING = 0xFFFCFFFC
_DEEPEST = 32
_INFLATED = 1 << 30
"""Bytes of the largest data set that is decompressed."""
_REPRESENTATIONS = {each: each.decode() for each in LONG | SHORT}


class Unreadable(Exception):
    """A file cannot be read as a DICOM data set."""


@dataclass(frozen=True, slots=True)
class ParsedElement:
    """One element of a data set.

    Attributes:
        vr: Its value representation: that of the dictionary if the file has none, and UN if neither knows it.
        value: Its value as it is stored; empty for a sequence.
        little: The byte order of the value is little endian.
        items: The items of a sequence; None for anything else.
        fragments: The fragments of encapsulated pixels, the first one a table of offsets; None for anything else.
    """

    vr: str
    value: memoryview
    little: bool = True
    items: "tuple[Mapping[int, ParsedElement], ...] | None" = None
    fragments: tuple[memoryview, ...] | None = None


DataSet = Mapping[int, ParsedElement]
"""Elements by their tag, the group in its upper 16 bits."""


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A DICOM file.

    Attributes:
        syntax: Its transfer syntax; empty if it names none.
        data: Its data set.
    """

    syntax: str
    data: DataSet


def parse_file(content: memoryview) -> ParsedFile:
    """Parse a DICOM file.

    Raises:
        Unreadable: It is damaged, or not DICOM.
    """
    start, syntax = find_data_set(content)
    if start > len(content):
        raise Unreadable("the file ends within its meta information")
    rest, is_more = content[start:], False
    if syntax in DEFLATED:
        rest, is_more = inflated(rest, _INFLATED)
    if is_more or (syntax in DEFLATED and not rest):
        raise Unreadable("the data set cannot be decompressed, or is too large then")
    try:
        return ParsedFile(syntax, _Parser(rest, encoding_at(rest, 0, syntax)).data_set(len(rest)) if rest else {})
    except (struct.error, IndexError) as error:
        raise Unreadable("the file ends within an element") from error


def parse_sequence(value: memoryview) -> tuple[DataSet, ...]:
    """Parse the items of a sequence whose value representation was unknown: implicit (PS3.5 section 6.2.2).

    Raises:
        Unreadable: It is no sequence.
    """
    try:
        return _Parser(value, IMPLICIT).items(len(value), 1)
    except (struct.error, IndexError) as error:
        raise Unreadable("no sequence") from error


class _Parser:
    """Parses elements one after another.

    Args:
        content: A data set.
        encoding: Its encoding.
        at: Offset of the next element.
    """

    def __init__(self, content: memoryview, encoding: Encoding, at: int = 0) -> None:
        self._content = content
        self._encoding = encoding
        self._read_header = encoding.read_header
        self.at = at

    def data_set(self, end: int, depth: int = 0) -> dict[int, ParsedElement]:
        """Parse elements up to a position, or up to the end of their item."""
        found: dict[int, ParsedElement] = {}
        while self.at < end:
            tag, vr, length = self._header()
            if tag == ITEM_END and depth:
                break
            element = self._element(self._representation(tag, vr), length, depth)
            if tag & 0xFFFF and tag not in (_LENGTH_TO_END, _PADDING):
                if tag in found:
                    raise Unreadable("an attribute stands there twice")
                found[tag] = element
        return found

    def items(self, end: int | None, depth: int) -> tuple[DataSet, ...]:
        """Parse the items of a sequence up to a position, or up to the end of the sequence."""
        found: list[DataSet] = []
        if depth > _DEEPEST:
            raise Unreadable("sequences are nested too deeply")
        while end is None or self.at < end:
            tag, _, length = self._header()
            if tag == SEQUENCE_END:
                break
            if tag != ITEM:
                raise Unreadable("a sequence holds something that is no item")
            found.append(self.data_set(len(self._content) if length == UNDEFINED else self._end(length), depth))
        return tuple(found)

    def _header(self) -> tuple[int, bytes, int]:
        tag, vr, length, self.at = self._read_header(self._content, self.at)
        return tag, vr, length

    def _representation(self, tag: int, vr: bytes) -> str:
        """Return the value representation; that of the dictionary, the binary one if there are several, if implicit."""
        known = representation_of(tag).split(" or ")[-1] if self._encoding.implicit else _REPRESENTATIONS.get(vr)
        if known is None:
            raise Unreadable("a value representation is unknown")
        return known

    def _element(self, vr: str, length: int, depth: int) -> ParsedElement:
        if length == UNDEFINED:
            return self._open_ended(vr, depth)
        end = self._end(length)
        if vr == "SQ":
            return ParsedElement(vr, self._content[:0], items=self.items(end, depth + 1))
        value = self._content[self.at : end]
        self.at = end
        return ParsedElement(vr, value, self._encoding.little)

    def _open_ended(self, vr: str, depth: int) -> ParsedElement:
        """Parse a value of undefined length: a sequence, or the fragments of encapsulated pixels."""
        if vr.startswith("O"):
            return ParsedElement(vr, self._content[:0], fragments=self._fragments())
        is_unknown = vr == "UN" and not self._encoding.implicit  # PS3.5 section 6.2.2, note 4
        inner = _Parser(self._content, IMPLICIT, self.at) if is_unknown else self
        items = inner.items(None, depth + 1)
        self.at = inner.at
        return ParsedElement("SQ", self._content[:0], items=items)

    def _fragments(self) -> tuple[memoryview, ...]:
        found: list[memoryview] = []
        while (header := self._header())[0] == ITEM:
            end = self._end(header[2])
            found.append(self._content[self.at : end])
            self.at = end
        if header[0] != SEQUENCE_END:
            raise Unreadable("encapsulated pixels hold something that is no fragment")
        return tuple(found)

    def _end(self, length: int) -> int:
        end = self.at + length
        if end > len(self._content):
            raise Unreadable("the file ends within an element")
        return end
