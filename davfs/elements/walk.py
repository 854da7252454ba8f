"""Walks through the data elements of a DICOM file: counts them, and measures how deep they are nested.

The time in which Orthanc parses a file depends on the number of elements, and hardly on bytes. An image is one element,
however large; but eight zeros are an element too, and Orthanc's parser takes four microseconds for each. 24 MB of zeros
behind an image are three million elements: twelve seconds.

Orthanc's parser calls itself for each sequence in a sequence, on a thread with a small stack: 2 KB with 48 levels
end the process. Images have three or four, structured reports up to some twenty.

Orthanc accesses parsed elements by number, and searches for each number from the first one on: a sequence of 80,000
items takes it three seconds, one of a million ten minutes. So do the elements of one item.
"""

import struct
import sys
from dataclasses import dataclass
from time import sleep

from davfs.elements.files import DEFLATED, encoding_at, find_data_set, inflated
from davfs.elements.headers import (
    DELIMITERS,
    ITEM,
    LONG,
    PIXEL_DATA,
    SEQUENCE_END,
    SHORT,
    SHORTEST_HEADER,
    UNDEFINED,
    Encoding,
    HeaderReader,
    is_sequence,
)

INFLATED = 128 << 20
"""Bytes of a deflated data set that are decompressed for the walk."""
DEEPEST = 40
"""Levels of nested sequences that Orthanc survives; 48 end Orthanc 1.10.1."""

_OUT_OF_ORDER = 8
"""Cost of an element in an item, in units of the cost of an item: elements may not be in the order of their tags."""
_STRETCH, _PAUSE = 2048, 1e-4
"""Elements that are passed without a pause, and its seconds: other threads need the interpreter for a moment only."""
_SMALLEST = 16
"""Bytes that a sequence with one item takes at least."""
_WITH_ITEMS = frozenset({b"SQ", b"UN"})
"""Value representations that have items if their length is undefined."""


@dataclass(frozen=True, slots=True)
class FileStructure:
    """The structure of the data elements of a file.

    Attributes:
        is_too_deep: Sequences are nested in more levels than allowed; the other attributes are unknown then.
        missing: Bytes by which the last element is longer than the file.
        is_whole: The last element ends at the end of the file, outside of all sequences.
        has_unknown: An element has an unknown value representation.
        is_too_large: It decompresses to more bytes than `INFLATED`.
        steps: Number of steps that Orthanc takes along its lists of items and of elements, altogether.
    """

    is_too_deep: bool
    missing: int
    is_whole: bool
    has_unknown: bool
    is_too_large: bool = False
    steps: int = 0


@dataclass(slots=True)
class _SequenceLevel:
    """A sequence that has not ended yet, or the data set.

    Attributes:
        end: Its end; None if that is not known.
        read: Reads the headers of its elements.
        items: Number of its items so far.
        elements: Number of elements of the last item so far; one that is repeated at once is not kept by Orthanc.
        last: The tag of the last element.
    """

    end: int | None
    read: HeaderReader
    items: int = 0
    elements: int = 0
    last: int = -1


class Walk:
    """A walk through the data elements of a file: over values, and into sequences and items.

    One walk serves all questions: `count` goes as far as it has to, and `structure` from there to the end. Damage is no
    error: parsers give up there, and so does this.

    Args:
        content: The whole file.

    Source: DICOM PS3.5 §7, PS3.10 §7.1.
    """

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._levels: list[_SequenceLevel] = []
        self._in_fragments = self._has_unknown = self._counts = self._is_too_large = False
        self._offset = self._found = self._most = self._steps = 0

    def count(self, most: int) -> int:
        """Return how many elements, items and delimiters a parser would find; ``most`` if there are more."""
        self._counts = True
        self._go(most)
        return min(self._found, most)

    def structure(self) -> FileStructure:
        """Return the structure of the file."""
        self._counts = False
        self._go(sys.maxsize)
        self._leave_sequences()
        beyond = self._offset - len(self._content)
        is_whole = beyond == 0 and len(self._levels) == 1
        is_too_deep = len(self._levels) > DEEPEST + 1
        return FileStructure(is_too_deep, max(0, beyond), is_whole, self._has_unknown, self._is_too_large, self._steps)

    def _begin(self) -> None:
        self._offset, syntax = find_data_set(self._content)
        encoding = encoding_at(self._content, self._offset, syntax)
        if syntax in DEFLATED:
            self._content, self._is_too_large = inflated(self._content[self._offset :], INFLATED)
            self._offset = 0
        self._read_implicit = Encoding(implicit=True, little=encoding.little).read_header
        self._levels.append(_SequenceLevel(None, encoding.read_header))

    def _go(self, most: int) -> None:
        """Go on until so many elements were found, or to the end, or until it is too deep."""
        if not self._levels:
            self._begin()
        self._most, last, levels = most, len(self._content) - SHORTEST_HEADER, self._levels
        while self._offset <= last and self._found < most and len(levels) <= DEEPEST + 1:
            if self._in_fragments:
                self._pass_fragment()
            else:
                self._step()
            self._found += 1
            if not self._found % _STRETCH:
                sleep(_PAUSE)

    def _step(self) -> None:
        level = self._levels[-1]
        if level.end is not None and level.end <= self._offset:
            level = self._leave_sequences()
        try:
            tag, representation, length, self._offset = level.read(self._content, self._offset)
        except struct.error:  # eight bytes of a header of twelve
            self._offset = len(self._content)
            return
        if tag >> 16 == DELIMITERS:
            self._pass_delimiter(level, tag, length)
            return
        if tag != level.last:
            level.last = tag
            level.elements += 1
            self._steps += _OUT_OF_ORDER * level.elements
        if representation and representation not in SHORT:
            self._pass_long(tag, representation, length)
        elif not representation and (length == UNDEFINED or is_sequence(tag)):
            self._enter(length, self._read_implicit, is_image=tag == PIXEL_DATA)
        else:
            self._offset += length

    def _pass_long(self, tag: int, representation: bytes, length: int) -> None:
        self._has_unknown |= representation not in LONG
        if representation == b"SQ" or length == UNDEFINED:
            # Elements of an unknown sequence are implicit (PS3.5 §6.2.2); fragments of an image look like items.
            read = self._read_implicit if representation == b"UN" else self._levels[-1].read
            self._enter(length, read, is_image=tag == PIXEL_DATA and representation not in _WITH_ITEMS)
        else:
            self._offset += length

    def _leave_sequences(self) -> _SequenceLevel:
        while (end := self._levels[-1].end) is not None and end <= self._offset:
            self._levels.pop()
        return self._levels[-1]

    def _pass_delimiter(self, level: _SequenceLevel, tag: int, length: int) -> None:
        if tag == ITEM:
            level.items, level.elements, level.last = level.items + 1, 0, -1
            self._steps += level.items
            if length != UNDEFINED and self._offset + length > len(self._content):
                self._pass_over(length, level.read)
        elif tag == SEQUENCE_END and len(self._levels) > 1:
            self._levels.pop()

    def _pass_fragment(self) -> None:
        """Pass over a fragment of a compressed image (PS3.5 §A.4); to the end of the file if it is damaged."""
        tag, _, length, self._offset = self._read_implicit(self._content, self._offset)
        left = len(self._content) - self._offset
        self._in_fragments = tag >> 16 == DELIMITERS and tag != SEQUENCE_END
        if self._in_fragments and length <= left:
            self._offset += length
        elif tag != SEQUENCE_END:
            self._pass_over(length if self._in_fragments else left, self._levels[-1].read)

    def _enter(self, length: int, read: HeaderReader, *, is_image: bool) -> None:
        if is_image:
            self._in_fragments = True
        elif length == UNDEFINED:
            self._levels.append(_SequenceLevel(None, read))
        elif length < _SMALLEST * (DEEPEST + 2 - len(self._levels)) or self._offset + length > len(self._content):
            self._pass_over(length, read)  # too short for as many levels as are left, or cut
        else:
            self._levels.append(_SequenceLevel(self._offset + length, read))

    def _pass_over(self, length: int, read: HeaderReader) -> None:
        """Pass over the content of a sequence or an item; only the number of its elements can matter."""
        stop = self._offset + length
        if self._counts:
            self._count_to(min(stop, len(self._content)), read)
        self._offset = stop

    def _count_to(self, stop: int, read: HeaderReader) -> None:
        last = stop - SHORTEST_HEADER
        while self._offset <= last and self._found < self._most:
            self._found += 1
            if not self._found % _STRETCH:
                sleep(_PAUSE)
            try:
                tag, representation, length, self._offset = read(self._content, self._offset)
            except struct.error:
                return
            has_items = representation == b"SQ" if representation else tag >> 16 == DELIMITERS or is_sequence(tag)
            if not has_items and length != UNDEFINED:
                self._offset += length
