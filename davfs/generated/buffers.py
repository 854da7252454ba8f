"""Bytes in several buffers, as if they were one."""

from collections.abc import Iterator, Sequence


class Buffers:
    """`davfs.entry.Readable` bytes in several buffers.

    Args:
        size: Bytes of all of them.
        parts: The buffers, in their order.
    """

    def __init__(self, size: int, parts: Sequence[memoryview]) -> None:
        self.size = size
        self._parts = parts

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `davfs.entry.Readable`."""
        stop = self.size if stop is None else stop
        for part in self._parts:
            if start < len(part) and stop > 0:
                yield part[max(0, start) : stop]
            start, stop = start - len(part), stop - len(part)
