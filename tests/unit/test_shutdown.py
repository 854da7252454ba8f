"""A drive is shut down within one time limit, even if parts of it fail."""

import logging
import threading
from collections.abc import Callable

import pytest

from davfs.running.shutdown import Shutdown, log_running_threads


def test_the_order() -> None:
    """Long work is interrupted first, then threads are stopped, then files are closed."""
    done: list[object] = []

    def noted(what: object) -> Callable[..., bool]:
        def note(*_: float) -> bool:
            done.append(what)
            return True

        return note

    shutdown = Shutdown((noted("interrupted"),), (noted("ended"), noted("ended too")), (noted("closed"),))
    shutdown.begin()
    assert done == ["interrupted"]
    shutdown.finish(1)
    assert done == ["interrupted", "interrupted", "ended", "ended too", "closed"]


def test_one_limit_for_all() -> None:
    """The time that one part takes is missing for the next ones; files are closed even after the limit."""
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
    """The other parts are stopped; the log names the kind of the error, and nothing else."""
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
    """The log names threads of the drive that still run."""
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
