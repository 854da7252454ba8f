"""Stores WebDAV locks in the database that several nodes share: a token that one has granted is valid at all of them.

They expire by the clock of the database.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from wsgidav.lock_man.lock_manager import generate_lock_token, normalize_lock_root, validate_lock

from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.lock_storage import (
    MOST_LOCKS,
    MOST_OF_ONE_USER,
    MOST_SHARED,
    MOST_SHARED_OF_ONE_USER,
    TOO_MANY,
    granted_timeout,
)
from davfs.shared.database import SharedDatabase
from davfs.shared.session import Session

_COLUMNS = ("root", "scope", "depth", "owner", "principal", "timeout", "token")
_SELECT = (
    f"SELECT {', '.join(_COLUMNS)}, extract(epoch FROM expires - clock_timestamp())::float8"
    " FROM davfs_lock WHERE expires > clock_timestamp()"
)
_EXPIRES = "clock_timestamp() + make_interval(secs => %(timeout)s)"
_BELOW = "starts_with(root, %(folder)s)"
_CONFLICT = (
    f"{_SELECT} AND NOT (scope = 'shared' AND %(scope)s = 'shared')"
    " AND (root = %(root)s OR depth = 'infinity' AND starts_with(%(root)s, rtrim(root, '/') || '/')"
    f" OR %(depth)s = 'infinity' AND {_BELOW})"
)


class SharedLockStorage:
    """A storage of locks in the interface of WsgiDAV.

    Args:
        database: Has the locks.
    """

    def __init__(self, database: SharedDatabase) -> None:
        self._database = database
        self._look = threading.local()

    @contextmanager
    def one_look(self, path: str) -> Iterator[None]:
        """Answer this thread from one look at the locks of a path and of the folders that hold it, until the end."""
        root = normalize_lock_root(path)
        roots = [root[:end] or "/" for end, character in enumerate(f"{root}/") if character == "/"]
        known: dict[str, list[dict[str, Any]]] = {each: [] for each in roots}
        for row in self._database.rows(f"{_SELECT} AND root = ANY(%(roots)s)", {"roots": roots}):
            lock = _lock(row)
            known[lock["root"]].append(lock)
        self._look.known = known
        try:
            yield
        finally:
            self._look.known = None

    def open(self) -> None:
        """Do nothing: the tables exist."""

    def close(self) -> None:
        """Do nothing: other nodes use the locks."""

    def check_quota(self, user: str) -> None:
        """Check that a user may have another lock.

        Raises:
            HttpError: There are too many, or too many of this user.
        """
        with self._database.session() as session:
            _check_quota(session, user)

    def create(self, path: str, lock: dict[str, Any]) -> dict[str, Any]:
        """Store a new lock.

        Raises:
            HttpError: There are too many, or another node was faster.
        """
        lock |= {"root": normalize_lock_root(path), "timeout": granted_timeout(lock["timeout"])}
        validate_lock(lock)
        lock |= {"token": generate_lock_token(), "expire": time.time() + lock["timeout"]}
        values = {**lock, "folder": _folder(lock["root"])}
        with self._database.names_locked() as session:
            session.execute("DELETE FROM davfs_lock WHERE expires <= clock_timestamp()")
            _check_quota(session, lock["principal"])
            _check_shared(session, values)
            if session.execute(_CONFLICT, values):
                raise HttpError(HTTPStatus.LOCKED, "It is locked.")
            given = ", ".join(f"%({column})s" for column in _COLUMNS)
            insert = f"INSERT INTO davfs_lock ({', '.join(_COLUMNS)}, expires) VALUES ({given}, {_EXPIRES})"
            session.execute(insert, values)
        return lock

    def get(self, token: str) -> dict[str, Any] | None:
        """Return a lock; None if it does not exist, or has expired."""
        found = self._database.rows(f"{_SELECT} AND token = %(token)s", {"token": token})
        return _lock(found[0]) if found else None

    def refresh(self, token: str, *, timeout: float) -> dict[str, Any]:
        """Extend a lock.

        Raises:
            HttpError: It has expired.
        """
        values = {"token": token, "timeout": granted_timeout(timeout)}
        change = f"UPDATE davfs_lock SET timeout = %(timeout)s, expires = {_EXPIRES} WHERE token = %(token)s"
        self._database.rows(change, values)
        found = self.get(token)
        if found is None:
            raise HttpError(HTTPStatus.PRECONDITION_FAILED, "The lock does not exist any more.")
        return found

    def delete(self, token: str) -> bool:
        """Remove a lock; return False if it does not exist."""
        return bool(
            self._database.rows("DELETE FROM davfs_lock WHERE token = %(token)s RETURNING token", {"token": token})
        )

    def get_lock_list(self, path: str, *, include_root: bool, include_children: bool, token_only: bool) -> list[Any]:
        """Return the locks of a path, and of those below it."""
        root = normalize_lock_root(path)
        known: dict[str, list[dict[str, Any]]] | None = getattr(self._look, "known", None)
        if known and root in known and not include_children and not token_only:
            return list(known[root])
        where = " OR ".join(["root = %(root)s"] * include_root + [_BELOW] * include_children)
        found = self._database.rows(f"{_SELECT} AND ({where})", {"root": root, "folder": _folder(root)})
        return [lock["token"] if token_only else lock for lock in map(_lock, found)]

    @property
    def has_locks(self) -> bool:
        """True if there is any lock, expired or not."""
        known: dict[str, list[dict[str, Any]]] | None = getattr(self._look, "known", None)
        return any(known.values()) if known else bool(self._database.rows("SELECT FROM davfs_lock LIMIT 1", {}))


def _lock(row: tuple[Any, ...]) -> dict[str, Any]:
    lock = dict(zip(_COLUMNS, row, strict=False))
    return lock | {"type": "write", "expire": time.time() + row[-1]}


def _folder(root: str) -> str:
    return f"{root.rstrip('/')}/"


def _check_quota(session: Session, user: str) -> None:
    counts = "count(*), count(*) FILTER (WHERE principal = %(user)s)"
    query = f"SELECT {counts} FROM davfs_lock WHERE expires > clock_timestamp()"
    count, own = session.execute(query, {"user": user}).first
    if count >= MOST_LOCKS or own >= MOST_OF_ONE_USER:
        raise HttpError(HTTPStatus.INSUFFICIENT_STORAGE, TOO_MANY)


def _check_shared(session: Session, values: Mapping[str, Any]) -> None:
    others = session.execute(f"{_SELECT} AND root = %(root)s", values).rows
    own = sum(_lock(row)["principal"] == values["principal"] for row in others)
    if len(others) >= MOST_SHARED or own >= MOST_SHARED_OF_ONE_USER:
        raise HttpError(HTTPStatus.INSUFFICIENT_STORAGE, f"It has too many locks. {TOO_MANY}")
