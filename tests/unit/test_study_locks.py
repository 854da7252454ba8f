"""Tests of the locks on the marks of studies."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from davfs.orthanc import OrthancId
from davfs.trash.study_locks import StudyLocks

ONE, OTHER = OrthancId("one"), OrthancId("other")


def test_one_at_a_time() -> None:
    """Threads change one study one after the other, and none is kept waiting for another study."""
    locks, inside, most = StudyLocks(), list[int](), list[int]()

    def change() -> None:
        for _ in range(200):
            with locks.hold(ONE):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=change) for _ in range(4)]
    for each in threads:
        each.start()
    with locks.hold(OTHER):
        for each in threads:
            each.join()
    assert set(most) == {1}
    assert not vars(locks)["_locks"]


def test_the_lock_between_programs() -> None:
    """It is held inside, and an error of it frees the study."""
    held = list[OrthancId]()

    @contextmanager
    def between(study: OrthancId) -> Iterator[None]:
        if len(held) == 1:
            raise TimeoutError
        held.append(study)
        yield

    locks = StudyLocks(between)
    with locks.hold(ONE):
        assert held == [ONE]
    with pytest.raises(TimeoutError), locks.hold(ONE):
        raise AssertionError
    assert not vars(locks)["_locks"]
