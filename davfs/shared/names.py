"""Changes of the table of names, in one transaction: what is at the paths of the inbox that several Orthancs share.

The names and bytes that a transaction adds or removes are counted when it ends (`Names.settle`).
"""

from collections.abc import Mapping

from davfs.entry import Path
from davfs.errors import AlreadyExists, Forbidden, NotFound, ParentMissing
from davfs.shared.counts import ORIGINALS, Uncounted
from davfs.shared.rows import BELOW, COLUMNS, VISIBLE, Name, can_exist, check_path
from davfs.shared.session import Session
from davfs.spool.disk_errors import REASONS
from davfs.spool.property_database import path_key, path_keys

_NEW_TAG = "md5(random()::text || clock_timestamp()::text)"
_OLD = "modified <= clock_timestamp() - make_interval(secs => %(age)s)"
_MOVED = "%(target)s || substr(path, length(%(path)s) + 1)"
"""The path of what was at or below ``path``, at or below ``target``."""

_EMPTY: dict[str, object] = dict.fromkeys(("content", "instance", "receipt_size")) | {"size": 0, "is_folder": False}
_GIVEN = f"({', '.join(f'%({column})s' for column in _EMPTY)}, {_NEW_TAG}, clock_timestamp()"
_NEW = f"{', '.join(_EMPTY)}, etag, modified"
_INSERT = f"INSERT INTO davfs_name ({_NEW}, path) VALUES {_GIVEN}, %(path)s) RETURNING {COLUMNS}"
_REPLACE = f"UPDATE davfs_name SET ({_NEW}) = {_GIVEN}) WHERE path = %(path)s RETURNING {COLUMNS}"


class Names:
    """The names within one transaction; they are changed under the lock of all names (`davfs.shared.database`).

    Args:
        session: Has the transaction.
        age: Seconds after which a file or a receipt expires; 0 for no limit.
    """

    def __init__(self, session: Session, age: float) -> None:
        self.session = session
        self._age = age
        self._changes = Uncounted()
        self._totals: tuple[int, int] | None = None

    def find(self, *paths: Path) -> list[Name | None]:
        """Return the names at paths; None where there is none."""
        keys = [path_key(path) if can_exist(path) else None for path in paths]
        query = f"SELECT {COLUMNS} FROM davfs_name WHERE path = ANY(%(paths)s)"
        values = {"paths": [key for key in keys if key is not None], "age": self._age}
        found = {row[0]: Name(*row) for row in self.session.execute(query, values)}
        return [None if key is None else found.get(key) for key in keys]

    def find_with_usage(self, path: Path) -> tuple[Name | None, Name | None, int, int]:
        """Return the name of a path's folder and that at the path, all bytes that are used, and those of originals."""
        folder, key = path_key(path[:-1]), path_key(path)
        tables = "davfs_name CROSS JOIN davfs_usage"
        query = f"SELECT bytes + properties, ({ORIGINALS}), {COLUMNS} FROM {tables} WHERE path = ANY(%(paths)s)"
        rows = self.session.execute(query, {"paths": [folder, key], "age": self._age}).rows
        found = {row[2]: Name(*row[2:]) for row in rows}
        used, originals = rows[0][:2] if rows else (0, 0)
        return found.get(folder), found.get(key), used, originals

    def usage(self) -> tuple[int, int]:
        """Return all bytes that are used, and those of originals."""
        used, originals = self.session.execute(f"SELECT bytes + properties, ({ORIGINALS}) FROM davfs_usage", {}).first
        return used, originals

    def visible(self, path: Path) -> Name:
        """Return the name at a path; raises `NotFound` if there is none, or if it has expired."""
        (found,) = self.find(path)
        if found is None or not found.is_visible:
            raise NotFound(path, REASONS[NotFound])
        return found

    def in_folder(self, path: Path) -> list[Name]:
        """Return the name at a path, and the visible names in it, in order; raises `NotFound` if there is none."""
        query = f"SELECT {COLUMNS} FROM davfs_name WHERE path = %(path)s OR folder = %(path)s ORDER BY path"
        values = {"path": path_key(path), "age": self._age}
        found = [Name(*row) for row in self.session.execute(query, values)] if can_exist(path) else []
        if not found or found[0].path != path_key(path) or not found[0].is_visible:
            raise NotFound(path, REASONS[NotFound])
        return [name for name in found if name.is_visible]

    def target(self, path: Path, *, replace: bool) -> Name | None:
        """Return what is at a path that is to be taken; what has expired is removed.

        Raises:
            ParentMissing: There is no folder to hold it.
            AlreadyExists: It is taken, and must not be replaced.
        """
        parent, found = self.find(path[:-1], path)
        if parent is None or not parent.is_folder:
            raise ParentMissing(path, REASONS[ParentMissing])
        if found and not found.is_visible:
            self.remove(path)
            return None
        if found and not replace:
            raise AlreadyExists(path, REASONS[AlreadyExists])
        return found

    def put(self, path: Path, values: Mapping[str, object], replaced: Name | None) -> Name:
        """Make a file, a receipt or a folder, in the place of another file or receipt or of none."""
        row = _EMPTY | dict(values) | {"path": path_key(path), "age": self._age}
        if replaced:
            self._release(replaced.content)
        else:
            self._changes.names += 1
            self.touch(path[:-1])
        return Name(*self.session.execute(_REPLACE if replaced else _INSERT, row).first)

    def remove(self, path: Path) -> None:
        """Remove a file, a receipt, or a folder with all in it, with the properties."""
        self._remove(BELOW, path_keys(path))
        self.remove_properties(BELOW, path_keys(path))
        self.touch(path[:-1])

    def move(self, source: Path, target: Path, *, replace: bool) -> None:
        """Rename a file, a receipt, or a folder with all in it; see `davfs.filesystem.area.Movable`."""
        self._make_room(source, target, replace=replace, deep=True)
        paths = path_keys(source) | {"target": path_key(target)}
        self.session.execute(f"UPDATE davfs_name SET path = {_MOVED} WHERE {BELOW}", paths)
        moved = self.session.execute(f"UPDATE davfs_property SET path = {_MOVED} WHERE {BELOW}", paths)
        self._changes.properties |= bool(moved.count)
        self.touch(source[:-1])
        self.touch(target[:-1])

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool) -> None:
        """Copy a file, a receipt or a folder; the copy of a file is another name of the same content."""
        self._make_room(source, target, replace=replace, deep=deep)
        columns = "is_folder, content, instance, receipt_size, size, etag, modified"
        made = self.session.execute(
            f"INSERT INTO davfs_name (path, {columns}) SELECT {_MOVED}, {columns} FROM davfs_name"
            f" WHERE {BELOW if deep else 'path = %(path)s'} AND {VISIBLE}",
            path_keys(source) | {"target": path_key(target), "age": self._age},
        )
        self._changes.names += made.count
        self.touch(target[:-1])

    def copy_properties(self, source: Path, target: Path, *, deep: bool) -> None:
        """Give a copy the properties of its source, in the place of those that it has."""
        self.remove_properties(BELOW, path_keys(target))
        self.session.execute(
            f"INSERT INTO davfs_property SELECT {_MOVED}, name, value, owner FROM davfs_property"
            f" WHERE {BELOW if deep else 'path = %(path)s'} AND {_MOVED} IN (SELECT path FROM davfs_name)",
            path_keys(source) | {"target": path_key(target)},
        )
        self._changes.properties = True

    def remove_properties(self, where: str, values: Mapping[str, object]) -> None:
        """Remove properties."""
        gone = self.session.execute(f"DELETE FROM davfs_property WHERE {where}", values)
        self._changes.properties |= bool(gone.count)

    def count_properties(self) -> None:
        """Count the properties again, when this transaction ends."""
        self._changes.properties = True

    def touch(self, folder: Path) -> None:
        """Date a folder when this transaction ends: something in it came or went."""
        self._changes.folders.add(path_key(folder))

    def add_content(self, content: int, size: int) -> None:
        """Add a content when this transaction ends; its chunks are stored."""
        self._changes.content, self._changes.bytes = content, size

    def has_content(self, content: int) -> bool:
        """Return True if a content is still there."""
        return bool(self.session.execute("SELECT FROM davfs_content WHERE id = %(id)s", {"id": content}))

    def replace_originals(self, path: Path, size: int) -> bool:
        """Replace the oldest originals by receipts, until so many bytes are free; return False if there are none."""
        query = (
            "SELECT content, max(size), min(modified) FROM davfs_name"
            " WHERE content IS NOT NULL AND instance IS NOT NULL AND path <> %(path)s GROUP BY content ORDER BY 3"
        )
        chosen: list[int] = []
        for content, freed, _ in self.session.execute(query, {"path": path_key(path)}):
            if size <= 0:
                break
            chosen.append(content)
            size -= freed
        change = f"UPDATE davfs_name SET content = NULL, size = receipt_size, etag = {_NEW_TAG}"
        self.session.execute(f"{change} WHERE content = ANY(%(contents)s)", {"contents": chosen})
        self._release(*chosen)
        return bool(chosen)

    def remove_receipts(self, path: Path, count: int) -> bool:
        """Remove the oldest receipts; return False if there are none."""
        oldest = (
            "SELECT path FROM davfs_name WHERE content IS NULL AND instance IS NOT NULL AND path <> %(path)s"
            " ORDER BY modified LIMIT %(count)s"
        )
        return bool(self._remove_files(f"path IN ({oldest})", {"path": path_key(path), "count": count}))

    def expire(self) -> int:
        """Remove what has expired, and folders that are old and empty; return how many."""
        if not self._age:
            return 0
        values = {"age": self._age}
        removed = self._remove_files(f"NOT {VISIBLE}", values)
        empty = "NOT EXISTS (SELECT FROM davfs_name AS inner_name WHERE inner_name.folder = davfs_name.path)"
        while gone := self._remove_files(f"path <> '' AND is_folder AND {_OLD} AND {empty}", values):
            removed += gone
        return removed

    def settle(self) -> tuple[int, int]:
        """Count what was changed; return the number of all names, and the bytes of all."""
        changes, self._changes = self._changes, Uncounted()
        if self._totals is None or changes != Uncounted():
            self._totals = changes.count(self.session)
        return self._totals

    def _remove(self, where: str, values: Mapping[str, object]) -> list[str]:
        """Remove names without their properties; return their paths."""
        gone = self.session.execute(f"DELETE FROM davfs_name WHERE {where} RETURNING path, content", values).rows
        self._changes.names -= len(gone)
        self._release(*(content for _, content in gone))
        return [path for path, _ in gone]

    def _remove_files(self, where: str, values: Mapping[str, object]) -> int:
        """Remove names with nothing below them, and their properties; return how many."""
        gone = self._remove(where, values)
        if gone:
            self.remove_properties("path = ANY(%(paths)s)", {"paths": gone})
        return len(gone)

    def _release(self, *contents: int | None) -> None:
        """Remember contents that may have no name any more."""
        self._changes.released.update(content for content in contents if content is not None)

    def _make_room(self, source: Path, target: Path, *, replace: bool, deep: bool) -> None:
        """Check the paths of a move or a copy, and remove what is at the target."""
        is_folder = self.visible(source).is_folder
        if target[: len(source)] == source or (replace and source[: len(target)] == target):
            raise Forbidden(target, "It cannot be put into itself, or in the place of a folder that it lies in.")
        check_path(target, *(self._below(source) if is_folder and deep else ()))
        if self.target(target, replace=replace):
            self.remove(target)

    def _below(self, folder: Path) -> tuple[int, int]:
        """Return how many levels are below a folder, and the bytes of the longest path below it."""
        longest = "max(length(path) - length(replace(path, '/', ''))), max(octet_length(path))"
        query = f"SELECT {longest} FROM davfs_name WHERE {BELOW}"
        slashes, size = self.session.execute(query, path_keys(folder)).first
        return slashes + 1 - len(folder), size - len(path_key(folder).encode())
