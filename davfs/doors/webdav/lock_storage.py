"""Stores WebDAV locks in memory: an inbox of one process."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from wsgidav.lock_man.lock_manager import normalize_lock_root
from wsgidav.lock_man.lock_storage import LockStorageDict

from davfs.doors.webdav.http_errors import HttpError

MOST_LOCKS = 10_000
"""About 10 MB (`body_buffer.LARGEST_LOCK`); clients hold one for each file that they write."""
MOST_OF_ONE_USER = 1000
"""Locks of one user; all anonymous users count as one."""
MOST_SHARED = 100
"""Shared locks of one file or folder, all of which are read for each request about it."""
MOST_SHARED_OF_ONE_USER = 10
LONGEST_TIMEOUT = 3600.0
"""The longest timeout of a lock, in seconds (RFC 4918 §6.6): clients that crash leave locks behind."""
_URL = "URL2TOKEN:"
"""Prefix of WsgiDAV's keys that are paths, not tokens."""
TOO_MANY = "There are too many locks: release some, or let them expire."
_ACTIVE = (
    "<D:activelock><D:locktype><D:%s/></D:locktype><D:lockscope><D:%s/></D:lockscope><D:depth>%s</D:depth>%s"
    "<D:timeout>Second-%s</D:timeout><D:locktoken><D:href>%s</D:href></D:locktoken>"
    "<D:lockroot><D:href>%s</D:href></D:lockroot></D:activelock>"
)


class LockStorage(LockStorageDict):
    """WsgiDAV's storage of locks, with quotas, and thread-safe while locks expire."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = _ExclusiveLock()
        self._users: Counter[str] = Counter()

    @contextmanager
    def one_look(self, path: str) -> Iterator[None]:  # noqa: ARG002  as `SharedLockStorage` has it
        """Do nothing: looking again costs nothing."""
        yield

    def check_quota(self, user: str) -> None:
        """Check that a user may have another lock.

        Raises:
            HttpError: There are too many, or too many of this user.
        """
        if self._is_full(user):
            self._remove_expired()
        if self._is_full(user):
            raise HttpError(HTTPStatus.INSUFFICIENT_STORAGE, TOO_MANY)

    def create(self, path: str, lock: dict[str, Any]) -> dict[str, Any]:
        """Store a new lock.

        Raises:
            HttpError: There are too many.
        """
        user = lock["principal"]
        self.check_quota(user)
        others = self.get_lock_list(path, include_root=True, include_children=False, token_only=False)
        own = sum(other["principal"] == user for other in others)
        if len(others) >= MOST_SHARED or own >= MOST_SHARED_OF_ONE_USER:
            raise HttpError(HTTPStatus.INSUFFICIENT_STORAGE, f"It has too many locks. {TOO_MANY}")
        lock["timeout"] = granted_timeout(lock["timeout"])
        stored: dict[str, Any] = super().create(path, lock)
        self._users[user] += 1
        return stored

    def get(self, token: str) -> dict[str, Any] | None:
        """Return a lock; None if it does not exist, or has expired."""
        found: dict[str, Any] | None = None if token.startswith(_URL) else super().get(token)
        return found

    def delete(self, token: str) -> bool:
        """Remove a lock; return False if it does not exist."""
        self._lock.acquire_write()
        try:
            lock = self._dict.get(token)
            if lock is None:
                return False
            super().delete(token)
            self._users[lock["principal"]] -= 1
            self._users += Counter()  # drops users without locks
            return True
        finally:
            self._lock.release()

    def refresh(self, token: str, *, timeout: float) -> dict[str, Any]:
        """Extend a lock."""
        stored: dict[str, Any] = super().refresh(token, timeout=granted_timeout(timeout))
        return stored

    def get_lock_list(self, path: str, **options: Any) -> list[Any]:
        """Return the locks of a path; expired ones are removed first, since WsgiDAV does so while it iterates."""
        if options.get("include_children"):
            self._remove_expired()
        found: list[Any] = super().get_lock_list(path, **options)
        return found

    @property
    def has_locks(self) -> bool:
        """True if there is any lock, expired or not."""
        return bool(self._dict)

    def _is_full(self, user: str) -> bool:
        return len(self._dict) // 2 >= MOST_LOCKS or self._users[user] >= MOST_OF_ONE_USER

    def _remove_expired(self) -> None:
        for token in list(self._dict):
            self.get(token)


class _ExclusiveLock:
    """An exclusive lock in the interface of WsgiDAV's lock for readers and writers.

    WsgiDAV takes its own for reading where it then removes expired locks, and if two threads do so, one request fails.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.acquire_read = self.acquire_write = self._lock.acquire
        self.release = self._lock.release


def granted_timeout(seconds: float) -> float:
    """Return the timeout that is granted; a negative one stands for "infinite"."""
    return seconds if 0 < seconds < LONGEST_TIMEOUT else LONGEST_TIMEOUT


def lockdiscovery(locks: Iterable[Mapping[str, Any]], href: str) -> str:
    """Return the content of the property ``lockdiscovery`` (RFC 4918 §15.8).

    Args:
        locks: Locks of one resource, and those on folders that hold it.
        href: The path of the resource in a URL.
    """
    return "".join(_ACTIVE % _values(lock, href) for lock in locks)


def _values(lock: Mapping[str, Any], href: str) -> tuple[str, ...]:
    owner = bytes(lock["owner"]).decode().rpartition("?>")[2]  # WsgiDAV stores it as an XML document
    seconds = max(0, int(lock["expire"] - time.time()))
    root = href if normalize_lock_root(href) == lock["root"] else f"{lock['root'].rstrip('/')}/"
    return lock["type"], lock["scope"], lock["depth"], owner, str(seconds), lock["token"], root
