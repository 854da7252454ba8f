"""Locks on paths."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from davfs.doors.webdav.path_locks import PathLocks
from davfs.errors import Busy

PATH, OTHER = ("inbox", "a.zip"), ("inbox", "b")


def test_one_at_a_time() -> None:
    """One request at a time holds the lock of a path; other paths are free."""
    locks, inside = PathLocks(waiting=20), 0

    def change() -> None:
        nonlocal inside
        with locks.hold(PATH, OTHER):
            inside += 1
            time.sleep(0.001)
            assert inside == 1
            inside -= 1

    with ThreadPoolExecutor(20) as pool:
        for one in [pool.submit(change) for _ in range(20)]:
            one.result(10)
    assert not locks._path_locks


def test_nobody_waits_for_ever() -> None:
    """A ZIP takes minutes to import: requests that change its path meanwhile get 503."""
    locks = PathLocks(patience=0.05)
    with locks.hold(PATH):
        with pytest.raises(Busy, match="takes long") as caught, locks.hold(OTHER, PATH):
            pass
        assert caught.value.path == PATH
        with locks.hold(OTHER):
            pass
    with locks.hold(PATH):
        pass
    assert not locks._path_locks


def test_few_wait_for_one_path() -> None:
    """Waiting requests occupy threads: beyond a limit, they fail at once."""
    locks, entered = PathLocks(patience=10, waiting=2), threading.Event()

    def wait() -> None:
        with locks.hold(PATH):
            pass

    with ThreadPoolExecutor(2) as pool:
        with locks.hold(PATH):
            waiting = [pool.submit(wait) for _ in range(2)]
            while locks._path_locks[PATH].users < 3:
                entered.wait(0.001)
            before = time.monotonic()
            with pytest.raises(Busy), locks.hold(PATH):
                pass
            assert time.monotonic() - before < 1
        for one in waiting:
            one.result(10)
