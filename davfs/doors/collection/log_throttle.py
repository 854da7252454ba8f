"""Throttles log messages about requests that clients retry."""

import threading
import time
from collections.abc import Callable

_QUIET_SECONDS = 60.0


class LogThrottle:
    """Limits a log message to one line a minute, since clients retry.

    Args:
        now: Clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._quiet_until = -float("inf")

    def is_due(self) -> bool:
        """Return True if a line may be logged now."""
        with self._lock:
            now = self._now()
            if now < self._quiet_until:
                return False
            self._quiet_until = now + _QUIET_SECONDS
            return True
