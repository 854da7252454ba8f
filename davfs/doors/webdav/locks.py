"""Locks of door 2, in memory: an inbox belongs to one process, and so do its locks."""

import threading
from http import HTTPStatus
from typing import Any

from wsgidav.lock_man.lock_manager import normalize_lock_root
from wsgidav.lock_man.lock_storage import LockStorageDict

from davfs.doors.webdav.refusals import Refusal

MOST_LOCKS = 10_000
"""About 10 MB (`messages.LARGEST_LOCK`); clients hold one for each file that they write."""


LONGEST = 3600.0
"""Seconds that a lock lasts unless it is refreshed: clients that crash leave theirs behind (RFC 4918 §6.6)."""
_URL = "URL2TOKEN:"
MOST_SHARED = 100
"""Shared locks of one file or folder, which are looked through for each request about it."""


class Locks(LockStorageDict):
    """WsgiDAV's storage of locks, with a bound, and safe while locks expire."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = _Exclusive()

    def check_room(self) -> None:
        """Tell whether there is room for another lock.

        Raises:
            Refusal: There are too many.
        """
        if len(self._dict) // 2 >= MOST_LOCKS:
            self._purge()
        if len(self._dict) // 2 >= MOST_LOCKS:
            raise Refusal(
                HTTPStatus.INSUFFICIENT_STORAGE, "There are too many locks: release some, or let them expire."
            )

    def create(self, path: str, lock: dict[str, Any]) -> dict[str, Any]:
        """Keep a new lock.

        Raises:
            Refusal: There are too many.
        """
        self.check_room()
        if len(self._dict.get(f"{_URL}{normalize_lock_root(path)}", ())) >= MOST_SHARED:
            raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, "It has too many locks: release some, or let them expire.")
        lock["timeout"] = _granted(lock["timeout"])
        kept: dict[str, Any] = super().create(path, lock)
        return kept

    def near(self, url: str) -> bool:
        """Tell whether there is a lock on a resource, on what holds it, or right in it; be it expired."""
        own = normalize_lock_root(url)
        roots = [key.removeprefix(_URL) for key in list(self._dict) if key.startswith(_URL)]
        return any(root in (own, "/") or own.startswith(f"{root}/") or _parent(root) == own for root in roots)

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


def _parent(root: str) -> str:
    return root.rpartition("/")[0] or "/"
