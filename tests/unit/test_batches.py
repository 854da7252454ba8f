"""Orthanc is asked for as many resources at once as it describes in a moment."""

from davfs.orthanc.batches import Batches
from tests.support.clocks import Clock


def sizes(batches: Batches, clock: Clock, count: int, each: float) -> list[int]:
    """Ask for so many resources, of which Orthanc takes so many seconds for each; return the sizes of the calls."""
    found, items = [], list(range(count))
    for some in batches.split(items):
        found.append(len(some))
        assert list(some) == items[: len(some)]
        items = items[len(some) :]
        clock.now += each * len(some)
    assert not items
    return found


def test_a_quick_orthanc() -> None:
    """The batches double up to the largest one; short lists do not change that."""
    clock = Clock()
    batches = Batches(clock)
    assert sizes(batches, clock, 3, 1e-4) == [3]
    assert sizes(batches, clock, 2000, 1e-4) == [32, 64, 128, 256, 500, 500, 500, 20]
    assert sizes(batches, clock, 400, 1e-4) == [400]


def test_a_slow_orthanc() -> None:
    """After the first batch no call takes much longer than a moment, and each asks for something."""
    clock = Clock()
    batches = Batches(clock)
    assert sizes(batches, clock, 50, 0.05) == [32, 5, 5, 5, 3]
    assert sizes(batches, clock, 3, 10) == [3]
    assert sizes(batches, clock, 3, 10) == [1, 1, 1]


def test_it_becomes_quick_again() -> None:
    """An Orthanc that was busy for a while is asked for more again."""
    clock = Clock()
    batches = Batches(clock)
    sizes(batches, clock, 32, 1)
    assert sizes(batches, clock, 31, 0) == [1, 2, 4, 8, 16]


def test_nothing() -> None:
    """An empty list of wanted resources needs no request."""
    assert sizes(Batches(), Clock(), 0, 0) == []
