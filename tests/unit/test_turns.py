"""Turns of those who change one path."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from davfs.doors.webdav.turns import Turns
from davfs.errors import Busy

PATH, OTHER = ("inbox", "a.zip"), ("inbox", "b")


def test_one_at_a_time() -> None:
    """Nobody comes between a look and a step; other paths are free."""
    turns, inside = Turns(waiting=20), 0

    def change() -> None:
        nonlocal inside
        with turns.of(PATH, OTHER):
            inside += 1
            time.sleep(0.001)
            assert inside == 1
            inside -= 1

    with ThreadPoolExecutor(20) as pool:
        for one in [pool.submit(change) for _ in range(20)]:
            one.result(10)
    assert not turns._turns


def test_nobody_waits_for_ever() -> None:
    """A ZIP takes minutes to import: whoever wants to change its path meanwhile is told to come back."""
    turns = Turns(patience=0.05)
    with turns.of(PATH):
        with pytest.raises(Busy, match="takes long") as caught, turns.of(OTHER, PATH):
            pass
        assert caught.value.path == PATH
        with turns.of(OTHER):
            pass
    with turns.of(PATH):
        pass
    assert not turns._turns


def test_few_wait_for_one_path() -> None:
    """Each keeps one of the door's threads: a further one is told at once."""
    turns, entered = Turns(patience=10, waiting=2), threading.Event()

    def wait() -> None:
        with turns.of(PATH):
            pass

    with ThreadPoolExecutor(2) as pool:
        with turns.of(PATH):
            waiting = [pool.submit(wait) for _ in range(2)]
            while turns._turns[PATH].wanted < 3:
                entered.wait(0.001)
            before = time.monotonic()
            with pytest.raises(Busy), turns.of(PATH):
                pass
            assert time.monotonic() - before < 1
        for one in waiting:
            one.result(10)
