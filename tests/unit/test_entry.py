"""All bytes of a file, from however many buffers."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.entry import Entry, EntryKind, Opened, Streamed, read_all

ENTRY = Entry("x", EntryKind.FILE, datetime(2024, 2, 29, 12, tzinfo=UTC))


class Buffers:
    """`Readable` bytes in these buffers, whatever their size is said to be."""

    def __init__(self, size: int, *buffers: bytes) -> None:
        self.size = size
        self._buffers = buffers

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `Readable`."""
        assert (start, stop) == (0, None)
        return map(memoryview, self._buffers)


def joined(size: int, *buffers: bytes) -> memoryview:
    """Return the bytes of a file of that size."""
    with Streamed(ENTRY, nullcontext(Buffers(size, *buffers))) as content:
        return read_all(content)


@given(st.lists(st.binary(max_size=5)))
def test_buffers_are_joined(buffers: list[bytes]) -> None:
    """Buffers are joined in order, empty ones included."""
    data = b"".join(buffers)
    assert joined(len(data), *buffers) == data


def test_one_buffer_is_not_copied() -> None:
    """A single buffer is returned without a copy."""
    data = bytearray(b"before")
    with Opened(ENTRY, nullcontext(memoryview(data))) as content:
        found = read_all(content)
    data[:] = b"behind"
    assert bytes(found) == b"behind"


@pytest.mark.parametrize(
    ("size", "buffers"),
    [
        (3, [b"abcd"]),
        (3, [b"ab", b"cd"]),
        (3, [b"abc", b"d"]),
        (3, [b"abc", b"", b"d"]),
        (0, [b"a"]),
        (3, []),
        (3, [b"ab"]),
        (3, [b"a", b"b"]),
    ],
)
def test_another_length_is_an_error(size: int, buffers: list[bytes]) -> None:
    """Bytes are neither cut nor filled up."""
    with pytest.raises(ValueError, match=f"{size} bytes"):
        joined(size, *buffers)
