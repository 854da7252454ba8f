"""Finds the data set of a DICOM file, and its transfer syntax.

Source: DICOM PS3.10 §7.1, PS3.5 annex A.
"""

import zlib
from collections.abc import Callable

from davfs.elements.headers import EXPLICIT, IMPLICIT, LONGEST_HEADER, ByteBuffer, Encoding, has_representation

META = 0x0002
"""The group of the meta header."""
_PREAMBLE, _PREFIX, _TRANSFER_SYNTAX = 128, b"DICM", 0x00020010
_HEAD = 1024
"""Bytes in which a file names its transfer syntax."""

DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Transfer syntaxes in which the data set is compressed as a whole: JPIP has two of its own (PS3.5 §A.7, §A.12)."""


def find_data_set(content: memoryview) -> tuple[int, str]:
    """Return the offset of the data set of a file, in bytes, and its transfer syntax; empty if the file names none."""
    return read_meta_header(lambda offset, size: content[offset : offset + size])


def read_meta_header(peek: Callable[[int, int], ByteBuffer]) -> tuple[int, str]:
    """Return the same as `find_data_set`, given a function that returns so many bytes at an offset."""
    offset = _PREAMBLE + len(_PREFIX) if peek(_PREAMBLE, len(_PREFIX)) == _PREFIX else 0
    syntax, read = b"", EXPLICIT.read_header
    while len(header := peek(offset, LONGEST_HEADER)) == LONGEST_HEADER:
        tag, _, length, size = read(header, 0)
        if tag >> 16 != META:
            break
        if tag == _TRANSFER_SYNTAX:
            syntax = bytes(peek(offset + size, length)).rstrip(b"\0 ")
        offset += size + length
    return offset, syntax.decode("latin-1")


def encoding_at(content: memoryview, offset: int, syntax: str = "") -> Encoding:
    """Return the encoding by the first element of a data set: some files name another transfer syntax, or none.

    Args:
        content: The file.
        offset: The offset of the data set.
        syntax: Its transfer syntax, which tells the encoding if it is a deflated one.
    """
    if syntax in DEFLATED:
        return EXPLICIT
    if not has_representation(content, offset):
        return IMPLICIT
    return Encoding(implicit=False, little=content[offset] != 0)


def is_deflated(content: memoryview) -> bool:
    """Return True if the data set may be compressed as a whole: then its length says nothing about its cost."""
    head = bytes(content[:_HEAD])
    return any(syntax.encode() in head for syntax in DEFLATED)


def is_ambiguous(content: memoryview) -> bool:
    """Return True if a meta header names a deflated transfer syntax, and programs may take it for another one."""
    offset, syntax = find_data_set(content)
    header = bytes(content[:offset])
    return syntax not in DEFLATED and any(each.encode() in header for each in DEFLATED)


def inflated(content: memoryview, most: int) -> tuple[memoryview, bool]:
    """Decompress a data set; return its first bytes, at most so many, and whether there are more.

    Nothing is returned if it is damaged.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = memoryview(stream.decompress(content, most))
    except zlib.error:
        return memoryview(b""), False
    return found, not stream.eof and len(found) == most
