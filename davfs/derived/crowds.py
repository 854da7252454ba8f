"""Counts the elements of a data set before a parser makes an object of each.

Eight bytes of a file are an element, or an item, for which pydicom takes up to 700 bytes: a data set of a few megabytes
would take gigabytes. So what has very many is known before it is parsed.

Source: DICOM PS3.5 section 7.
"""

import struct
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

_UNDEFINED = 0xFFFFFFFF
_DELIMITERS, _ITEM, _SEQUENCE_END = 0xFFFE, 0xE000, 0xE0DD
_LONG = frozenset(each.encode() for each in EXPLICIT_VR_LENGTH_32)
_HEADER = 8


@dataclass(slots=True)
class _Open:
    """A data set, or a sequence: where it ends, if that is known, and whether representations are implicit.

    Each item of an explicit sequence may be implicit: its first element tells, as pydicom has it.
    """

    end: int | None
    implicit: bool
    item: bool | None = None


class Crowd:
    """Goes from header to header, into sequences and items, and passes over values.

    Args:
        file: A file that stands at the beginning of a data set.
        order: The byte order, as `struct` names it.
        stops: Elements at which the data set ends, at its top.
        implicit: Whether value representations are implicit.
    """

    def __init__(self, file: BinaryIO, order: str, stops: AbstractSet[int], *, implicit: bool) -> None:
        self._file = file
        self._header, self._short = struct.Struct(f"{order}HHI"), struct.Struct(f"{order}H")
        self._long = struct.Struct(f"{order}I")
        self._stops = stops
        self._open = [_Open(None, implicit, implicit)]

    def exceeds(self, most: int) -> bool:
        """Return True if there are more elements, items and delimiters than so many."""
        for _ in range(most):
            header = self._file.read(_HEADER)
            if len(header) < _HEADER or self._passed(header):
                return False
        return True

    def _passed(self, header: bytes) -> bool:
        """Go to the next header; return True where the data set ends instead."""
        start = self._file.tell() - _HEADER
        while (end := self._open[-1].end) is not None and end <= start:
            self._open.pop()
        group, number, length = self._header.unpack(header)
        tag = group << 16 | number
        if group == _DELIMITERS:
            self._pass_delimiter(number)
            return False
        if len(self._open) == 1 and tag in self._stops:
            return True
        self._pass_element(tag, header, length)
        return False

    def _pass_delimiter(self, number: int) -> None:
        if number == _ITEM and len(self._open) > 1:
            self._open[-1].item = None
        elif number == _SEQUENCE_END and len(self._open) > 1:
            self._open.pop()

    def _pass_element(self, tag: int, header: bytes, length: int) -> None:
        within, kind = self._open[-1], header[4:6]
        if within.item is None:
            within.item = within.implicit or not (kind.isalpha() and kind.isupper())
        if not within.item:
            length = self._length(header)
        is_implicit = within.item or kind == b"UN"  # what some system did not know has implicit items (section 6.2.2)
        if length == _UNDEFINED and not within.item and kind.startswith(b"O"):
            self._pass_fragments()
        elif length == _UNDEFINED:
            self._open.append(_Open(None, is_implicit))
        elif (not within.item and kind == b"SQ") or (is_implicit and _is_sequence(tag)):
            self._open.append(_Open(self._file.tell() + length, is_implicit))
        else:
            self._file.seek(length, 1)

    def _length(self, header: bytes) -> int:
        if header[4:6] not in _LONG:
            return int(self._short.unpack_from(header, 6)[0])
        rest = self._file.read(self._long.size)
        return int(self._long.unpack(rest)[0]) if len(rest) == self._long.size else 0

    def _pass_fragments(self) -> None:
        """Pass over compressed pixels: those of an icon."""
        while len(header := self._file.read(_HEADER)) == _HEADER:
            _, number, length = self._header.unpack(header)
            self._file.seek(length, 1)
            if number == _SEQUENCE_END:
                return


@lru_cache(maxsize=4096)
def _is_sequence(tag: int) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"
