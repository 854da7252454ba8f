"""SQLite connections, transactions and copies, and the classification of SQLite's errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path

from davfs.private import make_private

BUSY_TIMEOUT = 2.0
"""Timeout in seconds for the lock of another process on the file."""
COMPANIONS = ("-wal", "-shm")
"""Suffixes of the files that SQLite keeps beside a database file."""
ERRORS = (sqlite3.Error, ValueError, TypeError, OverflowError)
"""Errors that damage can cause; those that are not SQLite's come from impossible values in the rows."""

_NO_ACCESS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


class Failure(Enum):
    """Kind of an error, by what it means for the database file."""

    NO_ACCESS = auto()
    """It cannot be read or written now."""
    DAMAGE = auto()
    UNCLEAR = auto()
    """Damage or a mistake of the program."""


def failure_of(error: Exception) -> Failure:
    """Classify an error."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _NO_ACCESS:
        return Failure.NO_ACCESS
    return Failure.DAMAGE if type(error) is sqlite3.DatabaseError else Failure.UNCLEAR


def connect(file: Path) -> sqlite3.Connection:
    """Open a connection to a file that only this user can read; statements outside a transaction commit at once."""
    make_private(file)
    for (
        suffix
    ) in COMPANIONS:  # SQLite makes them with the mode of the file; these are of an older version of this program
        make_private(Path(f"{file}{suffix}"), create=False)
    db = sqlite3.connect(file, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def connect_to_memory() -> sqlite3.Connection:
    """Open an empty database in memory."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end of the block; roll back if it raises an error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.commit()
    except BaseException:
        with suppress(sqlite3.Error):
            db.rollback()
        raise


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Read the same state of the database in the whole block, whatever others write meanwhile."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        with suppress(sqlite3.Error):
            db.rollback()


def copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy a database.

    Raises:
        sqlite3.Error: That is not possible now, for example because another process has locked the file.
    """
    source.backup(target, progress=_raise_if_blocked)


def _raise_if_blocked(status: int, _remaining: int, _total: int) -> None:
    """End a backup that cannot continue: Python would retry for ever."""
    if status & 0xFF in _NO_ACCESS:
        raise sqlite3.OperationalError("database is locked")
