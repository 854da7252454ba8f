"""Parses the Range header of downloads (RFC 9110 §14)."""

import re

_ONE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII | re.IGNORECASE)
_LONGEST = 20  # digits: more than any file has bytes, and quickly parsed


class RangeNotSatisfiable(Exception):
    """The file has no byte in the range; the response is 416."""


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Parse a ``Range`` header for a file of so many bytes.

    Returns:
        Offsets of the first byte and behind the last one; None if the whole file is to be sent, since the header is
        malformed or names several ranges (RFC 9110 §14.2).

    Raises:
        RangeNotSatisfiable: The range lies behind the end.
    """
    found = _ONE.fullmatch(header.strip())
    if found is None or not 0 < max(map(len, found.groups())) <= _LONGEST:
        return None
    first, last = found.groups()
    if not first:
        return _last_bytes(int(last), size)
    start, stop = int(first), int(last) + 1 if last else size
    if last and stop <= start:
        return None  # it is invalid, rather than unsatisfiable (RFC 9110 §14.1.1)
    if start >= size:
        raise RangeNotSatisfiable
    return start, min(stop, size)


def _last_bytes(count: int, size: int) -> tuple[int, int]:
    if not count or not size:
        raise RangeNotSatisfiable
    return max(0, size - count), size
