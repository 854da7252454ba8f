"""Measures how deep the sequences of a DICOM file are nested, within bounds.

Orthanc's parser calls itself for each sequence in a sequence, on a thread with a small stack: 2 KB with 48 levels
end the process. Images have three or four, structured reports up to some twenty.
"""

import struct
from dataclasses import dataclass
from time import sleep

from davfs.imports.elements import (
    BIG_ENDIAN,
    DEFLATED,
    DELIMITERS,
    IMPLICIT,
    LONG,
    PAUSE,
    SEQUENCE_END,
    SHORT,
    STRETCH,
    UNDEFINED,
    data_set,
    inflated,
    is_sequence,
)

_ITEM = 0xE000
_PIXELS = 0x7FE0
_SMALLEST = 16
"""Bytes that a sequence with one item takes at least."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the data elements of a file lie in it.

    Attributes:
        too_deep: Sequences are nested in more levels than were allowed; no more is known then.
        missing: Bytes by which the last element is longer than the file.
        whole: The last element ends where the file does, outside of all sequences.
        strange: An element has a value representation that nobody knows.
    """

    too_deep: bool
    missing: int
    whole: bool
    strange: bool


def shape(content: memoryview, most: int) -> Shape:
    """Walk through a file.

    Args:
        content: All of the file. Garbage is no error: parsers give up there, and so does this.
        most: Levels that are allowed.

    Source: DICOM PS3.5 §7.5.
    """
    offset, syntax = data_set(content)
    if syntax == DEFLATED:
        content, offset = inflated(content[offset:]), 0
    return _Descent(
        content, offset, most, explicit=syntax != IMPLICIT, order=">" if syntax == BIG_ENDIAN else "<"
    ).run()


@dataclass(frozen=True, slots=True)
class _Open:
    """A sequence that has not ended yet: where it does, if that is known, and how its elements are written."""

    end: int | None
    explicit: bool


class _Descent:
    """A way through a data set that goes into each sequence which is long enough to matter."""

    def __init__(self, content: memoryview, offset: int, most: int, *, explicit: bool, order: str) -> None:
        self._content = content
        self._offset = offset
        self._most = most
        self._strange = False
        self._open = [_Open(None, explicit)]
        self._short = struct.Struct(f"{order}HH2sH")
        self._long = struct.Struct(f"{order}HHI")
        self._length = struct.Struct(f"{order}I")

    def run(self) -> Shape:
        """Walk to the end, or until it is too deep."""
        passed, last = 0, len(self._content) - 8
        while self._offset <= last and len(self._open) <= self._most + 1:
            self._step()
            passed += 1
            if not passed % STRETCH:
                sleep(PAUSE)
        self._leave_sequences()
        beyond = self._offset - len(self._content)
        whole = beyond == 0 and len(self._open) == 1
        return Shape(len(self._open) > self._most + 1, max(0, beyond), whole, self._strange)

    def _step(self) -> None:
        self._leave_sequences()
        group, element, length = self._long.unpack_from(self._content, self._offset)
        self._offset += 8
        if group == DELIMITERS:
            self._pass_delimiter(element, length)
        elif self._open[-1].explicit:
            self._pass_explicit()
        elif length == UNDEFINED or is_sequence(group << 16 | element):
            self._enter(length, explicit=False, image=group == _PIXELS)
        else:
            self._offset += length

    def _leave_sequences(self) -> None:
        while (end := self._open[-1].end) is not None and end <= self._offset:
            self._open.pop()

    def _pass_delimiter(self, element: int, length: int) -> None:
        if element == SEQUENCE_END and len(self._open) > 1:
            self._open.pop()
        elif element == _ITEM and length != UNDEFINED and self._offset + length > len(self._content):
            self._offset += length

    def _pass_explicit(self) -> None:
        group, _, representation, length = self._short.unpack_from(self._content, self._offset - 8)
        if representation not in SHORT and representation not in LONG:
            self._strange = True  # then its length has two bytes
        if representation in LONG:
            if self._offset + 4 > len(self._content):
                self._offset = len(self._content)
                return
            (length,) = self._length.unpack_from(self._content, self._offset)
            self._offset += 4
        if representation == b"SQ" or length == UNDEFINED:
            # What nobody knew has implicit elements (PS3.5 §6.2.2); fragments of an image look like items.
            self._enter(length, explicit=representation != b"UN", image=group == _PIXELS)
        else:
            self._offset += length

    def _pass_fragments(self) -> None:
        """Walk over the fragments of a compressed image (PS3.5 §A.4); to the end, where it is written otherwise."""
        while self._offset + 8 <= len(self._content):
            group, element, length = self._long.unpack_from(self._content, self._offset)
            if group != DELIMITERS:
                self._offset = len(self._content)
                return
            self._offset += 8
            if element == SEQUENCE_END:
                return
            self._offset += length

    def _enter(self, length: int, *, explicit: bool, image: bool) -> None:
        if image:
            self._pass_fragments()
        elif length == UNDEFINED:
            self._open.append(_Open(None, explicit))
        elif length < _SMALLEST * (self._most + 2 - len(self._open)) or self._offset + length > len(self._content):
            self._offset += length  # too short for as many levels as are left, or cut
        else:
            self._open.append(_Open(self._offset + length, explicit))
