"""Locks of door 2, in memory: an inbox belongs to one process, and so do its locks."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from wsgidav.lock_man.lock_manager import normalize_lock_root
from wsgidav.lock_man.lock_storage import LockStorageDict

from davfs.doors.webdav.http_errors import HttpError

MOST_LOCKS = 10_000
"""About 10 MB (`messages.LARGEST_LOCK`); clients hold one for each file that they write."""
MOST_OF_ONE_USER = 1000
"""Locks of one user; those who need no name are one."""

LONGEST = 3600.0
"""Seconds that a lock lasts unless it is refreshed: clients that crash leave theirs behind (RFC 4918 §6.6)."""
_URL = "URL2TOKEN:"
MOST_SHARED = 100
"""Shared locks of one file or folder, which are looked through for each request about it."""
MOST_SHARED_OF_ONE_USER = 10
_TOO_MANY = "There are too many locks: release some, or let them expire."


_ACTIVE = (
    "<D:activelock><D:locktype><D:%s/></D:locktype><D:lockscope><D:%s/></D:lockscope><D:depth>%s</D:depth>%s"
    "<D:timeout>Second-%s</D:timeout><D:locktoken><D:href>%s</D:href></D:locktoken>"
    "<D:lockroot><D:href>%s</D:href></D:lockroot></D:activelock>"
)


class LockStorage(LockStorageDict):
    """WsgiDAV's storage of locks, with bounds, and safe while locks expire."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = _Exclusive()
        self._users: Counter[str] = Counter()

    def check_room(self, user: str) -> None:
        """Check that a user may have another lock.

        Raises:
            HttpError: There are too many, or too many of this user.
        """
        if self._is_full(user):
            self._purge()
        if self._is_full(user):
            raise HttpError(HTTPStatus.INSUFFICIENT_STORAGE, _TOO_MANY)

    def create(self, path: str, lock: dict[str, Any]) -> dict[str, Any]:
        """Keep a new lock.

        Raises:
            HttpError: There are too many.
        """
        user = lock["principal"]
        self.check_room(user)
        there = self.get_lock_list(path, include_root=True, include_children=False, token_only=False)
        own = sum(other["principal"] == user for other in there)
        if len(there) >= MOST_SHARED or own >= MOST_SHARED_OF_ONE_USER:
            raise HttpError(HTTPStatus.INSUFFICIENT_STORAGE, f"It has too many locks. {_TOO_MANY}")
        lock["timeout"] = _granted(lock["timeout"])
        kept: dict[str, Any] = super().create(path, lock)
        self._users[user] += 1
        return kept

    def delete(self, token: str) -> bool:
        """Drop a lock; return whether there was one."""
        self._lock.acquire_write()
        try:
            lock = self._dict.get(token)
            if lock is None:
                return False
            super().delete(token)
            self._users[lock["principal"]] -= 1
            self._users += Counter()  # without those who have none
            return True
        finally:
            self._lock.release()

    def refresh(self, token: str, *, timeout: float) -> dict[str, Any]:
        """Give a lock more time."""
        kept: dict[str, Any] = super().refresh(token, timeout=_granted(timeout))
        return kept

    def get_lock_list(self, path: str, **how: Any) -> list[Any]:
        """Return the locks of a path, without those that have expired: WsgiDAV drops them from what it walks over."""
        if how.get("include_children"):
            self._purge()
        kept: list[Any] = super().get_lock_list(path, **how)
        return kept

    @property
    def any(self) -> bool:
        """Whether there is any lock, be it expired."""
        return bool(self._dict)

    def _is_full(self, user: str) -> bool:
        return len(self._dict) // 2 >= MOST_LOCKS or self._users[user] >= MOST_OF_ONE_USER

    def _purge(self) -> None:
        for token in [key for key in list(self._dict) if not key.startswith(_URL)]:
            self.get(token)


class _Exclusive:
    """What WsgiDAV calls a lock for readers and writers, and takes for reading where it then drops what has expired.

    Its own does not let two threads do that at once: one of their requests fails.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.acquire_read = self.acquire_write = self._lock.acquire
        self.release = self._lock.release


def _granted(seconds: float) -> float:
    """Return the time that is granted; less than none stands for "infinite"."""
    return seconds if 0 < seconds < LONGEST else LONGEST


def discovered(locks: Iterable[Mapping[str, Any]], href: str) -> str:
    """Return locks as the content of ``lockdiscovery`` (RFC 4918 §15.8).

    Args:
        locks: Of one resource, those on folders that hold it among them.
        href: Its path as it stands in a URL.
    """
    return "".join(_ACTIVE % _values(lock, href) for lock in locks)


def _values(lock: Mapping[str, Any], href: str) -> tuple[str, ...]:
    owner = bytes(lock["owner"]).decode().rpartition("?>")[2]  # kept by WsgiDAV as a document of its own
    seconds = max(0, int(lock["expire"] - time.time()))
    root = href if normalize_lock_root(href) == lock["root"] else f"{lock['root'].rstrip('/')}/"
    return lock["type"], lock["scope"], lock["depth"], owner, str(seconds), lock["token"], root
