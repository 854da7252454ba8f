"""Walks through the data elements of a DICOM file: how many there are, and how deep they are nested.

What it costs Orthanc to parse a file goes by their number, and hardly by bytes. An image is one element, however large;
but eight zeros are an element too, and Orthanc's parser takes four microseconds for each. 24 MB of zeros behind an
image are three million elements: twelve seconds.

Orthanc's parser calls itself for each sequence in a sequence, on a thread with a small stack: 2 KB with 48 levels
end the process. Images have three or four, structured reports up to some twenty.

Orthanc goes through what it has parsed by number, and each number is looked for from the first one on: a sequence of
80,000 items takes it three seconds, one of a million ten minutes. So do the elements of one item.
"""

import struct
import sys
import zlib
from dataclasses import dataclass
from functools import lru_cache
from time import sleep

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from davfs.errors import Refused

LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
"""Value representations with a length of four bytes (PS3.5 §7.1.2)."""

SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
"""Value representations with a length of two bytes."""

UNDEFINED = 0xFFFFFFFF
DELIMITERS, SEQUENCE_END = 0xFFFE, 0xE0DD
META, _TRANSFER_SYNTAX = 0x0002, 0x0010
IMPLICIT, BIG_ENDIAN, DEFLATED = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99"
_ALL_DEFLATED = frozenset({DEFLATED, b"1.2.840.10008.1.2.4.95", b"1.2.840.10008.1.2.4.205"})
"""Transfer syntaxes in which the data set is compressed as a whole: JPIP has two of its own (PS3.5 §A.7, §A.12)."""
INFLATED = 128 << 20
"""Bytes of a deflated data set that are unpacked to be looked at."""

DEEPEST = 40
"""Levels of nested sequences that Orthanc survives; 48 end Orthanc 1.10.1."""

_HEAD = 1024
"""Bytes in which a file tells its transfer syntax."""
_OUT_OF_ORDER = 8
"""How many times as long as an item an element takes at most: those that are not in the order of their tags."""
_STRETCH, _PAUSE = 2048, 1e-4
"""Elements that are passed without a pause, and its seconds: other threads need the interpreter for a moment only."""
_SHORTEST, _SMALLEST = 8, 16
"""Bytes of an element without a value, and those that a sequence with one item takes at least."""
_ITEM, _PIXEL_DATA = 0xE000, 0x7FE00010
_SEQUENCES = frozenset({b"SQ", b"UN"})
"""Value representations of what has items, where its length is undefined."""
_KNOWN = SHORT | LONG
_HEADERS = {order: tuple(struct.Struct(order + form) for form in ("HH2sH", "HHI", "I")) for order in "<>"}
"""By byte order, the header of an element with a representation, of one without, and a length."""


class ElementBudget:
    """Limits how many data elements the members of one ZIP may have, in proportion to their packed bytes.

    A blank image shrinks to a thousandth and is one element. What has very many elements, an image of 10,000 frames,
    has different ones, which shrink less: there is one element for each packed byte, at most.

    Args:
        each: Elements that are allowed for each packed byte.
        spare: Elements that are allowed on top of that, in all members together.
    """

    def __init__(self, each: int = 2, spare: int = 250_000) -> None:
        self._each = each
        self._spare = spare

    def check(self, content: memoryview, packed: int, walk: "Walk | None" = None) -> None:
        """Check the next member.

        Args:
            content: The member, unpacked.
            packed: Its bytes in the ZIP.
            walk: A walk through it that goes on afterwards; None for one of its own.

        Raises:
            Refused: It has too many elements; then the next ones have nothing to spare.
        """
        allowed = self._each * packed
        if len(content) // _SHORTEST <= allowed and not is_deflated(content):
            return
        surplus = (walk or Walk(content)).count(allowed + self._spare + 1) - allowed
        if surplus > self._spare:
            self._spare = 0
            raise Refused("It unpacks to far more data elements than files of its packed size have.")
        self._spare -= max(0, surplus)


def is_deflated(content: memoryview) -> bool:
    """Return True if the data set of a file is compressed as a whole: then its length tells nothing of its cost."""
    head = bytes(content[:_HEAD])
    return any(syntax in head for syntax in _ALL_DEFLATED)


def data_set(content: memoryview) -> tuple[int, bytes]:
    """Return where the data set of a file begins (its offset in bytes), and its transfer syntax.

    The syntax is `IMPLICIT`, `BIG_ENDIAN` or `DEFLATED`; empty for any other: they are explicit and little endian.
    """
    offset, syntax = (132, b"") if bytes(content[128:132]) == b"DICM" else (0, b"")
    while offset + 12 <= len(content):
        group, element, representation, length = struct.unpack_from("<HH2sH", content, offset)
        if group != META:
            break
        offset += 8
        if representation in LONG:
            (length,) = struct.unpack_from("<I", content, offset)
            offset += 4
        if element == _TRANSFER_SYNTAX:
            syntax = bytes(content[offset : offset + length]).rstrip(b"\0 ")
        offset += length
    return offset, DEFLATED if syntax in _ALL_DEFLATED else _seen(content, offset)


def _seen(content: memoryview, offset: int) -> bytes:
    """Return the transfer syntax by the first element: some files have another one than they tell, or tell none."""
    group, representation = bytes(content[offset : offset + 2]), bytes(content[offset + 4 : offset + 6])
    if not (representation.isalpha() and representation.isupper()):
        return IMPLICIT
    return BIG_ENDIAN if group.startswith(b"\0") else b""


def is_ambiguous(content: memoryview) -> bool:
    """Return True if a meta header names a deflated transfer syntax, and programs may take it for another one."""
    offset, syntax = data_set(content)
    header = bytes(content[:offset])
    return syntax != DEFLATED and any(each in header for each in _ALL_DEFLATED)


def inflated(content: memoryview) -> tuple[memoryview, bool]:
    """Unpack a deflated data set; return the first `INFLATED` bytes of it, and whether there is more.

    Nothing is returned where it is damaged.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = memoryview(stream.decompress(content, INFLATED))
    except zlib.error:
        return memoryview(b""), False
    return found, not stream.eof and len(found) == INFLATED


@lru_cache(maxsize=4096)
def is_sequence(tag: int) -> bool:
    """Return True if a tag is that of a sequence, by the dictionary of the standard."""
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


@dataclass(frozen=True, slots=True)
class Shape:
    """How the data elements of a file lie in it.

    Attributes:
        too_deep: Sequences are nested in more levels than were allowed; no more is known then.
        missing: Bytes by which the last element is longer than the file.
        whole: The last element ends where the file does, outside of all sequences.
        strange: An element has a value representation that nobody knows.
        unseen: It unpacks to more than was looked at.
        steps: By how many places Orthanc goes along its lists of items and of elements, all in all.
    """

    too_deep: bool
    missing: int
    whole: bool
    strange: bool
    unseen: bool = False
    steps: int = 0


@dataclass(slots=True)
class _Open:
    """A sequence that has not ended yet: where it does, if that is known, and how its elements are written.

    Attributes:
        end: Where it ends; None where that is not known.
        explicit: Its elements have value representations.
        items: How many items it has so far.
        elements: How many elements the last of them has so far; one that is repeated at once is not kept.
        last: The tag of the last one.
    """

    end: int | None
    explicit: bool
    items: int = 0
    elements: int = 0
    last: int = -1


class Walk:
    """A way through the data elements of a file: over values, and into sequences and items.

    It is made once for all that has to be known: `count` goes as far as it is told to, and `shape` from there to the
    end. Garbage is no error: parsers give up there, and so does this.

    Args:
        content: All of the file.
        deepest: Levels of nested sequences that are allowed.

    Source: DICOM PS3.5 §7, PS3.10 §7.1.
    """

    def __init__(self, content: memoryview, deepest: int = DEEPEST) -> None:
        self._content = content
        self._deepest = deepest
        self._open: list[_Open] = []
        self._in_fragments = self._strange = self._counts = self._unseen = False
        self._offset = self._found = self._most = self._steps = 0

    def count(self, most: int) -> int:
        """Return how many elements, items and delimiters a parser would find; ``most`` where there are more."""
        self._counts = True
        self._go(most)
        return min(self._found, most)

    def shape(self) -> Shape:
        """Return how the elements lie in the file."""
        self._counts = False
        self._go(sys.maxsize)
        self._leave_sequences()
        beyond = self._offset - len(self._content)
        whole = beyond == 0 and len(self._open) == 1
        too_deep = len(self._open) > self._deepest + 1
        return Shape(too_deep, max(0, beyond), whole, self._strange, self._unseen, self._steps)

    def _begin(self) -> None:
        self._offset, syntax = data_set(self._content)
        if syntax == DEFLATED:
            self._content, self._unseen = inflated(self._content[self._offset :])
            self._offset = 0
        self._short, self._long, self._length = _HEADERS[">" if syntax == BIG_ENDIAN else "<"]
        self._open.append(_Open(None, syntax != IMPLICIT))

    def _go(self, most: int) -> None:
        """Go on until so many elements were found, or to the end, or until it is too deep."""
        if not self._open:
            self._begin()
        self._most, last, open_, deepest = most, len(self._content) - _SHORTEST, self._open, self._deepest + 1
        while self._offset <= last and self._found < most and len(open_) <= deepest:
            if self._in_fragments:
                self._pass_fragment()
            else:
                self._step()
            self._found += 1
            if not self._found % _STRETCH:
                sleep(_PAUSE)

    def _step(self) -> None:
        self._leave_sequences()
        group, element, length = self._long.unpack_from(self._content, self._offset)
        self._offset += 8
        tag = group << 16 | element
        if group == DELIMITERS:
            self._pass_delimiter(element, length)
            return
        within = self._open[-1]
        if tag != within.last:
            within.last = tag
            within.elements += 1
            self._steps += _OUT_OF_ORDER * within.elements
        if within.explicit:
            representation, length = self._representation()
            if representation not in _KNOWN:
                self._strange = True
            if representation == b"SQ" or length == UNDEFINED:
                # What nobody knew has implicit elements (PS3.5 §6.2.2); fragments of an image look like items.
                image = tag == _PIXEL_DATA and representation not in _SEQUENCES
                self._enter(length, explicit=representation != b"UN", image=image)
            else:
                self._offset += length
        elif length == UNDEFINED or is_sequence(tag):
            self._enter(length, explicit=False, image=tag == _PIXEL_DATA)
        else:
            self._offset += length

    def _representation(self) -> tuple[bytes, int]:
        """Go over the rest of an element's header; return its value representation and its length.

        The length has two bytes where nobody knows the representation.
        """
        _, _, representation, length = self._short.unpack_from(self._content, self._offset - 8)
        if representation in LONG:
            if self._offset + 4 > len(self._content):
                self._offset = len(self._content)
                return representation, 0
            (length,) = self._length.unpack_from(self._content, self._offset)
            self._offset += 4
        return representation, length

    def _leave_sequences(self) -> None:
        while (end := self._open[-1].end) is not None and end <= self._offset:
            self._open.pop()

    def _pass_delimiter(self, element: int, length: int) -> None:
        within = self._open[-1]
        if element == _ITEM:
            within.items, within.elements, within.last = within.items + 1, 0, -1
            self._steps += within.items
        if element == SEQUENCE_END and len(self._open) > 1:
            self._open.pop()
        elif element == _ITEM and length != UNDEFINED and self._offset + length > len(self._content):
            self._pass_over(length, self._open[-1].explicit)

    def _pass_fragment(self) -> None:
        """Go over a fragment of a compressed image (PS3.5 §A.4); to the end, where it is written otherwise."""
        group, element, length = self._long.unpack_from(self._content, self._offset)
        self._offset += 8
        left = len(self._content) - self._offset
        self._in_fragments = group == DELIMITERS and element != SEQUENCE_END
        if self._in_fragments and length <= left:
            self._offset += length
        elif element != SEQUENCE_END or group != DELIMITERS:
            self._pass_over(length if self._in_fragments else left, self._open[-1].explicit)

    def _enter(self, length: int, *, explicit: bool, image: bool) -> None:
        if image:
            self._in_fragments = True
        elif length == UNDEFINED:
            self._open.append(_Open(None, explicit))
        elif length < _SMALLEST * (self._deepest + 2 - len(self._open)) or self._offset + length > len(self._content):
            self._pass_over(length, explicit)  # too short for as many levels as are left, or cut
        else:
            self._open.append(_Open(self._offset + length, explicit))

    def _pass_over(self, length: int, explicit: bool) -> None:  # noqa: FBT001  called for each short sequence
        """Go over what is in a sequence or an item; only the number of its elements can matter."""
        stop = self._offset + length
        if self._counts:
            self._count_to(min(stop, len(self._content)), explicit)
        self._offset = stop

    def _count_to(self, stop: int, explicit: bool) -> None:  # noqa: FBT001
        last = stop - _SHORTEST
        while self._offset <= last and self._found < self._most:
            self._found += 1
            if not self._found % _STRETCH:
                sleep(_PAUSE)
            group, element, inner = self._long.unpack_from(self._content, self._offset)
            self._offset += 8
            representation = b"SQ" if is_sequence(group << 16 | element) else b""
            if explicit and group != DELIMITERS:
                representation, inner = self._representation()
            if group != DELIMITERS and representation != b"SQ" and inner != UNDEFINED:
                self._offset += inner
