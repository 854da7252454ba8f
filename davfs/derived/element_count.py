"""Counts the elements of a data set before pydicom makes an object of each.

Eight bytes of a file are an element, or an item, for which pydicom takes up to 700 bytes: a data set of a few megabytes
would take gigabytes. `davfs.elements.walk` counts what Orthanc's parser makes of a complete file; this counts what
pydicom makes of a file that still arrives, and has its peculiarities.

Source: DICOM PS3.5 section 7.
"""

import struct
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pydicom.datadict import dictionary_has_tag

from davfs.derived.readers import PrefixReader
from davfs.elements.headers import (
    DELIMITERS,
    ITEM,
    LONGEST_HEADER,
    SEQUENCE_END,
    SHORTEST_HEADER,
    UNDEFINED,
    Encoding,
    HeaderReader,
    has_representation,
    is_sequence,
)


@dataclass(slots=True)
class _OpenSequence:
    """A sequence that has not ended yet, or the data set.

    Attributes:
        end: Its end, if that is known.
        read: Reads the headers of its elements.
        read_item: The same for the present item, which may be implicit in an explicit sequence: by its first element,
            as in pydicom. None before that.
        has_fragments: It is no sequence, but compressed pixels: those of an icon.
    """

    end: int | None
    read: HeaderReader
    read_item: HeaderReader | None = None
    has_fragments: bool = False


class ElementCounter:
    """Goes from header to header, into sequences and items, and passes over values.

    Args:
        file: The file.
        offset: Where its data set begins, in bytes.
        encoding: The encoding of the data set.
        stops: Elements at which the data set ends, at its top.
    """

    def __init__(self, file: PrefixReader, offset: int, encoding: Encoding, stops: AbstractSet[int]) -> None:
        self._file = file
        self._offset = offset
        self._read_implicit = Encoding(implicit=True, little=encoding.little).read_header
        self._stops = stops
        self._open = [_OpenSequence(None, encoding.read_header, encoding.read_header)]

    def exceeds(self, most: int) -> bool:
        """Return True if there are more elements, items, fragments and delimiters than so many.

        Raises:
            ValueError: They cannot be counted.
        """
        try:
            return all(self._pass_next() for _ in range(most))
        except struct.error:  # the file ends
            return False

    def _pass_next(self) -> bool:
        """Pass over the next header, and the value if it has no elements; return False if the data set ends instead."""
        while (end := self._open[-1].end) is not None and end <= self._offset:
            self._open.pop()
        if self._open[-1].has_fragments:
            return self._pass_fragment()
        within, header = self._open[-1], self._file.peek(self._offset, LONGEST_HEADER)
        read = within.read_item or (within.read if has_representation(header) else self._read_implicit)
        tag, representation, length, size = read(header, 0)
        if len(self._open) == 1 and tag in self._stops:
            return False
        self._offset += size
        if tag >> 16 == DELIMITERS:
            self._pass_delimiter(tag)
        elif read is not self._read_implicit and not has_representation(header):
            raise ValueError("a data set is in two encodings")  # pydicom takes such an element for an implicit one
        else:
            within.read_item = read
            self._pass_element(tag, representation, length, read)
        return True

    def _pass_delimiter(self, tag: int) -> None:
        if tag == ITEM and len(self._open) > 1:
            self._open[-1].read_item = None
        elif tag == SEQUENCE_END and len(self._open) > 1:
            self._open.pop()

    def _pass_element(self, tag: int, representation: bytes, length: int, read: HeaderReader) -> None:
        is_implicit = representation in (b"", b"UN")  # elements of an unknown sequence are implicit (section 6.2.2)
        inner = self._read_implicit if is_implicit else read
        if length == UNDEFINED:
            self._open.append(_OpenSequence(None, inner, has_fragments=not self._has_items(tag, representation)))
        elif representation == b"SQ" or (is_implicit and is_sequence(tag)):
            self._open.append(_OpenSequence(self._offset + length, inner))
        else:
            self._offset += length

    def _has_items(self, tag: int, representation: bytes) -> bool:
        """Return True if pydicom takes an element of undefined length for a sequence, and not for compressed pixels."""
        if representation:
            return representation in {b"SQ", b"UN"}
        if dictionary_has_tag(tag):
            return is_sequence(tag)
        return self._read_implicit(self._file.peek(self._offset, LONGEST_HEADER), 0)[0] == ITEM

    def _pass_fragment(self) -> bool:
        """Pass over a fragment of compressed pixels, or their end.

        Raises:
            ValueError: They are damaged: pydicom searches for their end then, and may find it anywhere.
        """
        header = self._file.peek(self._offset, LONGEST_HEADER)
        tag, _, length, size = self._read_implicit(header, 0) if len(header) >= SHORTEST_HEADER else (0, b"", 0, 0)
        if tag == SEQUENCE_END:
            self._open.pop()
            length = 0
        elif tag != ITEM:
            raise ValueError("fragments of pixels cannot be read")
        self._offset += size + length
        return True
