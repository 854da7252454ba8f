"""Folders that wait for their name: Explorer and Finder make a folder first, and rename it then."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from davfs import names

_SECONDS = 3600.0
_MOST = 20
"""Folders that one user can have at the same time; the oldest gives way. Those without a name are one user."""


@dataclass(frozen=True, slots=True)
class _Placeholder:
    expires: float
    made: datetime
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
        """Return their names, and when they were made (UTC)."""
        with self._lock:
            return {name: each.made for name, each in self._living().items()}

    def user(self, name: str) -> str | None:
        """Return who made one; None where there is none of this name."""
        with self._lock:
            found = self._living().get(name)
            return found.user if found else None

    def add(self, name: str, user: str) -> bool:
        """Make one; return whether there was none of this name, compared without case."""
        with self._lock:
            folders = self._living()
            if names.folded(name) in map(names.folded, folders):
                return False
            folders[name] = _Placeholder(self._now() + _SECONDS, datetime.now(UTC), user)
            own = [other for other, each in folders.items() if each.user == user]
            if len(own) > _MOST:
                del folders[own[0]]
        return True

    def drop(self, name: str) -> bool:
        """Remove one; return whether there was one."""
        with self._lock:
            return self._living().pop(name, None) is not None

    def _living(self) -> dict[str, _Placeholder]:
        now = self._now()
        self._folders = {name: each for name, each in self._folders.items() if now < each.expires}
        return self._folders
