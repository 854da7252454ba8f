"""Streams that are kept open for the next range of a file: how many, for how long, and for which reader."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from davfs.derived.streams import ForwardStream, StreamPool
from davfs.errors import OrthancError

CONTENT = bytes(range(200))


@dataclass
class Reader:
    """Reads through streams whose clock is set by hand, and knows which are open."""

    time: float = 0.0
    begun: int = 0
    open: int = 0
    kept: StreamPool = field(init=False)

    def __post_init__(self) -> None:
        self.kept = StreamPool(idle=1000, now=lambda: self.time)

    def make(self) -> ForwardStream:
        """Begin a stream."""
        self.begun += 1
        return ForwardStream(self._blocks(), len(CONTENT))

    def _blocks(self) -> Generator[bytes, None, None]:
        self.open += 1
        try:
            for start in range(0, len(CONTENT), 30):
                yield CONTENT[start : start + 30]
        finally:
            self.open -= 1

    def read(self, start: int, stop: int, key: str = "a") -> None:
        """Read a range."""
        with self.kept.at(key, start, self.make) as stream:
            pieces = list(stream.read(start, stop))
        assert all(pieces)
        assert b"".join(pieces) == CONTENT[start:stop]

    def waiting(self) -> list[tuple[str, int]]:
        """Return which streams wait, and where they stand."""
        return [(one.key, one.file.position) for one in self.kept._idle]


@pytest.fixture
def reader() -> Iterator[Reader]:
    """A reader that leaves nothing open."""
    reader = Reader()
    yield reader
    reader.kept.close()
    assert reader.open == 0


def test_next_range(reader: Reader) -> None:
    """A range goes on with the stream that stands at its beginning or before it, and with no other."""
    reader.read(10, 40)
    reader.read(40, 41)
    reader.read(100, 110)
    assert (reader.begun, reader.waiting()) == (1, [("a", 110)])
    reader.read(109, 115)
    reader.read(130, 140, "b")
    assert (reader.begun, reader.waiting()) == (3, [("a", 110), ("a", 115), ("b", 140)])


def test_nearest(reader: Reader) -> None:
    """Of several streams the one goes on that has the least to pass over."""
    for start in (100, 50, 0):
        reader.read(start, start + 10)
    reader.read(70, 80)
    assert (reader.begun, reader.waiting()) == (3, [("a", 110), ("a", 10), ("a", 80)])


def test_end(reader: Reader) -> None:
    """A stream of which nothing is left does not wait."""
    reader.read(0, 100)
    reader.read(100, 200)
    assert (reader.begun, reader.open, reader.waiting()) == (1, 0, [])


def test_not_too_many(reader: Reader) -> None:
    """Those that waited longest are closed where there are more than four."""
    for key in "abcdef":
        reader.read(0, 10, key)
    assert (reader.open, [key for key, _ in reader.waiting()]) == (4, list("cdef"))


def test_error(reader: Reader) -> None:
    """A stream that failed does not wait."""
    reader.read(0, 10)
    with pytest.raises(ZeroDivisionError), reader.kept.at("a", 10, reader.make) as stream:
        raise ZeroDivisionError
    assert (reader.begun, reader.open, reader.waiting(), stream.position) == (1, 0, [], 10)


def test_never_shared(reader: Reader) -> None:
    """Two readers at the same time have a stream each."""
    reader.read(0, 10)
    with ExitStack() as both:
        one = both.enter_context(reader.kept.at("a", 10, reader.make))
        other = both.enter_context(reader.kept.at("a", 10, reader.make))
        pieces = list(zip(one.read(10, 200), other.read(10, 200), strict=True))
        assert b"".join(piece for piece, _ in pieces) == b"".join(piece for _, piece in pieces) == CONTENT[10:]
    assert reader.begun == 2


def test_many_threads(reader: Reader) -> None:
    """Threads that read ranges of one file at the same time all get the right bytes."""
    failures: list[BaseException] = []

    def work(offset: int) -> None:
        try:
            for start in range(offset, 190, 7):
                reader.read(start, start + 10)
        except BaseException as error:  # noqa: BLE001  whatever it is, the test is told
            failures.append(error)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(reader.waiting()) <= 4


def test_idle(reader: Reader) -> None:
    """Streams that were not used during the idle time are closed, and others are not."""
    reader.read(0, 10, "a")
    reader.read(0, 10, "b")
    reader.time = 900
    reader.read(10, 20, "b")
    reader.time = 1500
    reader.kept._timer.evict_idle()
    assert (reader.open, reader.waiting()) == (1, [("b", 20)])
    assert reader.kept._timer.is_running


def test_timer(reader: Reader) -> None:
    """Streams are closed by themselves, in the end the last one too, and then the timer stops."""
    reader.kept = StreamPool(idle=0.05)
    for key in "ab":
        reader.read(0, 10, key)
        deadline = time.monotonic() + 30
        while (reader.open or reader.kept._timer.is_running) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (reader.open, reader.waiting(), reader.kept._timer.is_running) == (0, [], False)


def test_close(reader: Reader) -> None:
    """After the end nothing waits, even what was still being read, and no timer runs."""
    reader.read(0, 10)
    with reader.kept.at("b", 0, reader.make) as stream:
        list(stream.read(0, 10))
        reader.kept.close()
        assert reader.open == 1
    assert (reader.open, reader.waiting(), reader.kept._timer.is_running) == (0, [], False)


def test_one_that_cannot_be_closed(reader: Reader) -> None:
    """Where closing one stream fails, the others are closed all the same."""

    def stubborn() -> Generator[bytes, None, None]:
        try:
            yield CONTENT[:100]
        finally:
            raise OrthancError("cannot be closed")

    for key in "abc":
        with reader.kept.at(key, 0, (lambda: ForwardStream(stubborn(), 200)) if key == "b" else reader.make) as stream:
            list(stream.read(0, 10))
    with pytest.raises(OrthancError):
        reader.kept.close()
    assert reader.open == 0


@pytest.mark.parametrize("blocks", [[], [b"a" * 9], [b"a" * 11], [b"a" * 10, b"b"]], ids=repr)
def test_other_length(blocks: list[bytes]) -> None:
    """A stream that turns out longer or shorter than it was to be never looks as if it was whole."""
    came: list[memoryview] = []
    with pytest.raises(OrthancError):
        came.extend(ForwardStream((block for block in blocks), 10).read(0, 10))
    assert sum(len(block) for block in came) < 10
