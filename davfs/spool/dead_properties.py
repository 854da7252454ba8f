"""Dead properties: values that clients keep at files and folders of the inbox (RFC 4918 §4).

A property is stored by the path of its file or folder. `davfs.spool.disk` renames and removes properties together with
files: so a property is never seen at another file, and none outlives its own.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.errors import NoSpace
from davfs.spool.files import UPLOAD_RECORD
from davfs.spool.property_database import BELOW, COST, PropertyDatabase, cost, path_key, path_keys

LARGEST = 256 * 1024
"""Bytes of all properties of one file or folder."""
LARGEST_OF_ALL = 64 << 20
"""Bytes of all properties, which count in the quota of the inbox as well."""
LARGEST_OF_ONE_USER = LARGEST_OF_ALL // 4
"""Bytes of all that one user has set, copies included; all requests without a login are one user."""
MOST = 200
"""Properties of one file or folder."""
_ONE = "path = :path and name = :name"


class DeadProperties:
    """The properties of a spool's files and folders; thread-safe.

    Args:
        file: The database; made with the first property.
        counted: Called with the bytes of all properties, whenever they change.

    Raises:
        OSError: There is a file, and it can neither be used nor be replaced.
    """

    def __init__(self, file: DiskPath, counted: Callable[[int], None] = lambda _size: None) -> None:
        self._database = PropertyDatabase(file, counted)
        self.shrink = self._database.shrink
        self.close = self._database.close

    @property
    def size(self) -> int:
        """Bytes of all properties."""
        return self._database.size

    def names(self, path: Path) -> list[str]:
        """Return the names of the properties of a file or folder, in Clark's notation."""
        rows = self._database.rows("select name from dead_property where path = :path", path_keys(path))
        return [name for (name,) in rows]

    def all(self, path: Path) -> dict[str, bytes]:
        """Return the properties of a file or folder as XML, by their names."""
        rows = self._database.rows("select name, value from dead_property where path = :path", path_keys(path))
        return {name: bytes(value) for name, value in rows if name != UPLOAD_RECORD}

    def get(self, path: Path, name: str) -> bytes | None:
        """Return a property as XML; None if there is none."""
        query = f"select value from dead_property where {_ONE}"  # noqa: S608  constant
        return next((bytes(value) for (value,) in self._database.rows(query, {**path_keys(path), "name": name})), None)

    def in_folder(self, path: Path, name: str) -> dict[str, bytes]:
        """See `ClientProperties`."""
        keys = path_keys(path)
        query = "select path, value from dead_property where path >= :below and path < :beyond and name = :name"
        return children(self._database.rows(query, {**keys, "name": name}), keys["below"])

    def any_below(self, path: Path) -> bool:
        """Return True if a file or folder has properties that clients see, or anything below it."""
        query = f"select 1 from dead_property where {BELOW} and name <> :name limit 1"  # noqa: S608  constant
        return bool(self._database.rows(query, {**path_keys(path), "name": UPLOAD_RECORD}))

    def growth(self, path: Path, values: Mapping[str, bytes], user: str) -> int:
        """Return by how many bytes these properties of a file or folder would make all of them larger.

        Raises:
            NoSpace: They are too large, or there would be too many, of the file or of this user.
        """
        query = f"select name, user, {COST} from dead_property where path = :path"  # noqa: S608  constant
        rows = self._database.rows(query, path_keys(path))
        growth, of_user = property_growth(path, rows, values, user)
        self._check(path, user, of_user)
        return growth

    def growth_by_copy(self, source: Path, target: Path, *, deep: bool) -> int:
        """Return at most how many bytes `copy` would add.

        Raises:
            NoSpace: There would be too many, of all or of one of the users.
        """
        where = BELOW if deep else "path = :path"
        query = f"select user, count(*), sum({COST}) from dead_property where {where} group by user"  # noqa: S608  constant
        growth: int = 0
        for user, count, size in self._database.rows(query, path_keys(source)):
            more = size + count * len(path_key(target).encode())
            self._check(target, user, more)
            growth += more
        return growth

    def set(self, path: Path, name: str, value: bytes, user: str) -> None:
        """Set a property; see `growth` for how many there may be.

        Raises:
            NoSpace: It cannot be written.
        """
        with self._changing(path) as connection:
            row = {**path_keys(path), "name": name, "value": value, "user": user}
            self._database.remove(connection, _ONE, row)
            connection.execute("insert into dead_property values(:path, :name, :value, :user)", row)
            self._database.sizes[user] += cost(path, name, value)

    def drop(self, path: Path, name: str) -> None:
        """Remove a property; that it does not exist is no error (RFC 4918 §9.2).

        Raises:
            NoSpace: It cannot be written.
        """
        if self.size:
            with self._changing(path) as connection:
                self._database.remove(connection, _ONE, {**path_keys(path), "name": name})

    def forget(self, path: Path) -> None:
        """Remove the properties of a file or folder that is gone, and of all that was below it."""
        self._database.follow(lambda connection: self._database.remove(connection, BELOW, path_keys(path)), path)

    def move(self, source: Path, target: Path) -> None:
        """Replace the properties of the target, and of all below it, by those of the source."""

        def change(connection: sqlite3.Connection) -> None:
            self._database.remove(connection, BELOW, path_keys(target))
            self._insert_copies(connection, source, target, deep=True)
            self._database.remove(connection, BELOW, path_keys(source))

        self._database.follow(change, target, source)

    def copy(self, source: Path, target: Path, *, deep: bool) -> None:
        """Replace the properties of the target by copies of those of the source; ``deep`` with all below it."""

        def change(connection: sqlite3.Connection) -> None:
            self._database.remove(connection, BELOW, path_keys(target))
            self._insert_copies(connection, source, target, deep=deep)

        self._database.follow(change, target)

    def forget_absent(self, is_there: Callable[[str], bool], below: Path = ()) -> None:
        """Remove the properties of files that do not exist.

        Args:
            is_there: Returns True if there is a file or folder at a path, which is joined by slashes.
            below: The folder to search.
        """
        paths = self._database.rows(f"select distinct path from dead_property where {BELOW}", path_keys(below))  # noqa: S608  constant
        for (path,) in paths:
            if path and not is_there(path):
                self.forget(tuple(path.split("/")))

    def _insert_copies(self, connection: sqlite3.Connection, source: Path, target: Path, *, deep: bool) -> None:
        where = BELOW if deep else "path = :path"
        copied = (
            f"select :target || substr(path, length(:path) + 1), name, value, user from dead_property where {where}"  # noqa: S608  constant
        )
        inserted = f"insert into dead_property {copied} returning user, {COST}"
        for user, size in connection.execute(inserted, {**path_keys(source), "target": path_key(target)}).fetchall():
            self._database.sizes[user] += size

    @contextmanager
    def _changing(self, path: Path) -> Iterator[sqlite3.Connection]:
        """Change the table; raises `NoSpace` if that is not possible."""
        try:
            with self._database.changing() as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise NoSpace(path, "There is no room for properties.") from error

    def _check(self, path: Path, user: str, growth: int) -> None:
        too_many = self.size + growth > LARGEST_OF_ALL or self._database.sizes[user] + growth > LARGEST_OF_ONE_USER
        if growth > 0 and too_many:
            raise NoSpace(path, "There are too many properties in the inbox.")


def children(rows: Iterable[tuple[str, bytes]], below: str) -> dict[str, bytes]:
    """Return those of some properties that belong to what is right in a folder, by its names.

    Args:
        rows: Keys of paths in the folder, and values.
        below: What these keys begin with.
    """
    found = ((path[len(below) :], value) for path, value in rows)
    return {name: bytes(value) for name, value in found if name and "/" not in name}


def property_growth(
    path: Path, rows: Iterable[tuple[str, str, int]], values: Mapping[str, bytes], user: str
) -> tuple[int, int]:
    """Return by how many bytes new properties make all those of a file or folder larger, and those of their user.

    Args:
        path: The file or folder.
        rows: Name, owner and bytes of each property that it has.
        values: The new properties.
        user: Who sets them.

    Raises:
        NoSpace: They are too large, or too many.
    """
    known = list(rows)
    costs = {name: size for name, _, size in known}
    own = sum(size for name, owner, size in known if owner == user and name in values)
    before = sum(costs.values())
    added = {name: cost(path, name, value) for name, value in values.items()}
    costs |= added
    after = sum(costs.values())
    if after > max(before, LARGEST) or len(costs) > MOST:
        raise NoSpace(path, "It has too many properties, or they are too large.")
    return after - before, sum(added.values()) - own
