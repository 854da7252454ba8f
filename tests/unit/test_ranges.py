"""Files are cached between two ranges for a while, and never served when they are outdated."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from davfs.entry import InMemory
from davfs.errors import OrthancError, Unavailable, UnknownResource
from davfs.orthanc import Level, OrthancId
from davfs.orthanc.ranges import RangeCache
from tests.support import dicom
from tests.support.memory_orthanc import MemoryOrthanc

FILE = dicom.instance("p", pixels=4096)
SIZE = len(FILE)


class CountingOrthanc(MemoryOrthanc):
    """Counts how often a file was opened, and how many are open; can be away."""

    opened = 0
    open = 0
    away = False

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[InMemory]:
        """See `Orthanc`."""
        return self._counted(super().open_instance(instance, start))

    @contextmanager
    def _counted(self, source: AbstractContextManager[InMemory]) -> Iterator[InMemory]:
        if self.away:
            raise Unavailable("away")
        self.opened += 1
        self.open += 1
        with source as file:
            yield file
        self.open -= 1


@dataclass
class Reader:
    """Reads through a cache whose clock is set by hand."""

    limits: dict[str, Any]
    time: float = 0.0
    orthanc: CountingOrthanc = field(default_factory=CountingOrthanc)

    def __post_init__(self) -> None:
        self.cache = RangeCache(self.orthanc, idle=1000, now=lambda: self.time, **self.limits)
        self.one = self.orthanc.store(FILE).id

    def read(self, start: int, stop: int | None = None, one: OrthancId | None = None) -> bytes:
        """Open a file and read some of it, as one request does."""
        with self.cache.open_instance(one or self.one) as file:
            return b"".join(file.buffers(start, stop))


@pytest.fixture
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    """A reader with the limits that the test was given."""
    reader = Reader(getattr(request, "param", {}))
    yield reader
    reader.cache.close()
    assert reader.orthanc.open == 0


IN_MEMORY = pytest.mark.parametrize("reader", [{}], indirect=True, ids=["in memory"])
KEPT_OPEN = pytest.mark.parametrize("reader", [{"largest": 100}], indirect=True, ids=["kept open"])
BOTH = pytest.mark.parametrize("reader", [{}, {"largest": 100}], indirect=True, ids=["in memory", "kept open"])


def test_whole_files(reader: Reader) -> None:
    """A file that is read whole is not kept."""
    for count in (1, 2, 3):
        assert reader.read(0) == FILE
        assert reader.orthanc.opened == count
        assert reader.orthanc.open == 0


@IN_MEMORY
def test_small_file(reader: Reader) -> None:
    """From the second range on, a small file is in memory, for any range."""
    for start in (10, 20, 0, 500, 20):
        assert reader.read(start, start + 100) == FILE[start : start + 100]
    assert reader.read(0) == FILE
    assert (reader.orthanc.opened, reader.orthanc.open) == (2, 0)


@KEPT_OPEN
def test_large_file(reader: Reader) -> None:
    """From the second range on, a large file stays open for the range that begins where one has ended."""
    for start in range(0, 1000, 100):
        assert reader.read(start, start + 100) == FILE[start : start + 100]
    assert (reader.orthanc.opened, reader.orthanc.open) == (2, 1)
    assert reader.read(1000) == FILE[1000:]
    assert (reader.orthanc.opened, reader.orthanc.open) == (2, 0)


@KEPT_OPEN
def test_nearest_file(reader: Reader) -> None:
    """Of the open files, the one goes on that has the least to skip; none can go back."""
    for start in (9, 1000, 500, 0):
        reader.read(start, start + 100)
    opened = reader.orthanc.opened
    assert [reader.read(start, start + 10) for start in (2000, 700)] == [FILE[2000:2010], FILE[700:710]]
    assert [one.position for one in reader.cache._open_files._idle] == [100, 2010, 710]
    assert reader.orthanc.opened == opened
    assert reader.read(50, 60) == FILE[50:60]
    assert reader.orthanc.opened == opened + 1


@KEPT_OPEN
def test_not_too_many_open_files(reader: Reader) -> None:
    """Of readers in many places, the last ones have their files kept open."""
    for start in range(2700, -1, -300):
        reader.read(start, start + 100)
    assert reader.orthanc.open == 4
    opened = reader.orthanc.opened
    assert reader.read(100, 200) == FILE[100:200]
    assert reader.orthanc.opened == opened
    assert reader.read(0, 100) == FILE[:100]
    assert (reader.orthanc.opened, reader.orthanc.open) == (opened + 1, 4)


@KEPT_OPEN
def test_reader_that_stops(reader: Reader) -> None:
    """A range that was not read to its end leaves no open file behind."""
    reader.read(0, 10)
    with reader.cache.open_instance(reader.one) as file:
        next(file.buffers(0, 100))
    assert reader.orthanc.open == 0


@BOTH
def test_idle(reader: Reader) -> None:
    """Files that were not read during the idle time are evicted, and others are not."""
    other = reader.orthanc.store(dicom.instance("q", pixels=4096)).id
    for one in (reader.one, other) * 2:
        reader.read(0, 100, one)
    reader.time = 900
    reader.read(100, 200)
    reader.time = 1500
    opened = reader.orthanc.opened
    reader.cache._files._timer.evict_idle()
    reader.cache._open_files._timer.evict_idle()
    assert reader.read(200, 300) == FILE[200:300]
    assert reader.orthanc.opened == opened
    reader.read(100, 200, other)
    assert reader.orthanc.opened == opened + 1


def test_timer() -> None:
    """Idle files are closed by a timer."""
    orthanc = CountingOrthanc()
    one = orthanc.store(FILE).id
    cache = RangeCache(orthanc, largest=100, idle=0.05)
    for start in (0, 100, 200):
        with cache.open_instance(one) as file:
            list(file.buffers(start, start + 100))
    for _ in range(200):
        if orthanc.open == 0:
            break
        time.sleep(0.05)
    assert orthanc.open == 0
    cache.close()


@BOTH
def test_deleted(reader: Reader) -> None:
    """A deleted file is gone at once, and leaves nothing open."""
    for start in (0, 100, 200):
        reader.read(start, start + 100)
    reader.orthanc.delete(Level.INSTANCE, reader.one)
    with pytest.raises(UnknownResource):
        reader.read(300, 400)
    assert reader.orthanc.open == 0


@BOTH
def test_replaced(reader: Reader) -> None:
    """Of a file that was replaced, no old byte is served."""
    for start in (0, 100, 200):
        reader.read(start, start + 100)
    reader.orthanc.delete(Level.INSTANCE, reader.one)
    new = dicom.instance("p", pixels=4096, tags={"ImageComments": "another one"})
    assert reader.orthanc.store(new).id == reader.one
    for start in (300, 0, 100):
        assert reader.read(start, start + 100) == new[start : start + 100]


@BOTH
def test_replaced_while_it_is_opened(reader: Reader) -> None:
    """A file that is replaced while it is being opened is refused, and can then be read again."""
    reader.read(0, 100)
    new = dicom.instance("p", pixels=2048)
    with reader.cache.open_instance(reader.one) as file:
        reader.orthanc.delete(Level.INSTANCE, reader.one)
        reader.orthanc.store(new)
        with pytest.raises(OrthancError):
            list(file.buffers(100, 200))
    assert reader.orthanc.open == 0
    assert reader.read(100, 200) == new[100:200]


@pytest.mark.parametrize("reader", [{"capacity": 2 * SIZE}], indirect=True)
def test_room(reader: Reader) -> None:
    """Where there is not room for all files, those that were read last are kept."""
    others = [reader.orthanc.store(dicom.instance(patient, pixels=4096)).id for patient in "xyz"]
    for one in others * 2:
        reader.read(0, 100, one)
    opened = reader.orthanc.opened
    reader.read(0, 100, others[2])
    reader.read(0, 100, others[1])
    assert reader.orthanc.opened == opened
    reader.read(0, 100, others[0])
    assert reader.orthanc.opened == opened + 1


@BOTH
def test_away(reader: Reader) -> None:
    """Where the file cannot be opened that is an error, and after it everything is as before."""
    reader.read(0, 100)
    reader.orthanc.away = True
    for _ in range(10):
        with pytest.raises(Unavailable):
            reader.read(100, 200)
    reader.orthanc.away = False
    for start in (100, 200):
        assert reader.read(start, start + 100) == FILE[start : start + 100]
    assert reader.orthanc.opened == 2
