"""An SQLite file that holds nothing that cannot be made anew.

Every connection is used by one thread at a time. What can go wrong with the file is no reason to answer nothing:

- A file that is damaged, which is found when it is opened or later, is replaced by an empty one.
- A file that cannot be written or read (the disk is full or read-only, another process has locked it) is copied into
  memory, where everything goes on; once it can be written again, the copy is written back.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum, auto
from functools import wraps
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from davfs.catalog import file_digest
from davfs.catalog.file_digest import DigestCheck
from davfs.errors import Unavailable
from davfs.private import make_private

_log = logging.getLogger(__name__)

_WAIT = 2.0
"""Seconds to wait where another process has locked the file."""
_STEPS = 10_000
"""Instructions of SQLite between two looks for `Database.interrupt`: some milliseconds."""
_LARGEST_COPY = 1 << 30
"""Bytes of the largest file that is copied into memory."""
_PAUSE = 30.0
"""Seconds between two attempts to go back to the file."""
_BESIDE = ("-wal", "-shm")
"""What SQLite puts behind a file's name for the files that it makes beside it."""
_NO_ACCESS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}

_DAMAGED = "the catalog was damaged and is being made anew: try again"

P = ParamSpec("P")
T = TypeVar("T")


class Moved(Unavailable):
    """The database is in another place now, with the same content: what was tried can be tried again."""


class Prepare(Protocol):
    """Makes a database ready: its schema where that is missing, and what its user keeps in memory of it."""

    def __call__(self, db: sqlite3.Connection, /, *, examine: bool) -> None:
        """Do so inside a transaction.

        Args:
            db: The connection.
            examine: Whether to look for damage first.

        Raises:
            sqlite3.DatabaseError: It is damaged, or of another schema.
        """


class Database:
    """A pool of connections to one file, or to its copy in memory.

    Args:
        file: The SQLite file; its folder exists.
        prepare: Makes it ready.
        lost: Called where a file that was in use has been replaced by an empty one.
        now: Clock, in seconds.

    Attributes:
        writing: Held by the thread that writes; it keeps the others from writing.
    """

    def __init__(
        self,
        file: Path,
        prepare: Prepare,
        lost: Callable[[], object],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._prepare = prepare
        self._lost = lost
        self._now = now
        self._idle: list[sqlite3.Connection] = []
        self._pool = threading.Lock()  # over _idle and _life
        self.writing = threading.RLock()
        self._memory: sqlite3.Connection | None = None
        self._not_before = 0.0
        self._life = 0
        self._lost_life = -1
        self._in_use = False
        self._interrupted = False
        self._closed = False

    def open(self) -> None:
        """Prepare the file, or an empty one in its place.

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
        found = file_digest.check(self._file)
        if found is DigestCheck.DIFFERENT:
            _log.warning("the catalog is made anew: it was changed while it was closed")
            self._discard()
        try:
            self._make_ready(examine=found is DigestCheck.MISSING)
        except sqlite3.DatabaseError as error:
            if _trouble(error) is _Trouble.NO_ACCESS:
                raise
            _log.warning("the catalog is made anew: %s", error)
            self._discard()
            self._make_ready(examine=False)

    def interrupt(self) -> None:
        """End what takes long, such as placing everything anew, with `Unavailable`; the database is to be closed."""
        self._interrupted = True

    def close(self) -> None:
        """Close all connections: those that are idle now, those in use as soon as their use ends."""
        whole = self._in_use and self._memory is None
        self._in_use = False
        self._closed = True
        self._retire()
        if self._memory and self.writing.acquire(timeout=_WAIT):
            self._memory.close()
            self.writing.release()
        if whole and not self._file.with_name(f"{self._file.name}-wal").exists():  # or somebody still uses it
            file_digest.write(self._file)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection.

        Raises:
            Moved: The file cannot be used now, and has been copied.
            Unavailable: It was damaged, and has been replaced by an empty one; or it is too large to be copied; or what
                was done with the connection took long, and was interrupted.
        """
        with self._pool:
            life = self._life
        try:
            with self._connection(life) as db:
                yield db
        except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:  # values that make no sense
            if self._interrupted:
                raise Unavailable("the drive is stopping") from error
            if self._in_use:
                self._mend(error, life)
            raise

    @contextmanager
    def _connection(self, life: int) -> Iterator[sqlite3.Connection]:
        while memory := self._memory:
            with self.writing:
                if memory is self._memory:
                    yield memory
                    return
        with self._pool:
            db = self._idle.pop() if self._idle else None
        db = db or self._connect()
        try:
            yield db
        finally:
            self._give_back(db, life)

    def _connect(self) -> sqlite3.Connection:
        db = _connect(self._file)
        db.set_progress_handler(lambda: self._interrupted, _STEPS)
        return db

    @contextmanager
    def without_writers(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to read with while no other thread writes."""
        with self.writing, self.read() as db:
            yield db

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside a transaction, to one thread at a time.

        Raises:
            Unavailable: The database is closed; and as `read`.
        """
        if self._closed:
            raise Unavailable("the catalog is closed")
        with self.without_writers() as db, _transaction(db):
            yield db

    def return_to_file(self) -> bool:
        """Write the copy in memory back to the file, where that can be written again; return True if it was."""
        if self._memory is None or self._now() < self._not_before:
            return False
        with self.writing:
            memory = self._memory
            try:
                with closing(_connect(self._file)) as db:
                    memory.backup(db, progress=_no_waiting)
            except sqlite3.Error:
                self._not_before = self._now() + _PAUSE
                return False
            self._retire()
            self._memory = None
            memory.close()
        _log.warning("the catalog is in its file again")
        return True

    def _make_ready(self, *, examine: bool) -> None:
        with self.write() as db:
            self._prepare(db, examine=examine)

    def _mend(self, error: Exception, life: int) -> None:
        """Make the database usable again; the caller that met the error is told to try again, or that all is gone.

        Nothing is done where the error has nothing to do with the file.
        """
        trouble = _trouble(error)
        with self.writing:
            if life <= self._lost_life:
                raise Unavailable(_DAMAGED) from error
            if life != self._life:
                raise Moved("the catalog has just been moved: try again") from error
            if trouble is _Trouble.NO_ACCESS and self._memory is None:
                kept = self._copy_into_memory(error)
            elif trouble is _Trouble.NO_ACCESS or (trouble is _Trouble.UNCLEAR and self._is_sound()):
                return
            else:
                self._replace()
                kept = False
            self._lost_life = self._lost_life if kept else life
        if kept:
            raise Moved("the catalog is in memory for now: try again") from error
        self._lost()
        raise Unavailable(_DAMAGED) from error

    def _is_sound(self) -> bool:
        """Return True if no damage is found: then an error is one of the program."""
        try:
            with self._connection(self._life) as db, _transaction(db):
                self._prepare(db, examine=True)
        except (sqlite3.Error, ValueError, TypeError, OverflowError):
            return False
        return True

    def _replace(self) -> None:
        """Put an empty database in the place of a damaged one."""
        _log.warning("the catalog was damaged and is made anew")
        if self._memory is None:
            try:
                self._discard()
                with closing(_connect(self._file)) as db, _transaction(db):
                    self._prepare(db, examine=False)
            except (sqlite3.Error, OSError) as error:
                _log.warning("the catalog cannot be made anew where it is, and is kept in memory: %s", error)
            else:
                return
        self._use_memory(_memory())

    def _copy_into_memory(self, error: Exception) -> bool:
        """Go on in memory; return whether the content of the file is there as well.

        Raises:
            Unavailable: The file is too large for that.
        """
        with suppress(OSError):
            if self._file.stat().st_size > _LARGEST_COPY:
                raise Unavailable(f"the catalog cannot be used: {error}") from error
        _log.warning("the catalog '%s' cannot be used, and is kept in memory until it can: %s", self._file, error)
        copy = _memory()
        try:
            with closing(sqlite3.connect(self._file, timeout=_WAIT)) as source:
                source.backup(copy, progress=_no_waiting)
            kept: bool = copy.execute("PRAGMA user_version").fetchone()[0] != 0
        except sqlite3.Error:
            copy.close()
            copy, kept = _memory(), False
        self._use_memory(copy)
        return kept

    def _use_memory(self, db: sqlite3.Connection) -> None:
        self._retire()
        if self._memory:
            self._memory.close()
        self._memory = db
        self._not_before = self._now() + _PAUSE
        with _transaction(db):
            self._prepare(db, examine=False)

    def _discard(self) -> None:
        self._retire()
        for suffix in ("", *_BESIDE):
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)

    def _give_back(self, db: sqlite3.Connection, life: int) -> None:
        with self._pool:
            kept = life == self._life and not self._closed
            if kept:
                self._idle.append(db)
        if not kept:
            db.close()

    def _retire(self) -> None:
        with self._pool:
            self._life += 1
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()


def again_where_moved(method: Callable[P, T]) -> Callable[P, T]:
    """Make a method that is run once more where the database has moved meanwhile."""

    @wraps(method)
    def twice(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return method(*arguments, **options)
        except Moved:
            return method(*arguments, **options)

    return twice


class _Trouble(Enum):
    NO_ACCESS = auto()
    DAMAGE = auto()
    UNCLEAR = auto()


def _trouble(error: Exception) -> _Trouble:
    """Return what an error tells of the file."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _NO_ACCESS:
        return _Trouble.NO_ACCESS
    return _Trouble.DAMAGE if type(error) is sqlite3.DatabaseError else _Trouble.UNCLEAR


def _no_waiting(status: int, _remaining: int, _total: int) -> None:
    """End a backup that cannot go on: Python tries again for ever."""
    if status & 0xFF in _NO_ACCESS:
        raise sqlite3.OperationalError("database is locked")


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.commit()
    except BaseException:
        with suppress(sqlite3.Error):
            db.rollback()
        raise


def _memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _connect(file: Path) -> sqlite3.Connection:
    make_private(file)
    for suffix in _BESIDE:  # SQLite makes them with the mode of the file; these are of an older version of this program
        make_private(Path(f"{file}{suffix}"), create=False)
    db = sqlite3.connect(file, timeout=_WAIT, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db
