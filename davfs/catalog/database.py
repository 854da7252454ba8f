"""The index's SQLite file: a pool of connections that survives a full disk, a lock and a damaged file.

The file holds nothing that cannot be built again from Orthanc, so a problem with it never stops the drive:

- A damaged file, found when it is opened or later, is replaced by an empty one.
- A file that cannot be written or read (the disk is full or read-only, another process has locked it) is copied into
  memory, and the copy is used. As soon as the file can be written again, the copy is written back.

Each connection is used by one thread at a time.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from davfs.catalog import connections, file_digest
from davfs.catalog.connection_pool import ConnectionPool
from davfs.catalog.connections import ERRORS, Failure, failure_of, transaction
from davfs.catalog.file_digest import DigestCheck
from davfs.catalog.write_lock import WriteLock
from davfs.errors import Unavailable

_log = logging.getLogger(__name__)

_LARGEST_COPY = 1 << 30
"""Bytes of the largest file that is copied into memory."""
_UNCOPIED = 2000
"""Rows that are changed between two calls of `Database.checkpoint` that do something, unless it is told otherwise."""
_RETRY_INTERVAL = 30.0
"""Seconds between two attempts to return to the file."""
_DAMAGED = "the catalog was damaged and is being rebuilt: try again"

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseMoved(Unavailable):
    """The database moved between file and memory with its content: the operation can be retried."""


class PrepareDatabase(Protocol):
    """Creates a missing schema, checks for damage, and loads what the database's user keeps in memory."""

    def __call__(self, db: sqlite3.Connection, /, *, check_damage: bool) -> None:
        """Prepare a database, inside a transaction.

        Raises:
            sqlite3.DatabaseError: It is damaged, or has another schema.
        """


class Database:
    """A pool of connections to one file, or to its copy in memory.

    Args:
        file: The SQLite file; its folder exists.
        prepare: Prepares it.
        lost: Called after a file in use was replaced by an empty one.
        now: Clock, in seconds.

    Attributes:
        writing: Lock of the thread that writes; no other thread can write meanwhile.
        is_checked: False if the file was not closed in order, and has not been checked for damage since then. A digest
            is written of a checked file only.
    """

    def __init__(
        self,
        file: Path,
        prepare: PrepareDatabase,
        lost: Callable[[], object],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._prepare = prepare
        self._lost = lost
        self._now = now
        self._pool = ConnectionPool(file, lambda: self._interrupted)
        self.writing = WriteLock()
        self._memory: sqlite3.Connection | None = None
        self._retry_at = 0.0
        self._uncopied = 0
        self._lost_version = -1
        self._in_use = False
        self.is_checked = True
        self._interrupted = False

    def open(self) -> None:
        """Prepare the file, or replace it by an empty one.

        Raises:
            sqlite3.OperationalError: It cannot be read or written where it is.
            OSError: Likewise.
        """
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        self._in_use = True

    def _open(self) -> None:
        existed = self._file.exists()
        digest = file_digest.check(self._file)
        if digest is DigestCheck.DIFFERENT:
            _log.warning("the catalog is rebuilt: its file was changed while it was closed")
            self._delete_file()
        try:
            self._prepare_file(check_damage=False)
            self._check_size()
            self.is_checked = not existed or digest is not DigestCheck.MISSING
        except sqlite3.DatabaseError as error:
            if failure_of(error) is Failure.NO_ACCESS:
                raise
            _log.warning("the catalog is rebuilt: %s", error)
            self._delete_file()
            self._prepare_file(check_damage=False)

    def _check_size(self) -> None:
        """Check that the file has all its pages; the others are read when they are needed, or by `Store.check_next`.

        Raises:
            sqlite3.DatabaseError: It is shorter.
        """
        with self.read() as db:
            is_busy, written, copied = db.execute("PRAGMA wal_checkpoint").fetchone()
            pages, size = (db.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in ("page_count", "page_size"))
        if not is_busy and written == copied and self._file.stat().st_size < pages * size:
            raise sqlite3.DatabaseError("it has been cut off")

    def interrupt(self) -> None:
        """Abort long operations with `Unavailable`, such as placing all studies; the database is to be closed."""
        self._interrupted = True

    def close(self) -> None:
        """Close idle connections now, and each other one when its user returns it."""
        complete = self._in_use and self._memory is None and self.is_checked
        self._in_use = False
        self._pool.is_closed = True
        self._pool.close_idle()
        if self._memory and self.writing.acquire(timeout=connections.BUSY_TIMEOUT):
            self._memory.close()
            self.writing.release()
        if complete and not self._file.with_name(f"{self._file.name}-wal").exists():  # else a connection is still open
            file_digest.write(self._file)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Provide a connection.

        Raises:
            DatabaseMoved: The file cannot be used now, and was copied into memory.
            Unavailable: It was damaged, and replaced by an empty one; or it is too large for memory; or the operation
                took long, and was interrupted.
        """
        with self._recovering() as version, self._connection(version, for_writing=False) as db:
            yield db

    @contextmanager
    def _recovering(self) -> Iterator[int]:
        """Make the database usable again after an error; provide the version of the file."""
        version = self._pool.version
        try:
            yield version
        except ERRORS as error:
            if self._interrupted:
                raise Unavailable("the drive is stopping") from error
            if self._in_use:
                self._recover(error, version)
            raise

    @contextmanager
    def _connection(self, version: int, *, for_writing: bool) -> Iterator[sqlite3.Connection]:
        while memory := self._memory:
            with self.writing:
                if memory is self._memory:
                    yield memory
                    return
        db = self._pool.take(for_writing=for_writing)
        try:
            yield db
        finally:
            self._pool.give_back(db, version, for_writing=for_writing)

    @contextmanager
    def without_writers(self) -> Iterator[sqlite3.Connection]:
        """Provide a connection for reading while no other thread writes."""
        with self.writing, self._recovering() as version, self._connection(version, for_writing=True) as db:
            yield db

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Provide a connection inside a transaction, to one thread at a time.

        Raises:
            Unavailable: The database is closed; and as `read`.
        """
        if self._pool.is_closed:
            raise Unavailable("the catalog is closed")
        with self.without_writers() as db:
            before = db.total_changes
            with transaction(db):
                yield db
            self._uncopied += db.total_changes - before

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Use more memory for writing inside the block, in which much is written."""
        self._pool.set_bulk(bulk=True)
        try:
            yield
        finally:
            self._pool.set_bulk(bulk=False)

    def checkpoint(self, rows: int = _UNCOPIED) -> None:
        """Copy what was written from the write-ahead log into the file; no other thread has to wait meanwhile.

        Args:
            rows: Number of changed rows below which nothing is done.
        """
        if self._memory or self._uncopied < rows:
            return
        self._uncopied = 0
        with self.read() as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def return_to_file(self) -> bool:
        """Write the copy in memory back to the file, if that is possible again; return True if it was done."""
        if self._memory is None or self._now() < self._retry_at:
            return False
        with self.writing:
            memory = self._memory
            try:
                with closing(connections.connect(self._file)) as db:
                    connections.copy(memory, db)
            except sqlite3.Error:
                self._retry_at = self._now() + _RETRY_INTERVAL
                return False
            self._pool.close_idle()
            self._memory = None
            memory.close()
        _log.warning("the catalog is in its file again")
        return True

    def _prepare_file(self, *, check_damage: bool) -> None:
        with self.write() as db:
            self._prepare(db, check_damage=check_damage)

    def _recover(self, error: Exception, version: int) -> None:
        """Make the database usable again after an error; do nothing if the error is not one of the file.

        Raises:
            DatabaseMoved: The content is still there.
            Unavailable: The content is lost.
        """
        failure = failure_of(error)
        with self.writing:
            if version <= self._lost_version:
                raise Unavailable(_DAMAGED) from error
            if version != self._pool.version:
                raise DatabaseMoved("the catalog has just been moved: try again") from error
            if failure is Failure.NO_ACCESS and self._memory is None:
                kept = self._move_into_memory(error)
            elif failure is Failure.NO_ACCESS or (failure is Failure.UNCLEAR and self._is_intact()):
                return
            else:
                self._replace()
                kept = False
            self._lost_version = self._lost_version if kept else version
        if kept:
            raise DatabaseMoved("the catalog is in memory for now: try again") from error
        self._lost()
        raise Unavailable(_DAMAGED) from error

    def _is_intact(self) -> bool:
        """Return True if no damage is found: then the error is a mistake of the program."""
        try:
            with self._connection(self._pool.version, for_writing=True) as db, transaction(db):
                self._prepare(db, check_damage=True)
        except ERRORS:
            return False
        return True

    def _replace(self) -> None:
        """Replace a damaged database by an empty one."""
        _log.warning("the catalog was damaged and is rebuilt")
        self.is_checked = True
        if self._memory is None:
            try:
                self._delete_file()
                with closing(connections.connect(self._file)) as db, transaction(db):
                    self._prepare(db, check_damage=False)
            except (sqlite3.Error, OSError) as error:
                _log.warning("the catalog cannot be rebuilt where it is, and is kept in memory: %s", error)
            else:
                return
        self._use_memory(connections.connect_to_memory())

    def _move_into_memory(self, error: Exception) -> bool:
        """Continue in memory; return True if the file's content could be copied.

        Raises:
            Unavailable: The file is too large.
        """
        with suppress(OSError):
            if self._file.stat().st_size > _LARGEST_COPY:
                raise Unavailable(f"the catalog cannot be used: {error}") from error
        _log.warning("the catalog '%s' cannot be used, and is kept in memory until it can: %s", self._file, error)
        memory = connections.connect_to_memory()
        try:
            with closing(sqlite3.connect(self._file, timeout=connections.BUSY_TIMEOUT)) as source:
                connections.copy(source, memory)
            copied: bool = memory.execute("PRAGMA user_version").fetchone()[0] != 0
        except sqlite3.Error:
            memory.close()
            memory, copied = connections.connect_to_memory(), False
        self._use_memory(memory)
        return copied

    def _use_memory(self, db: sqlite3.Connection) -> None:
        self._pool.close_idle()
        if self._memory:
            self._memory.close()
        self._memory = db
        self._retry_at = self._now() + _RETRY_INTERVAL
        with transaction(db):
            self._prepare(db, check_damage=False)

    def _delete_file(self) -> None:
        self._pool.close_idle()
        for suffix in ("", *connections.COMPANIONS):
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)


def retry_if_moved(method: Callable[P, T]) -> Callable[P, T]:
    """Decorate a method: it is retried once if the database moved meanwhile."""

    @wraps(method)
    def retrying(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return method(*arguments, **options)
        except DatabaseMoved:
            return method(*arguments, **options)

    return retrying
