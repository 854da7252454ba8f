"""One call for all threads that wait for its result."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from davfs.catalog.shared_call import SharedCall

SECONDS = 20


class Source:
    """What is looked at; a look takes what is there at its beginning, and ends when it may."""

    def __init__(self) -> None:
        self.value = self.seen = self.looks = 0
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.fails = False

    def look(self) -> None:
        """Read the value."""
        self.looks += 1
        found = self.value
        self.begun.release()
        assert self.may_end.acquire(timeout=SECONDS)
        if self.fails:
            raise BlockingIOError
        self.seen = found


def test_a_look_that_is_under_way_does_not_count() -> None:
    """Threads that ask during a look share the next one, which sees what has changed since the first one began."""
    source = Source()
    call = SharedCall(source.look, SECONDS)
    with ThreadPoolExecutor(9) as executor:
        first = executor.submit(call)
        assert source.begun.acquire(timeout=SECONDS)
        source.value = 1
        others = [executor.submit(call) for _ in range(8)]
        time.sleep(0.02)
        source.may_end.release()
        first.result(SECONDS)
        assert source.begun.acquire(timeout=SECONDS)
        assert not any(other.done() for other in others)
        source.may_end.release()
        for other in others:
            other.result(SECONDS)
    assert (source.looks, source.seen) == (2, 1)


def test_failure() -> None:
    """If a look fails, each thread that waited for it looks itself, and gets its own error."""
    source = Source()
    source.fails = True
    call = SharedCall(source.look, SECONDS)
    with ThreadPoolExecutor(5) as executor:
        asked = [executor.submit(call) for _ in range(5)]
        for _ in range(20):
            source.may_end.release()
        for each in asked:
            with pytest.raises(BlockingIOError):
                each.result(SECONDS)
    assert source.looks == 5


def test_many_threads() -> None:
    """Whenever a thread asks, what was there before is seen when it goes on."""
    lock = threading.Lock()
    value = seen = 0

    def look() -> None:
        nonlocal seen
        found = value
        time.sleep(0.0001)
        seen = found

    call = SharedCall(look, SECONDS)

    def work() -> None:
        nonlocal value
        for _ in range(100):
            with lock:
                value += 1
                own = value
            call()
            assert seen >= own

    with ThreadPoolExecutor(8) as executor:
        for each in [executor.submit(work) for _ in range(8)]:
            each.result(SECONDS)


def test_a_look_that_hangs() -> None:
    """A thread does not wait for the look of another one that hangs: neither for the first, nor for the next one."""
    source = Source()
    call = SharedCall(source.look)
    with ThreadPoolExecutor(3) as executor:
        asked = [executor.submit(call) for _ in range(3)]
        for _ in range(3):
            assert source.begun.acquire(timeout=SECONDS)
        for _ in range(3):
            source.may_end.release()
        for each in asked:
            each.result(SECONDS)
