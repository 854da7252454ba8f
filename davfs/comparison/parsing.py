"""Reads DICOM files into elements. Values are not converted, and not copied: they are views into the file.

A data set that lacks its preamble or its meta information is read as well, since Orthanc stores such files. What does
not belong to what the file says is left out: group lengths, and padding behind the data set.

Source: DICOM PS3.5 section 7, PS3.10 section 7.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR

from davfs.comparison.encoding import EXPLICIT, IMPLICIT, LONG, SHORT, Encoding, Unreadable, encoding_of, inflated

PIXEL_DATA = 0x7FE00010
_SYNTAX = 0x00020010
_LENGTH_TO_END = 0x00080001
_PADDING = 0xFFFCFFFC
_ITEM, _END_OF_ITEM, _END_OF_SEQUENCE = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_META = 0x0002
_UNDEFINED = 0xFFFFFFFF
_PREAMBLE = 128
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a data set.

    Attributes:
        vr: Its value representation: that of the dictionary where the file has none, and UN where neither knows it.
        value: Its value as it is stored; empty for a sequence.
        little: The byte order of the value is little endian.
        items: The items of a sequence; None for anything else.
        fragments: The parts of encapsulated pixels, the first one a table of offsets; None for anything else.
    """

    vr: str
    value: memoryview
    little: bool = True
    items: "tuple[Mapping[int, Element], ...] | None" = None
    fragments: tuple[memoryview, ...] | None = None


DataSet = Mapping[int, Element]
"""Elements by their tag, the group in its upper 16 bits."""


@dataclass(frozen=True, slots=True)
class File:
    """A DICOM file.

    Attributes:
        syntax: Its transfer syntax; empty where it has none.
        data: Its data set.
    """

    syntax: str
    data: DataSet


def parse(content: memoryview) -> File:
    """Read a DICOM file.

    Raises:
        Unreadable: It is damaged, or not DICOM.
    """
    try:
        return _parse(content)
    except (struct.error, IndexError) as error:
        raise Unreadable("the file ends within an element") from error


def sequence(value: memoryview) -> tuple[DataSet, ...]:
    """Return the items of a sequence whose value representation was unknown: implicit (PS3.5 section 6.2.2).

    Raises:
        Unreadable: It is no sequence.
    """
    try:
        reader = _Reader(value, IMPLICIT)
        return reader.items(len(value), 1)
    except (struct.error, IndexError) as error:
        raise Unreadable("no sequence") from error


def _parse(content: memoryview) -> File:
    start = _PREAMBLE + 4 if bytes(content[_PREAMBLE : _PREAMBLE + 4]) == b"DICM" else 0
    meta = _Reader(content[start:], EXPLICIT)
    found = meta.group(_META)
    syntax = bytes(found[_SYNTAX].value).rstrip(b" \0").decode("latin-1") if _SYNTAX in found else ""
    rest = inflated(syntax, content[start + meta.at :])
    if not rest:
        return File(syntax, {})
    return File(syntax, _Reader(rest, encoding_of(syntax, rest)).data_set(len(rest)))


class _Reader:
    """Reads elements one after another.

    Args:
        content: What is read.
        encoding: How it is encoded.

    Attributes:
        at: Where the next element begins.
    """

    def __init__(self, content: memoryview, encoding: Encoding) -> None:
        self._content = content
        self._encoding = encoding
        self._order = encoding.order
        self.at = 0

    def group(self, group: int) -> dict[int, Element]:
        """Read the elements of one group."""
        found: dict[int, Element] = {}
        while len(self._content) >= self.at + 8 and self._next_tag() >> 16 == group:
            tag = self._tag()
            found[tag] = self._element(tag, 0)
        return found

    def data_set(self, end: int, depth: int = 0) -> dict[int, Element]:
        """Read elements up to a position, or up to the end of their item."""
        found: dict[int, Element] = {}
        while self.at < end:
            tag = self._tag()
            if tag == _END_OF_ITEM and depth:
                self.at += 4
                break
            element = self._element(tag, depth)
            if tag & 0xFFFF and tag not in (_LENGTH_TO_END, _PADDING):
                if tag in found:
                    raise Unreadable("an attribute stands there twice")
                found[tag] = element
        return found

    def items(self, end: int | None, depth: int) -> tuple[DataSet, ...]:
        """Read the items of a sequence up to a position, or up to the end of the sequence."""
        found: list[DataSet] = []
        if depth > _DEEPEST:
            raise Unreadable("sequences are nested too deeply")
        while end is None or self.at < end:
            tag, length = self._tag(), self._number("I")
            if tag == _END_OF_SEQUENCE:
                break
            if tag != _ITEM:
                raise Unreadable("a sequence holds something that is no item")
            found.append(self.data_set(len(self._content) if length == _UNDEFINED else self._end(length), depth))
        return tuple(found)

    def _element(self, tag: int, depth: int) -> Element:
        vr, length = self._header(tag)
        if length == _UNDEFINED:
            return self._open_ended(vr, depth)
        end = self._end(length)
        if vr == "SQ":
            return Element(vr, self._content[:0], items=self.items(end, depth + 1))
        value = self._content[self.at : end]
        self.at = end
        return Element(vr, value, self._encoding.little)

    def _header(self, tag: int) -> tuple[str, int]:
        """Read value representation and length."""
        if self._encoding.implicit:
            return _known(tag), self._number("I")
        vr = bytes(self._content[self.at : self.at + 2]).decode("latin-1")
        self.at += 2
        if vr in SHORT:
            return vr, self._number("H")
        if vr not in LONG:
            raise Unreadable("a value representation is unknown")
        self.at += 2
        return vr, self._number("I")

    def _open_ended(self, vr: str, depth: int) -> Element:
        """Read a value of undefined length: a sequence, or the fragments of encapsulated pixels."""
        if vr.startswith("O"):
            return Element(vr, self._content[:0], fragments=self._fragments())
        if vr == "UN" and not self._encoding.implicit:  # PS3.5 section 6.2.2, note 4
            inner = _Reader(self._content, IMPLICIT)
            inner.at = self.at
            items = inner.items(None, depth + 1)
            self.at = inner.at
        else:
            items = self.items(None, depth + 1)
        return Element("SQ", self._content[:0], items=items)

    def _fragments(self) -> tuple[memoryview, ...]:
        found: list[memoryview] = []
        while (tag := self._tag()) == _ITEM:
            end = self._end(self._number("I"))
            found.append(self._content[self.at : end])
            self.at = end
        self.at += 4
        if tag != _END_OF_SEQUENCE:
            raise Unreadable("encapsulated pixels hold something that is no fragment")
        return tuple(found)

    def _end(self, length: int) -> int:
        end = self.at + length
        if end > len(self._content):
            raise Unreadable("the file ends within an element")
        return end

    def _next_tag(self) -> int:
        group, element = struct.unpack_from(f"{self._order}HH", self._content, self.at)
        return int(group) << 16 | int(element)

    def _tag(self) -> int:
        tag = self._next_tag()
        self.at += 4
        return tag

    def _number(self, form: str) -> int:
        (number,) = struct.unpack_from(self._order + form, self._content, self.at)
        self.at += struct.calcsize(form)
        return int(number)


def _known(tag: int) -> str:
    """Return the value representation that the dictionary has for a tag; the binary one where it has several."""
    try:
        return dictionary_VR(tag).split(" or ")[-1]
    except KeyError:
        return "UN"
