"""Files that are made once, from their first byte to their last, and read in ranges.

Mounted drives read a file in many consecutive ranges, each of them a request of its own. What is made in its order only
would be made from the beginning for each of them. So where a range has ended, the stream waits for the next range that
begins there or further on, until nobody has asked for a while.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from davfs.errors import OrthancError


class ForwardStream:
    """Bytes that come once, in their order.

    Args:
        blocks: Makes them, none of the blocks empty; is closed with the stream.
        size: How many they are.
    """

    def __init__(self, blocks: Generator[bytes, None, None], size: int) -> None:
        self._blocks = blocks
        self._size = size
        self._rest = memoryview(b"")
        self.position = 0

    @property
    def ended(self) -> bool:
        """True where no byte is left."""
        return self.position == self._size

    def begin(self) -> None:
        """Make the first of them, so that what cannot be made raises here."""
        self._rest = self._rest or self._next()

    def read(self, start: int, stop: int) -> Iterator[memoryview]:
        """Yield the bytes from ``start``, which is not before the position, to before ``stop``.

        Raises:
            OrthancError: They are more or fewer than they were to be.
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
        """Make no more of them."""
        self._rest = memoryview(b"")
        self._blocks.close()


@dataclass(frozen=True, slots=True)
class _IdleStream:
    key: str
    stream: ForwardStream
    since: float


class StreamPool:
    """Streams that wait for a next range.

    A thread that reads one has taken it out, so nothing is locked while bytes are made. What is dropped is closed
    without the lock, and on any thread.

    Args:
        most: Number of streams that wait; those that waited longest are closed where there are more.
        idle: Seconds after which one that nobody asked for is closed, or a little later.
        now: Clock, in seconds.
    """

    def __init__(self, most: int = 4, idle: float = 10.0, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._idle = idle
        self._now = now
        self._lock = threading.Lock()
        self._waiting: list[_IdleStream] = []
        self._timer: threading.Timer | None = None

    @contextmanager
    def at(self, key: str, position: int, make: Callable[[], ForwardStream]) -> Iterator[ForwardStream]:
        """Give a stream that has not passed a position; it waits again afterwards, unless it ended or failed.

        Args:
            key: What its bytes are: the same key stands for the same bytes.
            position: In bytes; of the streams that wait, the one that stands least before it is taken.
            make: Begins another one, where there is none.
        """
        stream = self._take(key, position) or make()
        try:
            yield stream
        except BaseException:
            stream.close()
            raise
        self._put(key, stream)

    def _take(self, key: str, position: int) -> ForwardStream | None:
        with self._lock:
            before = [one for one in self._waiting if one.key == key and one.stream.position <= position]
            if not before:
                return None
            nearest = max(before, key=lambda one: one.stream.position)
            self._waiting = [one for one in self._waiting if one is not nearest]
        return nearest.stream

    def _put(self, key: str, stream: ForwardStream) -> None:
        if stream.ended:
            stream.close()
            return
        with self._lock:
            self._waiting.append(_IdleStream(key, stream, self._now()))
            surplus = max(0, len(self._waiting) - self._most)
            gone, self._waiting = self._waiting[:surplus], self._waiting[surplus:]
            self._arm()
        _close(gone)

    def _arm(self) -> None:
        if self._timer is None and self._waiting:
            self._timer = threading.Timer(self._idle, self.drop_idle)
            self._timer.name, self._timer.daemon = "davfs-streams", True
            self._timer.start()

    def drop_idle(self) -> None:
        """Close what nobody asked for any more; a timer does so while any stream waits."""
        self._drop(self._now() - self._idle)

    def close(self) -> None:
        """Close all, and stop the timer; from now on none waits any more."""
        self._most = 0
        self._drop(float("inf"))

    def _drop(self, until: float) -> None:
        with self._lock:
            gone = [one for one in self._waiting if one.since <= until]
            self._waiting = [one for one in self._waiting if one.since > until]
            if self._timer:
                self._timer.cancel()
            self._timer = None
            self._arm()
        _close(gone)


def _close(gone: list[_IdleStream]) -> None:
    with ExitStack() as ends:  # the others are closed too where one of them fails
        for one in gone:
            ends.callback(one.stream.close)


class StreamedFile:
    """`davfs.entry.Readable` bytes that are made in their order: a context manager.

    Args:
        size: How many they are.
        key: What they are; see `StreamPool.at`.
        kept: Where their streams wait between two ranges.
        make: Begins a stream of them.
        check: Is called when the file is opened, and raises what forbids that.
    """

    def __init__(
        self,
        size: int,
        key: str,
        kept: StreamPool,
        make: Callable[[], ForwardStream],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.size = size
        self._key = key
        self._kept = kept
        self._make = make
        self._check = check
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ends.close()

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `davfs.entry.Readable`."""
        buffers = self._buffers(start, self.size if stop is None else min(stop, self.size))
        self._ends.callback(buffers.close)  # a range that nobody reads to its end has a source open
        return buffers

    def _buffers(self, start: int, stop: int) -> Generator[memoryview, None, None]:
        if start < stop:
            with self._kept.at(self._key, start, self._make) as stream:
                yield from stream.read(start, stop)
