"""The queue of imports and deletions."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest

from davfs.errors import Busy
from davfs.imports.queue import ImportQueue

SOON = 10.0
"""Seconds after which a test has failed."""


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """An event that jobs wait for; set at the end."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def callers(gate: threading.Event) -> Iterator[ThreadPoolExecutor]:
    """Threads that call the queue."""
    with ThreadPoolExecutor(16) as pool:
        yield pool
        gate.set()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_result_of_a_job_reaches_its_caller() -> None:
    """Each caller gets the result of its own job."""
    queue = ImportQueue(workers=3, capacity=2, patience=SOON)
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda number: queue.run(lambda: number * number), range(500)))
    assert results == [number * number for number in range(500)]
    assert queue.stop(SOON)


def test_an_exception_of_a_job_reaches_its_caller() -> None:
    """The worker survives it, even one that is no `Exception`."""
    queue = ImportQueue(workers=1)

    def fail(error: BaseException) -> None:
        raise error

    for error in (ValueError("mine"), TimeoutError("mine"), SystemExit(3)):
        with pytest.raises(type(error)) as caught:
            queue.run(lambda error=error: fail(error))  # type: ignore[misc]  # bound in the loop
        assert caught.value is error
    assert queue.run(lambda: 1) == 1
    assert queue.stop(SOON)


def test_the_threads_have_names_and_are_daemons() -> None:
    """Worker threads are named davfs-import-N, and are daemons, so that the interpreter can exit."""
    before = set(threading.enumerate())  # another test of this process may have left queues
    queue = ImportQueue(workers=2)
    names = {queue.run(lambda: threading.current_thread().name) for _ in range(50)}
    assert names <= {"davfs-import-1", "davfs-import-2"}
    assert queue.run(lambda: threading.current_thread().daemon)
    assert queue.stop(SOON)
    assert not any(thread.name.startswith("davfs-import") for thread in set(threading.enumerate()) - before)


def test_a_job_that_is_not_started_in_time_never_starts(gate: threading.Event, callers: ThreadPoolExecutor) -> None:
    """A job that is not started in time is withdrawn with `Busy`, and its place in the queue is free again."""
    queue = ImportQueue(workers=1, capacity=1, patience=0.05)
    started: list[int] = []
    running = callers.submit(queue.run, lambda: gate.wait(SOON))
    until(lambda: not queue._waiting)
    for number in range(3):
        with pytest.raises(Busy):
            queue.run(lambda number=number: started.append(number))  # type: ignore[misc]  # bound in the loop
    assert not queue._waiting
    gate.set()
    assert running.result(SOON)
    assert queue.run(lambda: "next") == "next"
    assert started == []
    assert queue.stop(SOON)


def test_a_started_job_is_waited_for_beyond_patience() -> None:
    """The caller waits for its end, since its memory is in use."""
    queue = ImportQueue(workers=1, patience=0.02)
    assert queue.run(lambda: threading.Event().wait(0.2)) is False
    assert queue.stop(SOON)


def test_a_full_queue_refuses_after_patience(gate: threading.Event, callers: ThreadPoolExecutor) -> None:
    """No more than capacity jobs wait, and one more caller is refused."""
    queue = ImportQueue(workers=1, capacity=2, patience=SOON)
    callers.submit(queue.run, lambda: gate.wait(SOON))
    until(lambda: not queue._waiting)
    waiting = [callers.submit(queue.run, lambda: 1) for _ in range(2)]
    until(lambda: len(queue._waiting) == 2)
    queue._patience = 0.02
    with pytest.raises(Busy, match="full"):
        queue.run(lambda: 1)
    gate.set()
    assert [each.result(SOON) for each in waiting] == [1, 1]
    assert queue.stop(SOON)


def test_stop_drains_and_refuses() -> None:
    """Waiting jobs are run, later ones are refused; stopping twice is no error."""
    queue = ImportQueue(workers=1, patience=SOON)
    gate = threading.Event()
    with ThreadPoolExecutor(4) as callers:
        callers.submit(queue.run, lambda: gate.wait(SOON))
        waiting = callers.submit(queue.run, lambda: "drained")
        until(lambda: len(queue._waiting) == 1)
        stopped = callers.submit(queue.stop, SOON)
        until(lambda: queue._stopping)
        with pytest.raises(Busy, match="stopping"):
            queue.run(lambda: 1)
        gate.set()
        assert stopped.result(SOON)
        assert waiting.result(SOON) == "drained"
    assert queue.stop(0)


def test_stop_keeps_its_time_limit(gate: threading.Event, callers: ThreadPoolExecutor) -> None:
    """A job that hangs does not hold it up; jobs behind it fail at once, and their callers are woken."""
    queue = ImportQueue(workers=1, patience=SOON * 10)
    hanging = callers.submit(queue.run, lambda: gate.wait(SOON))
    until(lambda: not queue._waiting)
    waiting = callers.submit(queue.run, lambda: 1)
    until(lambda: len(queue._waiting) == 1)
    before = time.monotonic()
    assert not queue.stop(0.05)
    assert time.monotonic() - before < 1
    with pytest.raises(Busy):
        waiting.result(SOON)
    gate.set()
    assert hanging.result(SOON)
    assert queue.stop(SOON)


def test_callers_of_a_full_queue_are_woken_by_stop(gate: threading.Event, callers: ThreadPoolExecutor) -> None:
    """Waiting callers are refused at once when the queue stops."""
    queue = ImportQueue(workers=1, capacity=1, patience=SOON * 10)
    jobs = [callers.submit(queue.run, lambda: gate.wait(SOON)) for _ in range(5)]
    until(lambda: len(queue._waiting) == 1)
    queue.stop(0.05)
    gate.set()
    outcomes = [job.exception(SOON) for job in jobs]
    assert sum(isinstance(outcome, Busy) for outcome in outcomes) == 4


def test_no_worker_keeps_a_job_after_its_end() -> None:
    """A job holds its caller's memory, which dies with the request: no error's traceback may circle back to it."""

    class Memory:
        """Something that can be referred to weakly."""

    def work(memory: Memory, number: int) -> float:
        assert memory
        return 1 / number

    queue = ImportQueue(workers=1)
    gc.disable()
    try:
        for number in (1, 0):
            memory = Memory()
            held = weakref.ref(memory)
            with suppress(ZeroDivisionError):
                queue.run(partial(work, memory, number))
            del memory
            until(lambda held=held: held() is None)  # type: ignore[misc]  # bound in the loop
    finally:
        gc.enable()
    assert queue.stop(SOON)
