"""One call for all threads that wait for its result."""

import threading
from collections.abc import Callable

_PATIENCE = 0.05
"""Seconds: ten times as long as Orthanc takes for its log of changes, and hardly noticed by a user if a call hangs."""


class SharedCall:
    """Calls a function once for all threads that wait for it.

    Each thread gets a call that began after it had asked: one that is under way does not count, since it may have
    looked before. So a thread waits for one call, and then has its own or that of another thread.

    Args:
        function: The function; several threads may call it at the same time. If it fails, or takes long, each of the
            threads that wait calls it itself.
        patience: Seconds that a thread waits for the call of another one.
    """

    def __init__(self, function: Callable[[], object], patience: float = _PATIENCE) -> None:
        self._function = function
        self._patience = patience
        self._lock = threading.Lock()
        self._current = _Call()
        self._current.end.release()
        self._next: _Call | None = None

    def __call__(self) -> None:
        """Return after a call that began after this one did."""
        with self._lock:
            shared, before = self._next, self._current
            own = self._next = shared or _Call()
        if shared is None:
            before.has_ended(self._patience)
            self._run(own)
        elif not (shared.has_ended(self._patience) and shared.has_succeeded):
            self._function()

    def _run(self, own: "_Call") -> None:
        with self._lock:  # from here on, threads wait for the next one
            self._current, self._next = own, None
        try:
            self._function()
            own.has_succeeded = True
        finally:
            own.end.release()


class _Call:
    """A call; ``end`` is locked until it has ended."""

    def __init__(self) -> None:
        self.end = threading.Lock()
        self.end.acquire()
        self.has_succeeded = False

    def has_ended(self, patience: float) -> bool:
        """Wait for the end; return False if it takes too long."""
        has_ended = self.end.acquire(timeout=patience)
        if has_ended:
            self.end.release()
        return has_ended
