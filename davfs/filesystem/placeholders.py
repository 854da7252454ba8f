"""Folders that wait for their name: Explorer and Finder make a folder first, and rename it then."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from davfs import names

_SECONDS = 3600.0
_MOST = 100
"""Folders that there can be at the same time; the oldest gives way."""


class Placeholders:
    """Empty folders, kept in memory for an hour.

    Args:
        now: Clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._made: dict[str, tuple[float, datetime]] = {}

    def all(self) -> Mapping[str, datetime]:
        """Return their names, and when they were made (UTC)."""
        with self._lock:
            oldest = self._now() - _SECONDS
            self._made = {name: made for name, made in self._made.items() if made[0] > oldest}
            return {name: date for name, (_, date) in self._made.items()}

    def add(self, name: str) -> bool:
        """Make one; return whether there was none of this name, compared without case."""
        there = {names.key(other) for other in self.all()}
        with self._lock:
            if names.key(name) in there:
                return False
            self._made[name] = self._now(), datetime.now(UTC)
            while len(self._made) > _MOST:
                del self._made[next(iter(self._made))]
        return True

    def drop(self, name: str) -> bool:
        """Remove one; return whether there was one."""
        there = name in self.all()
        with self._lock:
            self._made.pop(name, None)
        return there
