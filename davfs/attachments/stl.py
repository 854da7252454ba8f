"""Checks STL files, which describe the surface of a body by triangles."""

import re
import struct

from davfs.errors import Refused

_HEADER = 80
_COUNT = struct.Struct("<I")
_TRIANGLE = 50
_ASCII = re.compile(rb"\s*solid\b[^\n]*\n\s*(?:facet|endsolid)\b")


def is_stl(content: memoryview) -> bool:
    """Return True if a file is an STL file, binary or ASCII."""
    return _is_binary(content) or _ASCII.match(content[:4096]) is not None


def check_stl(content: memoryview) -> None:
    """Check that an STL file is binary.

    Raises:
        Refused: It is an ASCII one: DICOM takes binary ones only (PS3.3 §A.85.1).
    """
    if not _is_binary(content):
        raise Refused("DICOM takes binary STL files only: save it as binary STL.")


def _is_binary(content: memoryview) -> bool:
    start = _HEADER + _COUNT.size
    if len(content) < start + _TRIANGLE:
        return False
    (count,) = _COUNT.unpack_from(content, _HEADER)
    return len(content) == start + int(count) * _TRIANGLE
