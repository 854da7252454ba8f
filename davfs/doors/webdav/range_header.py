"""Parses the ``Range`` header (RFC 9110 §14)."""

import re

_ONE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII | re.IGNORECASE)
_LONGEST = 20  # digits: more than any file has bytes, and quickly read


class RangeNotSatisfiable(Exception):
    """No byte of the file lies in the range."""


def part(header: str, size: int) -> tuple[int, int] | None:
    """Return the bytes that a ``Range`` header asks for, as the first one and the one behind the last.

    Args:
        header: Its value.
        size: Bytes of the whole file.

    Returns:
        None where the whole file is to be sent: the header cannot be read, or names several ranges (RFC 9110 §14.2).

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
