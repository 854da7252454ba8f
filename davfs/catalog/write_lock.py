"""The lock of the thread that writes to the index; it knows whether others wait."""

import threading
import time
from types import TracebackType
from typing import Self

_LONGEST_WAY = 1.0
"""Seconds, at most, for which a thread that gives way waits for the others: on a busy machine they wake up late."""
_PAUSE = 0.001


class WriteLock:
    """A re-entrant lock. A thread with much to write looks at `is_wanted` in between, and gives way to others."""

    def __init__(self) -> None:
        self._never = threading.Event()
        self._lock = threading.RLock()
        self._counting = threading.Lock()
        self._waiting = self._ended = 0

    @property
    def is_wanted(self) -> bool:
        """True while another thread waits for the lock."""
        return self._waiting > 0

    def acquire(self, timeout: float = -1) -> bool:
        """Acquire the lock; return False if that took longer than ``timeout`` seconds."""
        if self._lock.acquire(blocking=False):
            return True
        self._count(1)
        try:
            return self._lock.acquire(timeout=timeout)
        finally:
            self._count(-1)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def give_way(self) -> None:
        """Wait until those threads have the lock, or had it, that wait for it now; it is not held by this one."""
        with self._counting:
            before = self._ended + self._waiting
        ends = time.monotonic() + _LONGEST_WAY
        while self._ended < before and time.monotonic() < ends:
            self._never.wait(_PAUSE)  # time.sleep fails with EINVAL where libfaketime changes the clock

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def _count(self, change: int) -> None:
        with self._counting:
            self._waiting += change
            self._ended += change < 0
