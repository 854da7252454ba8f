"""New folders in search/ that are not queries yet: Explorer and Finder create a folder first, and rename it then."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from davfs import names

_SECONDS = 3600.0
_MOST = 20
"""Folders that one user can have; the oldest is removed for another one. Users without a name count as one."""


@dataclass(frozen=True, slots=True)
class _Placeholder:
    expires: float
    created: datetime
    user: str


class Placeholders:
    """Empty folders, kept in memory for an hour.

    Args:
        now: Clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._folders: dict[str, _Placeholder] = {}

    def all(self) -> Mapping[str, datetime]:
        """Return the names of all folders, and when each was created (UTC)."""
        with self._lock:
            return {name: each.created for name, each in self._unexpired().items()}

    def user(self, name: str) -> str | None:
        """Return the user who created a folder; None if it does not exist."""
        with self._lock:
            found = self._unexpired().get(name)
            return found.user if found else None

    def add(self, name: str, user: str) -> bool:
        """Create a folder; return False if one of this name, compared without case, exists."""
        with self._lock:
            folders = self._unexpired()
            if names.folded(name) in map(names.folded, folders):
                return False
            folders[name] = _Placeholder(self._now() + _SECONDS, datetime.now(UTC), user)
            own = [other for other, each in folders.items() if each.user == user]
            if len(own) > _MOST:
                del folders[own[0]]
        return True

    def drop(self, name: str) -> bool:
        """Remove a folder; return False if it does not exist."""
        with self._lock:
            return self._unexpired().pop(name, None) is not None

    def _unexpired(self) -> dict[str, _Placeholder]:
        now = self._now()
        self._folders = {name: each for name, each in self._folders.items() if now < each.expires}
        return self._folders
