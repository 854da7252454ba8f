"""Remembers paths for some seconds."""

import time
from collections.abc import Callable

from davfs.cache import LruCache
from davfs.entry import Path

_MOST = 10_000


class RecentPaths:
    """Paths that are remembered for a while.

    Args:
        seconds: For how long.
        now: Clock, in seconds.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._until: LruCache[Path, float] = LruCache(_MOST)

    def add(self, path: Path) -> None:
        """Remember a path from now on."""
        self._until.put(path, self._now() + self._seconds)

    def has(self, path: Path) -> bool:
        """Return True if a path is remembered."""
        return (self._until.get(path) or 0.0) > self._now()
