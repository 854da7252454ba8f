"""Refuses files that would crash or hang Orthanc, before Orthanc sees them.

Before it reads a file as DICOM, Orthanc walks through it by a parser of its own. Up to version 1.12.10 that parser
copies as many bytes as an element of the meta header claims to have, even past the end of the file; allocates as much
memory as an element claims to need; and loops for ever at a rest that is too short for a header. Deeply nested
sequences exhaust the stack of the thread that reads them, long ones keep it for hours, and kilobytes can unpack to more
than its memory. Any of it ends or stops the whole server.

Orthanc could not import these files either, except for headers on which its parser would loop for ever (newer versions
skip them), and a meta header that claims 4 GB, which Orthanc accepts if it can allocate as much.

Source: DICOM PS3.10 §7.1; observed on Orthanc 1.10.1.
"""

import struct

from davfs.elements.files import META, encoding_at, find_data_set, is_ambiguous
from davfs.elements.headers import DELIMITERS, SHORT, UNDEFINED
from davfs.elements.walk import DEEPEST, INFLATED, Walk
from davfs.errors import Refused

_START = b"DICM\x02\x00\x00\x00UL\x04\x00"
"""The bytes behind the preamble without which Orthanc's own parser does not begin."""
_GROUP_LENGTH, _META_HEADER = 140, 144
_LONG = frozenset(b"OB OD OF OL OW SQ UC UN UR UT".split())
_ENDLESS = 0xFFFFFFF4
"""A length with which Orthanc's parser does not move on, in 32 bits."""
_MEMORY = 64 << 20
"""Bytes that Orthanc may allocate in vain: it allocates an element before it finds that the file ends."""
_STEPS = 5_000_000_000
"""Steps of a nanosecond that Orthanc may take along its lists: as in a sequence of 100,000 items."""
_FAR = 64 << 10
"""Bytes that may be read past the meta header: as many as an element with a short length can have."""


def check_hazards(content: memoryview, walk: Walk | None = None) -> None:
    """Check that Orthanc's parser survives a file.

    Args:
        content: All of the file.
        walk: A walk through its elements that has begun; None for a new one.

    Raises:
        Refused: It does not.
    """
    has_meta_header = bytes(content[128:_GROUP_LENGTH]) == _START and len(content) >= _META_HEADER
    if has_meta_header:
        _check_meta_header(content)
    if is_ambiguous(content):
        raise Refused("Orthanc cannot read it: its meta header names several transfer syntaxes.")
    found = (walk or Walk(content)).structure()
    if found.is_too_large:
        raise Refused(f"It unpacks to more than {INFLATED >> 20} MB: send it in another transfer syntax.")
    if found.steps > _STEPS:
        raise Refused("Orthanc cannot read it in a reasonable time: it has too many items in a sequence, or elements.")
    if found.is_too_deep:
        raise Refused(f"Orthanc cannot read it: its sequences are nested in more than {DEEPEST} levels.")
    if has_meta_header and (
        found.missing > _MEMORY or (found.has_unknown and not found.is_whole and _allocates_in_vain(content))
    ):
        raise Refused("Orthanc cannot read it: it ends in the middle of an element.")


def _check_meta_header(content: memoryview) -> None:
    (length,) = struct.unpack_from("<I", content, _GROUP_LENGTH)
    end = _META_HEADER + length
    if end > len(content):
        raise Refused("Orthanc cannot read it: its meta header is longer than the file.")
    offset = _META_HEADER
    while offset + 8 <= end:
        group, _, representation, size = struct.unpack_from("<HH2sH", content, offset)
        if representation in SHORT:
            offset = _checked(content, offset + 8 + size, end)
        elif representation not in _LONG:
            return  # Orthanc refuses it by itself
        elif offset + 12 > end:
            raise Refused("Orthanc cannot read it: its meta header ends in the middle of an element.")
        elif size:  # two bytes that have to be zero: Orthanc goes no further
            return
        else:
            (size,) = struct.unpack_from("<I", content, offset + 8)
            if group == META:
                offset = _checked(content, offset + 12 + size, end)
            elif size == _ENDLESS:
                raise Refused("Orthanc cannot read it: its meta header has an element of an impossible length.")
            else:
                offset += (size + 12) & 0xFFFFFFFF


def _checked(content: memoryview, stop: int, end: int) -> int:
    """Return where an element of the meta header stops."""
    if stop > len(content) or stop > end + _FAR:
        raise Refused("Orthanc cannot read it: an element of its meta header is longer than the file or the header.")
    return stop


def _allocates_in_vain(content: memoryview) -> bool:
    """Return True if Orthanc's own parser would allocate memory in vain at an unknown value representation.

    To that parser the length behind it has four bytes; to the one that reads the file afterwards, two.
    """
    offset, syntax = find_data_set(content)
    encoding = encoding_at(content, offset, syntax)
    while not encoding.implicit and offset + 12 <= len(content):
        group, _, representation, size = struct.unpack_from(f"{encoding.order}HH2sH", content, offset)
        (length,) = struct.unpack_from(f"{encoding.order}I", content, offset + (4 if group == DELIMITERS else 8))
        if representation in SHORT and group != DELIMITERS:
            offset += 8 + size
        elif size and group != DELIMITERS:
            return False
        else:
            offset += 8 if group == DELIMITERS else 12
            offset += 0 if length == UNDEFINED else length
    return offset - len(content) > _MEMORY
