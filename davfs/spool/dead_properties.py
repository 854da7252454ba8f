"""Dead properties: what clients keep at files and folders of the inbox (RFC 4918 §4), in an SQLite file beside them.

They are known by the path of their file or folder. `davfs.spool.disk` tells of every name that moves or goes, in the
same step: so a property is never seen at another file, and none outlives its own. Where the database cannot be written
(a full disk), what should have gone is remembered, and nothing is shown until it has.

A change outlives this process; it may not outlive a power failure, for it is not synchronised: a rename waits for it.
"""

import errno
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path as DiskPath
from typing import Any

from davfs.entry import Path
from davfs.errors import NoSpace
from davfs.private import make_private

_log = logging.getLogger(__name__)

LARGEST = 256 * 1024
"""Bytes of all properties of one file or folder."""
LARGEST_OF_ALL = 64 << 20
"""Bytes of all properties, which count in the quota of the inbox as well."""
LARGEST_OF_ONE_USER = LARGEST_OF_ALL // 4
"""Bytes of all that one user has set, copies included; those without a name are one."""
MOST = 200
"""Properties of one file or folder."""
_OVERHEAD = 128
"""Bytes that each property counts beyond its name, its value and its path."""
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
_COST = f"length(cast(path as blob)) + length(cast(name as blob)) + length(value) + {_OVERHEAD}"
_ONE = "path = :path and name = :name"
_BELOW = "(path = :path or path >= :below and path < :beyond)"


class DeadProperties:
    """The properties of a spool's files and folders; its methods may be called from several threads at once.

    Args:
        file: The database; made with the first property.
        counted: Is told how many bytes they take, whenever that changes.

    Raises:
        OSError: There is a file, and it can neither be used nor be made anew.
    """

    def __init__(self, file: DiskPath, counted: Callable[[int], None] = lambda _size: None) -> None:
        self._file = file
        self._counted = counted
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._sizes: Counter[str] = Counter()
        self._size = 0
        self._gone: list[Path] = []
        self._closed = False
        if file.exists():
            self._open()

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return self._size

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._database:
                self._database.close()
            self._database, self._closed = None, True
            self._become(Counter())

    def names(self, path: Path) -> list[str]:
        """Return the names of the properties of a file or folder, in Clark's notation."""
        return [name for (name,) in self._rows("select name from dead_property where path = :path", _keys(path))]

    def all(self, path: Path) -> dict[str, bytes]:
        """Return the properties of a file or folder as XML, by their names."""
        rows = self._rows("select name, value from dead_property where path = :path", _keys(path))
        return {name: bytes(value) for name, value in rows}

    def get(self, path: Path, name: str) -> bytes | None:
        """Return a property as XML; None where there is none."""
        where = "select value from dead_property where path = :path and name = :name"
        return next((bytes(value) for (value,) in self._rows(where, {**_keys(path), "name": name})), None)

    def any_below(self, path: Path) -> bool:
        """Return True if a file or folder has properties, or anything below it."""
        return bool(self._rows(f"select 1 from dead_property where {_BELOW} limit 1", _keys(path)))  # noqa: S608  constant

    def growth(self, path: Path, values: Mapping[str, bytes], user: str) -> int:
        """Return by how many bytes these properties of a file or folder would make all of them larger.

        Raises:
            NoSpace: They are too large, or there would be too many, of the file or of this user.
        """
        rows = self._rows(f"select name, user, {_COST} from dead_property where path = :path", _keys(path))  # noqa: S608  constant
        costs = {name: cost for name, _, cost in rows}
        own = sum(cost for name, other, cost in rows if other == user and name in values)
        before: int = sum(costs.values())
        added = {name: _cost(path, name, value) for name, value in values.items()}
        costs |= added
        after: int = sum(costs.values())
        if after > max(before, LARGEST) or len(costs) > MOST:
            raise NoSpace(path, "It has too many properties, or they are too large.")
        self._check(path, user, sum(added.values()) - own)
        return after - before

    def growth_by_copy(self, source: Path, target: Path, *, deep: bool) -> int:
        """Return at most how many bytes `copy` would add.

        Raises:
            NoSpace: There would be too many, of all or of one of those who have set them.
        """
        where = _BELOW if deep else "path = :path"
        found = f"select user, count(*), sum({_COST}) from dead_property where {where} group by user"  # noqa: S608  constant
        growth: int = 0
        for user, count, size in self._rows(found, _keys(source)):
            more = size + count * len(_key(target).encode())
            self._check(target, user, more)
            growth += more
        return growth

    def set(self, path: Path, name: str, value: bytes, user: str) -> None:
        """Keep a property that a user sets; see `growth` for how many there may be.

        Raises:
            NoSpace: It cannot be written.
        """
        with self._for_client(path) as database:
            row = {**_keys(path), "name": name, "value": value, "user": user}
            self._remove(database, _ONE, row)
            database.execute("insert into dead_property values(:path, :name, :value, :user)", row)
            self._sizes[user] += _cost(path, name, value)

    def drop(self, path: Path, name: str) -> None:
        """Forget a property; that it does not exist is no error (RFC 4918 §9.2).

        Raises:
            NoSpace: It cannot be written down.
        """
        if self.size:
            with self._for_client(path) as database:
                self._remove(database, _ONE, {**_keys(path), "name": name})

    def forget(self, path: Path) -> None:
        """Forget the properties of what is gone, and of all that was below it."""
        self._follow(lambda database: self._remove(database, _BELOW, _keys(path)), path)

    def move(self, source: Path, target: Path) -> None:
        """Give the target, and what is below it, the properties of the source instead of those that it had."""

        def change(database: sqlite3.Connection) -> None:
            self._remove(database, _BELOW, _keys(target))
            self._insert_copies(database, source, target, deep=True)
            self._remove(database, _BELOW, _keys(source))

        self._follow(change, target, source)

    def copy(self, source: Path, target: Path, *, deep: bool) -> None:
        """Give the target the properties of the source instead of those that it had; ``deep`` with all below it."""

        def change(database: sqlite3.Connection) -> None:
            self._remove(database, _BELOW, _keys(target))
            self._insert_copies(database, source, target, deep=deep)

        self._follow(change, target)

    def forget_absent(self, is_there: Callable[[str], bool], below: Path = ()) -> None:
        """Forget the properties of what is not there.

        Args:
            is_there: Tells whether there is anything at a path, which is joined by slashes.
            below: Where to look.
        """
        paths = self._rows(f"select distinct path from dead_property where {_BELOW}", _keys(below))  # noqa: S608  constant
        for (path,) in paths:
            if path and not is_there(path):
                self.forget(tuple(path.split("/")))

    def shrink(self) -> None:
        """Give the disk back what the file does not need any more."""
        with self._lock:
            database = self._database
            if database is None:
                return
            try:
                if database.execute("pragma freelist_count").fetchone()[0] > _SPARE_PAGES:
                    database.executescript("pragma incremental_vacuum; pragma wal_checkpoint(truncate)")
            except sqlite3.Error as error:
                _log.warning("the file of properties stays larger than it has to be: %s", error)

    def _insert_copies(self, database: sqlite3.Connection, source: Path, target: Path, *, deep: bool) -> None:
        where = _BELOW if deep else "path = :path"
        copied = (
            f"select :target || substr(path, length(:path) + 1), name, value, user from dead_property where {where}"  # noqa: S608  constant
        )
        made = f"insert into dead_property {copied} returning user, {_COST}"
        for user, size in database.execute(made, {**_keys(source), "target": _key(target)}).fetchall():
            self._sizes[user] += size

    @contextmanager
    def _for_client(self, path: Path) -> Iterator[sqlite3.Connection]:
        """Change the database, or tell a client that this cannot be."""
        try:
            with self._changing() as database:
                yield database
        except (sqlite3.Error, OSError) as error:
            raise NoSpace(path, "There is no room for properties.") from error

    def _follow(self, change: Callable[[sqlite3.Connection], None], *paths: Path) -> None:
        """Change the database; where that fails, the properties of these paths are to go as soon as it can be changed.

        Nothing is done while there is no property at all.
        """
        with self._lock:
            if not self.size and not self._gone:
                return
            try:
                with self._changing() as database:
                    change(database)
            except sqlite3.Error as error:
                self._gone += paths
                _log.warning("properties could not follow their files, and are forgotten: %s", error)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Change the database in one transaction, and tell how large it is then."""
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError("closed")
            database = self._database or self._open()
            before = self._sizes.copy()
            try:
                with database:
                    database.execute("begin immediate")
                    for path in self._gone:
                        self._remove(database, _BELOW, _keys(path))
                    yield database
            except BaseException:
                self._become(before)
                raise
            self._gone.clear()
            self._become(self._sizes)
            self._counted(self._size)

    def _rows(self, statement: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Return rows; none while the database cannot be used, or shows what should have gone."""
        with self._lock:
            try:
                if self._gone:
                    with self._changing():
                        pass
                return self._database.execute(statement, values).fetchall() if self.size and self._database else []
            except sqlite3.Error as error:
                _log.warning("properties cannot be read: %s", error)
                return []

    def _remove(self, database: sqlite3.Connection, where: str, values: Mapping[str, object]) -> None:
        removed = f"delete from dead_property where {where} returning user, {_COST}"  # noqa: S608  constant
        for user, size in database.execute(removed, values).fetchall():
            self._sizes[user] -= size
        self._sizes += Counter()  # without users who have none

    def _become(self, sizes: Counter[str]) -> None:
        """Count these bytes of each user; those of all are for whoever asks without the lock."""
        self._sizes, self._size = sizes, sizes.total()

    def _check(self, path: Path, user: str, growth: int) -> None:
        if growth <= 0:
            return
        if self._size + growth > LARGEST_OF_ALL or self._sizes[user] + growth > LARGEST_OF_ONE_USER:
            raise NoSpace(path, "There are too many properties in the inbox.")

    def _open(self) -> sqlite3.Connection:
        """Open the file; one that is damaged is made anew."""
        try:
            self._database = _opened(self._file)
        except sqlite3.OperationalError as error:
            raise OSError(errno.EIO, f"{self._file.name}: {error}") from error
        except sqlite3.DatabaseError as error:
            _log.warning("the file of properties cannot be used, and is made anew: %s", error)
            for suffix in ("", "-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
            self._database = _opened(self._file)
        found = self._database.execute(f"select user, sum({_COST}) from dead_property group by user")  # noqa: S608  constant
        self._become(Counter(dict(found.fetchall())))
        self._counted(self._size)
        return self._database


def _opened(file: DiskPath) -> sqlite3.Connection:
    make_private(file)
    database = sqlite3.connect(file, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
    try:
        database.execute("pragma auto_vacuum = incremental")
        if not database.execute("pragma auto_vacuum").fetchone()[0]:
            database.execute("vacuum")  # of a file that had no such setting
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = normal")
        if database.execute("pragma user_version").fetchone()[0] != _VERSION:
            database.executescript(f"{_OLDER}; pragma user_version = {_VERSION}")
        database.executescript(_SCHEMA)
    except BaseException:
        database.close()
        raise
    return database


def _cost(path: Path, name: str, value: bytes) -> int:
    return len(_key(path).encode()) + len(name.encode()) + len(value) + _OVERHEAD


def _key(path: Path) -> str:
    """Return a path as text; what is no UTF-8 on the disk gets a backslash, which no name of a client has."""
    return "/".join(path).encode(errors="backslashreplace").decode()


def _keys(path: Path) -> dict[str, str]:
    """Return what a path is known by, and the bounds of those below it; "0" follows "/"."""
    key = _key(path)
    return {"path": key, "below": f"{key}/" if key else "", "beyond": f"{key}0" if key else "\U0010ffff"}
