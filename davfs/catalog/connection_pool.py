"""The connections to the index's file: those for reading, and one for writing, whose page cache stays warm."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from davfs.catalog import connections

_STEPS = 10_000
"""SQLite instructions between two checks for an interruption: some milliseconds."""
_CACHE, _BULK_CACHE = 2 << 10, 64 << 10
"""KiB of the page cache for writing; while much is written, pages of all indexes are changed again and again."""
_CHECKPOINT = 25_000
"""Pages (4 KiB) in the write-ahead log after which a writer has to copy them itself; see `Database.checkpoint`."""


class ConnectionPool:
    """The connections of one file; each is used by one thread at a time.

    Args:
        file: The SQLite file.
        interrupted: Aborts long operations as soon as it returns True.

    Attributes:
        version: Changes when the file was moved or replaced, after which older connections are closed.
        is_closed: Whether connections are closed when they are given back.
    """

    def __init__(self, file: Path, interrupted: Callable[[], bool]) -> None:
        self._file = file
        self._interrupted = interrupted
        self._lock = threading.Lock()
        self._idle: dict[bool, list[sqlite3.Connection]] = {False: [], True: []}
        self._cache = _CACHE
        self.version = 0
        self.is_closed = False

    def take(self, *, for_writing: bool) -> sqlite3.Connection:
        """Return a connection, to be given back."""
        with self._lock:
            idle = self._idle[for_writing]
            db = idle.pop() if idle else None
        if db is None:
            db = connections.connect(self._file)
            db.set_progress_handler(self._interrupted, _STEPS)
            if for_writing:
                db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
        if for_writing:
            db.execute(f"PRAGMA cache_size = -{self._cache}")
        return db

    def give_back(self, db: sqlite3.Connection, version: int, *, for_writing: bool) -> None:
        """Keep a connection for the next user, unless it is of another version than that in which it was taken."""
        with self._lock:
            usable = version == self.version and not self.is_closed
            if usable:
                self._idle[for_writing].append(db)
        if not usable:
            db.close()

    def set_bulk(self, *, bulk: bool) -> None:
        """Begin or end to write with a large page cache."""
        self._cache = _BULK_CACHE if bulk else _CACHE

    def close_idle(self) -> None:
        """Close idle connections now, and each other one when it is given back."""
        with self._lock:
            self.version += 1
            idle, self._idle = self._idle, {False: [], True: []}
        for db in (*idle[False], *idle[True]):
            with closing(db):
                pass
