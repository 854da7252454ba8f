"""Counts the data elements of a DICOM file: what it costs Orthanc to parse goes by them, and hardly by bytes.

An image is one element, however large; but eight zeros are an element too, and Orthanc's parser takes four microseconds
for each. 24 MB of zeros behind an image are three million elements: twelve seconds.
"""

import struct
import zlib
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
INFLATED = 64 << 20
"""Bytes of a deflated data set that are unpacked to be counted."""

_HEAD = 1024
"""Bytes in which a file tells its transfer syntax."""
STRETCH, PAUSE = 2048, 1e-4
"""Elements that are counted without a pause, and its seconds: other threads need the interpreter for a moment only."""
_SHORTEST = 8
"""Bytes of an element without a value."""


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

    def check(self, content: memoryview, packed: int) -> None:
        """Check the next member.

        Args:
            content: The member, unpacked.
            packed: Its bytes in the ZIP.

        Raises:
            Refused: It has too many elements; then the next ones have nothing to spare.
        """
        allowed = self._each * packed
        if len(content) // _SHORTEST <= allowed and not is_deflated(content):
            return
        surplus = count(content, allowed + self._spare + 1) - allowed
        if surplus > self._spare:
            self._spare = 0
            raise Refused("It unpacks to far more data elements than files of its packed size have.")
        self._spare -= max(0, surplus)


def is_deflated(content: memoryview) -> bool:
    """Return True if the data set of a file is compressed as a whole: then its length tells nothing of its cost."""
    return DEFLATED in bytes(content[:_HEAD])


def count(content: memoryview, most: int) -> int:
    """Return how many elements, items and delimiters a parser would find in a file.

    Args:
        content: All of the file. Garbage is no error: parsers give up there, and so does this.
        most: Counting ends here.

    Source: DICOM PS3.5 §7, PS3.10 §7.1.
    """
    offset, syntax = data_set(content)
    if syntax == DEFLATED:
        content, offset = inflated(content[offset:]), 0
    walk = _Walk(content, offset, most, order=">" if syntax == BIG_ENDIAN else "<")
    if syntax == IMPLICIT:
        walk.implicit()
    else:
        walk.explicit()
    return walk.found


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
    return offset, DEFLATED if syntax == DEFLATED else _seen(content, offset)


def _seen(content: memoryview, offset: int) -> bytes:
    """Return the transfer syntax by the first element: some files have another one than they tell, or tell none."""
    group, representation = bytes(content[offset : offset + 2]), bytes(content[offset + 4 : offset + 6])
    if not (representation.isalpha() and representation.isupper()):
        return IMPLICIT
    return BIG_ENDIAN if group.startswith(b"\0") else b""


def inflated(content: memoryview) -> memoryview:
    """Unpack a deflated data set, the first `INFLATED` bytes of it; nothing where it is damaged."""
    try:
        return memoryview(zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, INFLATED))
    except zlib.error:
        return memoryview(b"")


@lru_cache(maxsize=4096)
def is_sequence(tag: int) -> bool:
    """Return True if a tag is that of a sequence, by the dictionary of the standard."""
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


class _Walk:
    """A way through a data set: over values, and into sequences and items.

    Args:
        content: The file.
        offset: Where the data set begins.
        most: The way ends at so many elements.
        order: Byte order, as `struct` writes it.

    Attributes:
        found: Number of elements, items and delimiters so far.
    """

    def __init__(self, content: memoryview, offset: int, most: int, *, order: str) -> None:
        self.found = 0
        self._content = content
        self._offset = offset
        self._most = most
        self._explicit = struct.Struct(f"{order}HH2sH")
        self._implicit = struct.Struct(f"{order}HHI")
        self._length = struct.Struct(f"{order}I")

    def explicit(self) -> None:
        """Walk to the end of a data set with explicit value representations."""
        content, unpack = self._content, self._explicit.unpack_from
        end = len(content) - 12
        while self._offset <= end and self.found < self._most:
            group, _, representation, length = unpack(content, self._offset)
            self.found += 1
            self._offset += 8
            if not self.found % STRETCH:
                sleep(PAUSE)
            if group == DELIMITERS:
                continue
            if representation in LONG:
                (length,) = self._length.unpack_from(content, self._offset)
                self._offset += 4
            if length == UNDEFINED:
                self._enter(representation)
            elif representation != b"SQ":
                self._offset += length

    def implicit(self, *, inside: bool = False) -> None:
        """Walk to the end of a data set without value representations; ``inside`` one, to that of a sequence."""
        content, unpack = self._content, self._implicit.unpack_from
        end, depth = len(content) - 8, int(inside)
        while self._offset <= end and self.found < self._most:
            group, element, length = unpack(content, self._offset)
            self.found += 1
            self._offset += 8
            if not self.found % STRETCH:
                sleep(PAUSE)
            if group == DELIMITERS:
                depth -= element == SEQUENCE_END
                if inside and not depth:
                    return
            elif length == UNDEFINED:
                depth += 1
            elif not is_sequence(group << 16 | element):
                self._offset += length

    def _enter(self, representation: bytes) -> None:
        """Go into what ends with a delimiter: a sequence, one that nobody knew (PS3.5 §6.2.2), or fragments."""
        if representation == b"UN":
            self.implicit(inside=True)
        elif representation != b"SQ":
            self._pass_fragments()

    def _pass_fragments(self) -> None:
        """Walk over the fragments of a compressed image (PS3.5 §A.4)."""
        end = len(self._content) - 8
        while self._offset <= end and self.found < self._most:
            group, element, length = self._implicit.unpack_from(self._content, self._offset)
            self.found += 1
            self._offset += 8
            if group != DELIMITERS or element == SEQUENCE_END:
                return
            self._offset += length
