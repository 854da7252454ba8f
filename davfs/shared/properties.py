"""Dead properties in the database: values that clients keep at files and folders (RFC 4918 §4).

They are moved and removed with the names, in the same transaction (`davfs.shared.names`).
"""

from collections.abc import Mapping

from davfs.entry import Path
from davfs.errors import NoSpace
from davfs.shared.counts import PROPERTY_SIZE
from davfs.shared.database import SharedDatabase
from davfs.shared.names import Names
from davfs.shared.rows import BELOW
from davfs.spool.dead_properties import LARGEST_OF_ALL, LARGEST_OF_ONE_USER, children, property_growth
from davfs.spool.files import UPLOAD_RECORD
from davfs.spool.property_database import path_key, path_keys


class SharedProperties:
    """The dead properties of all names.

    Args:
        database: Has them.
    """

    def __init__(self, database: SharedDatabase) -> None:
        self._database = database

    def all(self, path: Path) -> dict[str, bytes]:
        """Return the properties of a file or folder as XML, by their names."""
        query = "SELECT name, value FROM davfs_property WHERE path = %(path)s AND name <> %(record)s ORDER BY name"
        return dict(self._database.rows(query, {**path_keys(path), "record": UPLOAD_RECORD}))

    def get(self, path: Path, name: str) -> bytes | None:
        """Return a property as XML; None if there is none."""
        query = "SELECT value FROM davfs_property WHERE path = %(path)s AND name = %(name)s"
        rows = self._database.rows(query, {**path_keys(path), "name": name})
        return next((bytes(value) for (value,) in rows), None)

    def in_folder(self, path: Path, name: str) -> dict[str, bytes]:
        """See `ClientProperties`."""
        keys = path_keys(path)
        query = (
            "SELECT path, value FROM davfs_property WHERE path >= %(below)s AND path < %(beyond)s AND name = %(name)s"
        )
        return children(self._database.rows(query, {**keys, "name": name}), keys["below"])

    def any_below(self, path: Path) -> bool:
        """Return True if a file or folder has properties that clients see, or anything below it."""
        query = f"SELECT FROM davfs_property WHERE {BELOW} AND name <> %(record)s LIMIT 1"
        return bool(self._database.rows(query, {**path_keys(path), "record": UPLOAD_RECORD}))

    def drop(self, path: Path, name: str) -> None:
        """Remove a property; that it does not exist is no error (RFC 4918 §9.2)."""
        with self._database.names_locked() as session:
            names = Names(session, 0)
            names.remove_properties("path = %(path)s AND name = %(name)s", {**path_keys(path), "name": name})
            names.settle()


def set_property(names: Names, path: Path, name: str, value: bytes, user: str) -> None:
    """Set a property."""
    row = {"path": path_key(path), "name": name, "value": value, "user": user}
    names.remove_properties("path = %(path)s AND name = %(name)s", row)
    names.session.execute("INSERT INTO davfs_property VALUES (%(path)s, %(name)s, %(value)s, %(user)s)", row)
    names.count_properties()


def check(names: Names, path: Path, values: Mapping[str, bytes], user: str) -> int:
    """Check if a file or folder can have these properties; return by how many bytes all would grow.

    Raises:
        NoSpace: They are too large, or there would be too many, of the file or of this user.
    """
    query = f"SELECT name, owner, {PROPERTY_SIZE} FROM davfs_property WHERE path = %(path)s"
    rows = names.session.execute(query, path_keys(path)).rows
    growth, of_user = property_growth(path, rows, values, user)
    _check_all(names, path, {user: of_user})
    return growth


def check_copy(names: Names, source: Path, target: Path, *, deep: bool) -> int:
    """Check if properties can be copied; return at most how many bytes that adds.

    Raises:
        NoSpace: There would be too many, of all or of one of the users.
    """
    where = BELOW if deep else "path = %(path)s"
    query = f"SELECT owner, count(*), sum({PROPERTY_SIZE}) FROM davfs_property WHERE {where} GROUP BY owner"
    found = names.session.execute(query, path_keys(source)).rows
    growth = {owner: int(size) + count * len(path_key(target).encode()) for owner, count, size in found}
    _check_all(names, target, growth)
    return sum(growth.values())


def _check_all(names: Names, path: Path, growth: Mapping[str, int]) -> None:
    growing = {user: size for user, size in growth.items() if size > 0}
    if not growing:
        return
    query = f"SELECT owner, sum({PROPERTY_SIZE}) FROM davfs_property GROUP BY owner"
    sizes = {owner: int(size) for owner, size in names.session.execute(query)}
    of_one = max(sizes.get(user, 0) + size for user, size in growing.items())
    if sum(sizes.values()) + sum(growing.values()) > LARGEST_OF_ALL or of_one > LARGEST_OF_ONE_USER:
        raise NoSpace(path, "There are too many properties in the inbox.")
