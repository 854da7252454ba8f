"""Searches files that lack the DICOM prefix (PS3.10 §7.1) for other signs of DICOM.

Orthanc reads such files too, if they consist of data elements. Any of these is a sign:

1. ``DICM`` in front of a group of the meta header or of the identification, anywhere in the head: the preamble is too
   short, too long or missing.
2. An element in the head whose value is a UID, in any of the three encodings: of a SOP class, of an instance.
3. Data elements from the first byte on that the standard's dictionary knows: one with its value representation, or two
   without, since two more bytes are as good as a signature.
4. Data elements from the first byte on, known or not, among which are the three UIDs that Orthanc asks for.

None of them holds for text, pictures, sound, archives, programs or zeros, and none costs more than the head and a few
thousand steps.
"""

import re
import struct
from collections.abc import Iterator
from enum import IntEnum, auto
from functools import lru_cache

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from davfs.elements.headers import DELIMITERS, LONG, SHORT, UNDEFINED, Encoding

_PREFIX = re.compile(rb"DICM(?:[\x02\x08]\x00|\x00[\x02\x08])")
_UID = rb"[0-2]\.[0-9][0-9.]"
_IDENTIFIER = re.compile(
    rb"(?s:(?:UI(?:[\x05-\x40]\x00|\x00[\x05-\x40])"
    rb"|(?:\x08\x00[\x16\x18]\x00|\x20\x00[\x0d\x0e]\x00)(?:UN\x00\x00)?[\x05-\x40]\x00\x00\x00))" + _UID
)
_ASKED_FOR = frozenset({0x00080018, 0x0020000D, 0x0020000E})
"""SOPInstanceUID, StudyInstanceUID, SeriesInstanceUID."""
_STEPS = 2000
_ENOUGH_IMPLICIT = 2
_LAST_KNOWN_GROUP = 0x0020


class Sign(IntEnum):
    """The evidence of DICOM; the greater, the surer."""

    NONE = auto()
    """No DICOM."""
    OPEN = auto()
    """The bytes so far could be a sequence of data elements."""
    DICOM = auto()
    """A sign of DICOM."""


def of_head(content: memoryview, head: int) -> Sign:
    """Search the first ``head`` bytes for a DICOM prefix at another place, and for UIDs."""
    start = bytes(content[:head])
    return Sign.DICOM if _PREFIX.search(start) or _IDENTIFIER.search(start) else Sign.NONE


def of_elements(content: memoryview, size: int) -> Sign:
    """Parse data elements from the first byte on.

    Args:
        content: The file, or its beginning.
        size: Bytes of the whole file.
    """
    return max(_followed(content, size, encoding) for encoding in _ENCODINGS)


_ENCODINGS = tuple(Encoding(implicit, little) for implicit in (False, True) for little in (True, False))


def _followed(content: memoryview, size: int, encoding: Encoding) -> Sign:
    """Parse data elements from the first byte on, until there is a sign of DICOM or they make no sense."""
    known: set[int] = set()
    identifiers: set[int] = set()
    end = 0
    for tag, representation, stop in _elements(content, size, encoding):
        end = stop
        identifiers |= _ASKED_FOR & {tag}
        if _is_known(tag, representation):
            known.add(tag)
        if len(known) >= (_ENOUGH_IMPLICIT if encoding.implicit else 1) or identifiers == _ASKED_FOR:
            return Sign.DICOM
    return Sign.OPEN if 0 < len(content) <= end < size else Sign.NONE


def _elements(content: memoryview, size: int, encoding: Encoding) -> Iterator[tuple[int, bytes, int]]:
    """Yield tag, value representation (empty if it is implicit) and end of each element that lies in the file."""
    offset, last = 0, None
    for _ in range(_STEPS):
        try:
            tag, representation, length, start = encoding.read_header(content, offset)
        except struct.error:  # the content ends
            return
        stop = start if length == UNDEFINED else start + length
        is_unknown = not encoding.implicit and representation not in LONG | SHORT and tag >> 16 != DELIMITERS
        if stop > size or tag == last or is_unknown:
            return
        yield tag, representation, stop
        offset, last = stop, tag


@lru_cache(maxsize=4096)
def _is_known(tag: int, representation: bytes) -> bool:
    """Return True if a tag is one of those at the beginning of a data set, and has that value representation if any."""
    group, number = tag >> 16, tag & 0xFFFF
    if not number or not group or group > _LAST_KNOWN_GROUP or not dictionary_has_tag(tag):
        return bool(representation == b"UL" and not number and group in (0x0002, 0x0008))
    return representation in (b"", b"UN") or representation.decode() in dictionary_VR(tag)
