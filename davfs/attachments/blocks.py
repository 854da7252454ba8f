"""Divides large files into blocks: a search through one of them keeps other threads waiting only briefly."""

from collections.abc import Iterator

_BLOCK = 1 << 20
_OVERLAP = 64
"""Bytes that are in two blocks: more than anything that is searched for has."""


def blocks(content: memoryview) -> Iterator[memoryview]:
    """Yield the blocks of a file; each begins with the last bytes of the one before it."""
    for start in range(0, max(1, len(content)), _BLOCK):
        yield content[max(0, start - _OVERLAP) : start + _BLOCK]


def find(content: memoryview, wanted: bytes, start: int = 0) -> int:
    """Return the offset of the first of these bytes from an offset on, -1 if they are not there."""
    for block in range(start, len(content), _BLOCK):
        found = bytes(content[block : block + _BLOCK + len(wanted) - 1]).find(wanted)
        if found >= 0:
            return block + found
    return -1


def rfind(content: memoryview, wanted: bytes) -> int:
    """Return the offset of the last of these bytes, -1 if they are not there."""
    for end in range(len(content), 0, -_BLOCK):
        start = max(0, end - _BLOCK)
        found = bytes(content[start : end + len(wanted) - 1]).rfind(wanted)
        if found >= 0:
            return start + found
    return -1
