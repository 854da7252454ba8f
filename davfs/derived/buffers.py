"""Serves bytes in several buffers as one file."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self


class Buffers:
    """`davfs.entry.Readable` bytes in several buffers: a context manager that has nothing to close.

    Args:
        size: Bytes of all buffers.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do nothing."""
