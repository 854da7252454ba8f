"""A drive is ended within one time limit, whatever becomes of its parts."""

import logging
import threading
from collections.abc import Callable

import pytest

from davfs.running.shutdown import Shutdown, log_running_threads


def test_the_order() -> None:
    """What takes long is told first, then threads are waited for, then files are closed."""
    done: list[object] = []

    def noted(what: object) -> Callable[..., bool]:
        def note(*_: float) -> bool:
            done.append(what)
            return True

        return note

    ending = Shutdown(hasten=(noted("told"),), threads=(noted("ended"), noted("ended too")), files=(noted("closed"),))
    ending.begin()
    assert done == ["told"]
    ending.finish(1)
    assert done == ["told", "told", "ended", "ended too", "closed"]


def test_one_limit_for_all() -> None:
    """Time that one part takes is missing for those behind it; what is behind the limit is closed all the same."""
    given: list[float] = []
    never, closed = threading.Event(), list[bool]()

    def stubborn(seconds: float) -> bool:
        given.append(seconds)
        return never.wait(seconds)

    Shutdown((), (stubborn, stubborn), (lambda: closed.append(True),)).finish(0.2)
    assert given[0] == pytest.approx(0.2, abs=0.05)
    assert given[1] == pytest.approx(0, abs=0.05)
    assert closed == [True]


def test_a_part_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """The others are ended; the log tells of what kind the error was, and no more."""
    done: list[str] = []

    def fail(*_: float) -> bool:
        raise OSError("/patients/DOE")

    def end(_: float) -> bool:
        done.append("ended")
        return True

    with caplog.at_level(logging.ERROR, "davfs"):
        Shutdown((), (fail, end), (fail, lambda: done.append("closed"))).finish(1)
    assert done == ["ended", "closed"]
    assert [record.getMessage() for record in caplog.records] == ["a part of the drive did not end: OSError"] * 2


def test_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    """Threads of the drive that still run are named in the log."""
    going_on = threading.Event()
    thread = threading.Thread(target=going_on.wait, name="davfs-stubborn", daemon=True)
    thread.start()
    log_running_threads()
    assert "davfs-stubborn" in caplog.text
    going_on.set()
    thread.join()
    caplog.clear()
    log_running_threads()
    assert "davfs-stubborn" not in caplog.text
