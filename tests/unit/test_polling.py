"""The events of an Orthanc that tells of none: what leads to which, how often it is asked, and that nothing raises."""

from dataclasses import dataclass, field

import pytest

from davfs.errors import OrthancError, Unavailable
from davfs.events import EventKind
from davfs.orthanc import Counts, Level
from davfs.orthanc.polling import Polling
from tests.support import dicom
from tests.support.memory_orthanc import MemoryOrthanc

A, B, C = (dicom.instance(patient) for patient in "abc")


@dataclass
class Clocked(MemoryOrthanc):
    """Takes its time, and can be away or say nonsense.

    Attributes:
        time: The clock, in seconds.
        cost: Seconds that counting takes.
        error: Raised by every question, where set.
        asked: When it was asked for the log.
        counted: When it was asked to count.
        arriving: Stored while it counts, one file at each time.
    """

    time: float = 100.0
    cost: float = 0.001
    error: Exception | None = None
    asked: list[float] = field(default_factory=list)
    counted: list[float] = field(default_factory=list)
    arriving: list[bytes] = field(default_factory=list)

    def last_change(self) -> int:
        """See `Orthanc`."""
        self.asked.append(self.time)
        if self.error:
            raise self.error
        return super().last_change()

    def counts(self) -> Counts:
        """See `Orthanc`."""
        self.counted.append(self.time)
        self.time += self.cost
        counts = super().counts()
        if self.arriving:
            self.store(self.arriving.pop())
        return counts

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        assert seconds >= 0
        self.time += seconds


@pytest.fixture
def orthanc() -> Clocked:
    """An Orthanc with one patient, whose clock stands still unless somebody sleeps."""
    orthanc = Clocked()
    orthanc.store(A)
    return orthanc


def events(polling: Polling, orthanc: Clocked, seconds: float = 2.5) -> list[EventKind]:
    """Return what happens within some seconds, asked for as the indexer does."""
    found, end = list[EventKind](), orthanc.time + seconds
    while orthanc.time < end:
        event = polling.next_change(0.5)
        if event:
            found.append(event.kind)
        while event and (event := polling.next_change(0)):
            found.append(event.kind)
    return found


@pytest.fixture
def polling(orthanc: Clocked) -> Polling:
    """A source of events that has begun."""
    polling = Polling(orthanc, lambda: orthanc.time, orthanc.sleep)
    assert events(polling, orthanc) == [EventKind.STARTED]
    return polling


def test_nothing(polling: Polling, orthanc: Clocked) -> None:
    """Without changes there is no event, the time limit is kept, and Orthanc is asked about once a second."""
    orthanc.asked.clear()
    before = orthanc.time
    assert polling.next_change(0.25) is None
    assert orthanc.time <= before + 0.26
    assert events(polling, orthanc, 60) == []
    assert 55 <= len({round(when) for when in orthanc.asked}) <= 62


def test_no_time(polling: Polling, orthanc: Clocked) -> None:
    """Asked without a time limit it does not wait, and does not ask Orthanc more often."""
    polling.next_change(1)
    orthanc.asked.clear()
    before = orthanc.time
    assert [polling.next_change(0) for _ in range(10)] == [None] * 10
    assert (orthanc.asked, orthanc.time) == ([], before)


def test_addition(polling: Polling, orthanc: Clocked) -> None:
    """A new resource is one event, and no reason to compare everything."""
    orthanc.store(B)
    orthanc.store(dicom.instance("a", study=2))
    assert events(polling, orthanc) == [EventKind.OTHER]
    assert events(polling, orthanc) == []


def test_update(polling: Polling, orthanc: Clocked) -> None:
    """An update is the same event as an addition."""
    orthanc.retag(orthanc.ids(Level.PATIENT)[0], {"PatientName": "x"})
    assert events(polling, orthanc) == [EventKind.OTHER]


def test_deletion(polling: Polling, orthanc: Clocked) -> None:
    """A deletion makes everything be compared, once."""
    orthanc.store(B)
    assert events(polling, orthanc) == [EventKind.OTHER]
    orthanc.delete(Level.PATIENT, orthanc.ids(Level.PATIENT)[0])
    assert events(polling, orthanc) == [EventKind.LOST]
    assert events(polling, orthanc) == []


@pytest.mark.parametrize("level", [Level.PATIENT, Level.STUDY, Level.SERIES])
def test_deletion_behind_an_addition(polling: Polling, orthanc: Clocked, level: Level) -> None:
    """A deletion is noticed too where as much is new as is gone, at any level."""
    orthanc.store(dicom.instance("a", study=2) if level is Level.STUDY else dicom.instance("a", series=2))
    events(polling, orthanc)
    orthanc.delete(level, orthanc.ids(level)[0])
    orthanc.store(C if level is Level.PATIENT else dicom.instance("a", study=3, series=3))
    assert EventKind.LOST in events(polling, orthanc)
    assert events(polling, orthanc) == []


def test_deletion_of_an_instance(polling: Polling, orthanc: Clocked) -> None:
    """An instance that goes, where its series stays, changes no folder that is not compared by itself."""
    orthanc.store(dicom.instance("a", number=2))
    orthanc.store(B)
    events(polling, orthanc)
    orthanc.delete(Level.INSTANCE, orthanc.ids(Level.INSTANCE)[1])
    assert events(polling, orthanc) == []


def test_deletion_of_the_newest(polling: Polling, orthanc: Clocked) -> None:
    """The number of the log goes back where the newest resource is deleted: that is noticed at once."""
    orthanc.store(B)
    events(polling, orthanc)
    orthanc.cost = 3600
    events(polling, orthanc)
    orthanc.delete(Level.PATIENT, orthanc.ids(Level.PATIENT)[1])
    assert events(polling, orthanc, 1.5) == [EventKind.LOST]


def test_many_additions(polling: Polling, orthanc: Clocked) -> None:
    """More additions than one page of the log has are understood."""
    for number in range(1200):
        orthanc._note("UpdatedMetadata", Level.STUDY, orthanc.ids(Level.STUDY)[0])
        if number % 300 == 0:
            orthanc.store(dicom.instance(f"p{number}"))
    assert events(polling, orthanc) == [EventKind.OTHER]


@pytest.mark.parametrize("cost", [0.01, 0.2, 10.0])
def test_cost(polling: Polling, orthanc: Clocked, cost: float) -> None:
    """Counting takes at most a twentieth of the time, and is not done more often than the log is asked for."""
    orthanc.cost = cost
    orthanc.counted.clear()
    events(polling, orthanc, 1000)
    assert 0 < len(orthanc.counted) <= min(1000 * 0.05 / cost + 2, 1001)


def test_counts_while_something_arrives(polling: Polling, orthanc: Clocked) -> None:
    """Counts that are mixed with arrivals mean nothing; where that goes on, everything is compared once in a while."""
    orthanc.arriving = [dicom.instance(f"p{number}") for number in range(4)]
    assert set(events(polling, orthanc, 8)) == {EventKind.OTHER}
    orthanc.arriving = [dicom.instance(f"q{number}") for number in range(20)]
    assert 3 <= events(polling, orthanc, 20).count(EventKind.LOST) <= 4
    events(polling, orthanc, 5)
    assert events(polling, orthanc) == []


@pytest.mark.parametrize("error", [Unavailable("away"), OrthancError("no"), ValueError("no JSON"), KeyError("Last")])
def test_away(polling: Polling, orthanc: Clocked, error: Exception) -> None:
    """While Orthanc is away it is asked ever more rarely, and when it is back everything is compared."""
    orthanc.error = error
    orthanc.asked.clear()
    assert events(polling, orthanc, 3600) == []
    assert 110 <= len(orthanc.asked) <= 130
    orthanc.error = None
    assert events(polling, orthanc, 31) == [EventKind.STARTED, EventKind.LOST]
    orthanc.asked.clear()
    assert events(polling, orthanc) == []
    assert orthanc.asked


def test_away_at_first(orthanc: Clocked) -> None:
    """An Orthanc that is not there yet starts when it answers."""
    orthanc.error = Unavailable("not yet")
    polling = Polling(orthanc, lambda: orthanc.time, orthanc.sleep)
    assert events(polling, orthanc, 10) == []
    orthanc.error = None
    assert events(polling, orthanc, 31) == [EventKind.STARTED]
