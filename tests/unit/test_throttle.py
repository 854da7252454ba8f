"""Whoever guesses passwords is slowed down, and nobody else is."""

import threading

import pytest

from davfs.doors.webdav.login.throttle import Throttle


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    """The time."""
    return Time()


@pytest.fixture
def throttle(time: Time) -> Throttle:
    """A throttle that lives in it."""
    return Throttle(clock=time, sleep=time.sleep)


def fail(throttle: Throttle, times: int, user: str = "alice", address: str = "10.0.0.1") -> None:
    """Give wrong passwords, whether it is time for them or not."""
    for _ in range(times):
        throttle.failed(user, address)


def test_three_mistakes_are_free(throttle: Throttle, time: Time) -> None:
    """Mistakes in typing cost no time."""
    fail(throttle, 3)
    assert throttle.admit("alice", "10.0.0.1") == 0
    assert time.slept == []


def test_delays_double_up_to_two_seconds(throttle: Throttle, time: Time) -> None:
    """Short delays are slept through, longer ones are told, in whole seconds, and none is longer than two."""
    fail(throttle, 4)
    told = []
    for _ in range(6):
        told.append(throttle.admit("alice", "10.0.0.1"))
        time.now += told[-1]
        throttle.failed("alice", "10.0.0.1")
    assert time.slept == [0.25, 0.5]
    assert told == [0, 0, 1, 2, 2, 2]


def test_one_try_at_a_time(throttle: Throttle, time: Time) -> None:
    """Of many that come at once, one is let through at the end of each delay."""
    fail(throttle, 20)
    time.now += 2
    assert [throttle.admit("alice", "10.0.0.1") for _ in range(5)] == [0, 2, 2, 2, 2]


def test_others_are_not_concerned(throttle: Throttle) -> None:
    """Neither another user nor the same one elsewhere has to wait."""
    fail(throttle, 20)
    assert throttle.admit("alice", "10.0.0.2") == 0
    assert throttle.admit("bob", "10.0.0.1") == 0
    assert throttle.admit("alice", "10.0.0.1") == 2


def test_the_right_password_ends_it(throttle: Throttle) -> None:
    """After the right password, mistakes are free again."""
    fail(throttle, 20)
    throttle.succeeded("alice", "10.0.0.1")
    fail(throttle, 3)
    assert throttle.admit("alice", "10.0.0.1") == 0


def test_failures_are_forgotten(throttle: Throttle, time: Time) -> None:
    """Ten minutes later the count starts anew."""
    fail(throttle, 20)
    time.now += 600
    assert [throttle.admit("alice", "10.0.0.1") for _ in range(2)] == [0, 0]
    fail(throttle, 3)
    assert throttle.admit("alice", "10.0.0.1") == 0


def test_memory_is_bounded(time: Time) -> None:
    """However many users fail, so many are remembered: those that failed last."""
    throttle = Throttle(clock=time, sleep=time.sleep, capacity=100)
    fail(throttle, 20)
    for number in range(1000):
        fail(throttle, 1, user=f"user{number}" * 100)
        fail(throttle, 1, user="mallory")
    assert len(throttle._failures) == 100
    assert all(len(key) == 16 for key in throttle._failures)
    assert throttle.admit("mallory", "10.0.0.1") == 2
    assert throttle.admit("alice", "10.0.0.1") == 0


def test_few_threads_sleep() -> None:
    """Two threads sleep at most; a third is told to come back."""
    asleep, wake = threading.Semaphore(0), threading.Event()

    def sleep(_: float) -> None:
        asleep.release()
        assert wake.wait(10)

    throttle = Throttle(clock=lambda: 0.0, sleep=sleep)
    fail(throttle, 4)
    threads = [threading.Thread(target=throttle.admit, args=("alice", "10.0.0.1")) for _ in range(2)]
    for thread in threads:
        thread.start()
        assert asleep.acquire(timeout=10)
    assert throttle.admit("alice", "10.0.0.1") == 1
    wake.set()
    for thread in threads:
        thread.join(10)
