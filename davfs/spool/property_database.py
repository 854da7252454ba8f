"""The SQLite file of dead properties, and how many bytes of it each user takes.

A change outlives this process; it may not outlive a power failure, for it is not synchronised: a rename waits for it.
"""

import errno
import logging
import sqlite3
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path as DiskPath
from typing import Any

from davfs.entry import Path
from davfs.private import make_private

_log = logging.getLogger(__name__)

OVERHEAD = 128
"""Bytes that each property counts beyond its name, its value and its path."""
COST = f"length(cast(path as blob)) + length(cast(name as blob)) + length(value) + {OVERHEAD}"
BELOW = "(path = :path or path >= :below and path < :beyond)"

_PATIENCE = 1.0
"""Seconds to wait for a program that has the file open, such as a backup."""
_SPARE_PAGES = 16
"""Pages of 4 KB that the file may have too many."""
_SCHEMA = """
create table if not exists dead_property(
    path text not null, name text not null, value blob not null, user text not null, primary key(path, name)
) without rowid
"""
_VERSION = 1
_OLDER = "drop table if exists property; drop table if exists dead_property"


class PropertyDatabase:
    """The table of dead properties; thread-safe.

    Args:
        file: The database; made with the first property.
        counted: Called with the bytes of all properties, whenever they change.

    Attributes:
        lock: Held while the table is read or changed.
        sizes: Bytes of each user's properties.

    Raises:
        OSError: There is a file, and it can neither be used nor be replaced.
    """

    def __init__(self, file: DiskPath, counted: Callable[[int], None]) -> None:
        self._file = file
        self._counted = counted
        self._connection: sqlite3.Connection | None = None
        self._size = 0
        self._outdated: list[Path] = []
        self._closed = False
        self.lock = threading.RLock()
        self.sizes: Counter[str] = Counter()
        if file.exists():
            self._open()

    @property
    def size(self) -> int:
        """Bytes of all properties."""
        return self._size

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            if self._connection:
                self._connection.close()
            self._connection, self._closed = None, True
            self._set_sizes(Counter())

    def rows(self, statement: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none while the file cannot be used, or has properties that must not be shown."""
        with self.lock:
            try:
                if self._outdated:
                    with self.changing():
                        pass
                return self._connection.execute(statement, values).fetchall() if self.size and self._connection else []
            except sqlite3.Error as error:
                _log.warning("properties cannot be read: %s", error)
                return []

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Change the table in one transaction, and count its bytes then.

        Raises:
            sqlite3.Error, OSError: It cannot be changed.
        """
        with self.lock:
            if self._closed:
                raise sqlite3.ProgrammingError("closed")
            connection = self._connection or self._open()
            before = self.sizes.copy()
            try:
                with connection:
                    connection.execute("begin immediate")
                    for path in self._outdated:
                        self.remove(connection, BELOW, path_keys(path))
                    yield connection
            except BaseException:
                self._set_sizes(before)
                raise
            self._outdated.clear()
            self._set_sizes(self.sizes)
            self._counted(self._size)

    def follow(self, change: Callable[[sqlite3.Connection], None], *paths: Path) -> None:
        """Change the table after files were renamed or removed; does nothing if it is empty.

        If that fails, the properties of these paths are removed before the table is read or changed again.
        """
        with self.lock:
            if not self.size and not self._outdated:
                return
            try:
                with self.changing() as connection:
                    change(connection)
            except sqlite3.Error as error:
                self._outdated += paths
                _log.warning("properties could not be moved with their files, and are removed: %s", error)

    def remove(self, connection: sqlite3.Connection, where: str, values: Mapping[str, object]) -> None:
        """Remove rows, within `changing`."""
        removed = f"delete from dead_property where {where} returning user, {COST}"  # noqa: S608  constant
        for user, size in connection.execute(removed, values).fetchall():
            self.sizes[user] -= size
        self.sizes += Counter()  # without users who have none

    def shrink(self) -> None:
        """Shrink the file to the size that it needs."""
        with self.lock:
            connection = self._connection
            if connection is None:
                return
            try:
                if connection.execute("pragma freelist_count").fetchone()[0] > _SPARE_PAGES:
                    connection.executescript("pragma incremental_vacuum; pragma wal_checkpoint(truncate)")
            except sqlite3.Error as error:
                _log.warning("the file of properties could not be shrunk: %s", error)

    def _set_sizes(self, sizes: Counter[str]) -> None:
        self.sizes, self._size = sizes, sizes.total()  # the total is read without the lock

    def _open(self) -> sqlite3.Connection:
        """Open the file; a damaged one is replaced by an empty one."""
        self._remove_files(lambda mode: not stat.S_ISREG(mode))  # a link leads to the database of another program
        try:
            self._connection = _connect(self._file)
        except sqlite3.OperationalError as error:
            raise OSError(errno.EIO, f"{self._file.name}: {error}") from error
        except sqlite3.DatabaseError as error:
            _log.warning("the file of properties cannot be used, and is replaced by an empty one: %s", error)
            self._remove_files(lambda _mode: True)
            self._connection = _connect(self._file)
        found = self._connection.execute(f"select user, sum({COST}) from dead_property group by user")  # noqa: S608  constant
        self._set_sizes(Counter(dict(found.fetchall())))
        self._counted(self._size)
        return self._connection

    def _remove_files(self, is_wrong: Callable[[int], bool]) -> None:
        for suffix in ("", "-wal", "-shm"):
            file = self._file.with_name(self._file.name + suffix)
            with suppress(FileNotFoundError):
                if is_wrong(file.lstat().st_mode):
                    file.unlink()


def _connect(file: DiskPath) -> sqlite3.Connection:
    make_private(file)
    connection = sqlite3.connect(file, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("pragma auto_vacuum = incremental")
        if not connection.execute("pragma auto_vacuum").fetchone()[0]:
            connection.execute("vacuum")  # of a file that had no such setting
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        if connection.execute("pragma user_version").fetchone()[0] != _VERSION:
            connection.executescript(f"{_OLDER}; pragma user_version = {_VERSION}")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def cost(path: Path, name: str, value: bytes) -> int:
    """Return the bytes that a property counts."""
    return len(path_key(path).encode()) + len(name.encode()) + len(value) + OVERHEAD


def path_key(path: Path) -> str:
    """Return a path as text; bytes on the disk that are no UTF-8 get a backslash, which no name of a client has."""
    return "/".join(path).encode(errors="backslashreplace").decode()


def path_keys(path: Path) -> dict[str, str]:
    """Return the key of a path, and the bounds of those below it; "0" follows "/"."""
    text = path_key(path)
    return {"path": text, "below": f"{text}/" if text else "", "beyond": f"{text}0" if text else "\U0010ffff"}
