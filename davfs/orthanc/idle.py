"""Evicts what was idle for a while; keeps open files between two requests that read consecutive ranges."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Idle(Generic[K, T]):
    key: K
    position: int
    file: T
    since: float


class IdlePool(Generic[K, T]):
    """Open files, each at the position where the last range ended; safe for threads.

    A thread that reads a file has taken it out, so no lock is held while bytes are read or a file is closed.

    Args:
        name: Name of the thread that closes idle files.
        most: Number of files; the longest idle ones are closed if there are more.
        idle: Seconds after which an idle file is closed, or a little later.
        now: Clock, in seconds.
        close: Closes a file.
    """

    def __init__(
        self, name: str, most: int, idle: float, now: Callable[[], float], close: Callable[[T], object]
    ) -> None:
        self._most = most
        self._now = now
        self._close = close
        self._timer = EvictionTimer(name, idle, now, self.evict)
        self._lock = threading.Lock()
        self._idle: list[_Idle[K, T]] = []

    def take(self, key: K, position: int) -> T | None:
        """Remove and return the file at a position, or nearest before it; None for none. The caller closes it."""
        with self._lock:
            before = [one for one in self._idle if one.key == key and one.position <= position]
            if not before:
                return None
            nearest = max(before, key=lambda one: one.position)
            self._idle = [one for one in self._idle if one is not nearest]
        return nearest.file

    def put(self, key: K, position: int, file: T) -> None:
        """Keep a file open at a position."""
        with self._lock:
            self._idle.append(_Idle(key, position, file, self._now()))
            surplus = max(0, len(self._idle) - self._most)
            evicted, self._idle = self._idle[:surplus], self._idle[surplus:]
        self._close_all(evicted)
        self._timer.start()

    def evict(self, until: float = float("inf"), belongs: Callable[[K], bool] = lambda _key: True) -> bool:
        """Close files; return True if others are left.

        Args:
            until: Only those that were put here at this moment or before.
            belongs: Only those with a key for which this returns True.
        """
        with self._lock:
            evicted = [one for one in self._idle if one.since <= until and belongs(one.key)]
            self._idle = [one for one in self._idle if one not in evicted]
            is_left = bool(self._idle)
        self._close_all(evicted)
        return is_left

    def close(self) -> None:
        """Close all files, and from now on each one that is put here; stop the timer."""
        self._timer.stop()
        self._most = 0
        self.evict()

    def _close_all(self, evicted: list[_Idle[K, T]]) -> None:
        if evicted:
            with ExitStack() as stack:  # the others are closed too if one of them fails
                for one in evicted:
                    stack.callback(self._close, one.file)


class EvictionTimer:
    """Evicts what is idle from a cache, on a thread of its own, every few seconds for as long as something is cached.

    Args:
        name: Name of the thread.
        idle: Seconds after which something is idle, and between two evictions.
        now: Clock, in seconds.
        evict: Evicts what was used at a moment or before, and not since; returns True if something is left.
    """

    def __init__(self, name: str, idle: float, now: Callable[[], float], evict: Callable[[float], bool]) -> None:
        self._name = name
        self._idle = idle
        self._now = now
        self._evict = evict
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._is_stopped = False

    @property
    def is_running(self) -> bool:
        """True between `start` and the eviction that leaves nothing."""
        return self._timer is not None

    def start(self) -> None:
        """Start the timer, unless it runs or was stopped."""
        with self._lock:
            if self._timer is None and not self._is_stopped:
                self._timer = threading.Timer(self._idle, self._run)
                self._timer.name, self._timer.daemon = self._name, True
                self._timer.start()

    def _run(self) -> None:
        with self._lock:
            self._timer = None
        if self.evict_idle():
            self.start()

    def evict_idle(self) -> bool:
        """Evict what is idle now; return True if something is left."""
        return self._evict(self._now() - self._idle)

    def stop(self) -> None:
        """Stop the timer for good."""
        with self._lock:
            self._is_stopped = True
            if self._timer:
                self._timer.cancel()
            self._timer = None
