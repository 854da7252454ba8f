"""An SQLite file that holds nothing that cannot be made anew.

Every connection is used by one thread at a time. A file that turns out to be damaged, when it is opened or later, is
replaced by an empty one.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from davfs.errors import Unavailable

_log = logging.getLogger(__name__)


class Database:
    """A pool of connections to one file.

    Args:
        file: The SQLite file; its folder exists.
        prepare: Makes the schema where it is missing, in a transaction of its own; raises `sqlite3.DatabaseError` where
            the file is damaged or of another schema.
        lost: Called where a file that was in use has been replaced by an empty one.
    """

    def __init__(self, file: Path, prepare: Callable[[sqlite3.Connection], None], lost: Callable[[], object]) -> None:
        self._file = file
        self._prepare = prepare
        self._lost = lost
        self._idle: list[sqlite3.Connection] = []
        self._pool = threading.Lock()  # over _idle and _life
        self._writing = threading.RLock()
        self._life = 0
        self._in_use = False
        self._closed = False

    def open(self) -> None:
        """Prepare the file, or an empty one in its place."""
        try:
            try:
                self._make_ready()
            except sqlite3.DatabaseError as error:
                _log.warning("the catalog is made anew: %s", error)
                self._discard()
                self._make_ready()
        except BaseException:
            self.close()
            raise
        self._in_use = True

    def close(self) -> None:
        """Close all connections: those that are idle now, those in use as soon as their use ends."""
        self._in_use = False
        self._closed = True
        self._retire()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection.

        Raises:
            Unavailable: The file was damaged, and has been replaced by an empty one.
        """
        with self._pool:
            life = self._life
            db = self._idle.pop() if self._idle else None
        db = db or _connect(self._file)
        try:
            yield db
        except sqlite3.DatabaseError as error:
            if self._in_use and type(error) is sqlite3.DatabaseError:  # damage; its subclasses are other troubles
                self._replace(life)
                raise Unavailable("the catalog was damaged and is being made anew: try again") from error
            raise
        finally:
            self._give_back(db, life)

    @contextmanager
    def without_writers(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to read with while no other thread writes."""
        with self._writing, self.read() as db:
            yield db

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside a transaction, to one thread at a time."""
        with self.without_writers() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.commit()
            except BaseException:
                with suppress(sqlite3.Error):
                    db.rollback()
                raise

    def _make_ready(self) -> None:
        with self.write() as db:
            self._prepare(db)

    def _replace(self, life: int) -> None:
        with self._writing:
            if life != self._life:
                return  # another thread has met the same damage
            _log.warning("the catalog was damaged and is made anew")
            self._discard()
            self._make_ready()
        self._lost()

    def _discard(self) -> None:
        self._retire()
        for suffix in ("", "-wal", "-shm"):
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


def _connect(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db
