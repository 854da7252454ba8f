"""Streams of generated files, which can be read from the first byte to the last only, served in ranges.

Mounted drives read a file in many consecutive ranges, one request for each. Without a pool, each request would generate
the file from its beginning. So at the end of a range, the stream stays open for the next range that begins there or
further on, until it was idle for a while.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Self

from davfs.errors import OrthancError
from davfs.orthanc.idle import IdlePool


class ForwardStream:
    """The bytes of a generated file, which come once, in their order.

    Args:
        blocks: Generates them, no block empty; is closed with the stream.
        size: Number of bytes.
    """

    def __init__(self, blocks: Generator[bytes, None, None], size: int) -> None:
        self._blocks = blocks
        self._size = size
        self._rest = memoryview(b"")
        self.position = 0

    @property
    def ended(self) -> bool:
        """True if no byte is left."""
        return self.position == self._size

    def begin(self) -> None:
        """Generate the first block, so that a file that cannot be generated raises here."""
        self._rest = self._rest or self._next()

    def read(self, start: int, stop: int) -> Iterator[memoryview]:
        """Yield the bytes from ``start``, which is not before the position, to before ``stop``.

        Raises:
            OrthancError: There are more or fewer bytes than announced.
        """
        while self.position < stop:
            block = self._rest or self._next()
            first, last = max(0, start - self.position), stop - self.position
            self._rest = block[last:]
            self.position += len(block) - len(self._rest)
            if first < len(block):
                yield block[first:last]

    def _next(self) -> memoryview:
        block = next(self._blocks, b"")
        left = self._size - self.position - len(block)
        if not block or left < 0 or (left == 0 and next(self._blocks, None) is not None):
            raise OrthancError("a file that is made has another length than it was to have")
        return memoryview(block)

    def close(self) -> None:
        """Stop generating."""
        self._rest = memoryview(b"")
        self._blocks.close()


class StreamPool(IdlePool[str, ForwardStream]):
    """Streams that are kept open between two ranges; see `IdlePool`."""

    def __init__(self, most: int = 4, idle: float = 10.0, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__("davfs-streams", most, idle, now, ForwardStream.close)

    @contextmanager
    def at(self, key: str, position: int, make: Callable[[], ForwardStream]) -> Iterator[ForwardStream]:
        """Take or open a stream that is not past a position; keep it open on exit, unless it ended or failed.

        Args:
            key: The same key stands for the same bytes.
            position: In bytes; the idle stream that is nearest before it is taken.
            make: Makes a new stream, if no idle one fits.
        """
        stream = self.take(key, position) or make()
        try:
            yield stream
        except BaseException:
            stream.close()
            raise
        if stream.ended:
            stream.close()
        else:
            self.put(key, stream.position, stream)


class StreamedFile:
    """`davfs.entry.Readable` bytes of a generated file: a context manager.

    Args:
        size: Number of bytes.
        key: See `StreamPool.at`.
        streams: Where its streams are kept open.
        make: Makes a stream.
        check: Is called when the file is opened; raises an error if it must not be opened.
    """

    def __init__(
        self,
        size: int,
        key: str,
        streams: StreamPool,
        make: Callable[[], ForwardStream],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.size = size
        self._key = key
        self._streams = streams
        self._make = make
        self._check = check
        self._ranges = ExitStack()

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(self, *_: object) -> None:
        self._ranges.close()

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `davfs.entry.Readable`."""
        buffers = self._buffers(start, self.size if stop is None else min(stop, self.size))
        self._ranges.callback(buffers.close)  # a range that nobody reads to its end has a stream open
        return buffers

    def _buffers(self, start: int, stop: int) -> Generator[memoryview, None, None]:
        if start < stop:
            with self._streams.at(self._key, start, self._make) as stream:
                yield from stream.read(start, stop)
