"""The table of the folders of groups and patients, one row for each way in which their path is spelled."""

import sqlite3
from collections.abc import Sequence

from davfs.catalog.packing import key_of, pack, unpack
from davfs.catalog.placing import FolderPath
from davfs.catalog.records import parameters
from davfs.catalog.schema import LEVEL_NUMBERS
from davfs.orthanc.model import Level, OrthancId

_NO_PARENT = 0
_NEVER = -(1 << 62)
"""Earlier than each date."""
_FIND = """
SELECT f.id FROM folder f INDEXED BY folder_node JOIN layout l ON l.id = f.layout WHERE f.node = ? AND l.key = ?
"""
_FIND_SPELLED = """
SELECT id FROM folder INDEXED BY folder_node WHERE node = ? AND layout = ? AND parent = ? AND name = ?
"""
_NEWEST = f"""
SELECT max((SELECT coalesce(max(date), {_NEVER}) FROM placement WHERE folder = ?1),
           (SELECT coalesce(max(date), {_NEVER}) FROM folder WHERE parent = ?1)),
       EXISTS (SELECT 1 FROM placement WHERE folder = ?1) OR EXISTS (SELECT 1 FROM folder WHERE parent = ?1)
"""  # noqa: S608  a constant


class FolderTable:
    """The folders, read and changed over one connection.

    Args:
        db: The connection; inside a transaction for changes.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[tuple[int, FolderPath], int] = {}
        self._layouts: dict[str, int] = {}
        self._parents: dict[int, int] = {}
        self._added: dict[int, int] = {}
        self._removed: dict[int, int] = {}

    def get(self, layout: str, path: FolderPath) -> int:
        """Return the number of a folder of a layout, which is made if it does not exist."""
        if layout not in self._layouts:
            ((self._layouts[layout],),) = self._db.execute("SELECT id FROM layout WHERE key = ?", (layout,))
        return self._get(self._layouts[layout], path)

    def _get(self, layout: int, path: FolderPath) -> int:
        known = self._known.get((layout, path))
        if known is None:
            parent = self._get(layout, path[:-1]) if len(path) > 1 else _NO_PARENT
            known = self._found(layout, parent, *path[-1])
            self._known[layout, path] = known
            self._parents[known] = parent
        return known

    def _found(self, layout: int, parent: int, node: str, name: str) -> int:
        place = (pack(node), layout, parent, name)
        if found := self._db.execute(_FIND_SPELLED, place).fetchone():
            return int(found[0])
        row = (layout, parent, place[0], key_of(name), name, _NEVER)
        made = self._db.execute("INSERT INTO folder VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)
        return made.lastrowid or 0

    def with_node(self, node: str, layout: str | None = None) -> list[int]:
        """Return the numbers of a folder, in each spelling of its path; of those in all layouts, or in one."""
        if layout is None:
            return [i for (i,) in self._db.execute("SELECT id FROM folder WHERE node = ?", (pack(node),))]
        return [i for (i,) in self._db.execute(_FIND, (pack(node), layout))]

    def members(self, folders: Sequence[int], level: Level) -> set[OrthancId]:
        """Return all resources of a level that are in these folders, and in those below them."""
        if not folders:
            return set()
        found = self._db.execute(
            f"WITH RECURSIVE inside (id) AS (SELECT id FROM folder WHERE id IN ({parameters(folders)})"  # noqa: S608
            " UNION ALL SELECT f.id FROM folder f JOIN inside ON f.parent = inside.id)"
            " SELECT DISTINCT r.orthanc FROM inside CROSS JOIN placement p ON p.folder = inside.id"
            " CROSS JOIN resource r ON r.id = p.resource WHERE r.level = ?",
            (*folders, LEVEL_NUMBERS[level]),
        )
        return {OrthancId(unpack(i)) for (i,) in found}

    # Dates and existence

    def note_added(self, folder: int, date: int) -> None:
        """Note that a resource of a date is in a folder, until `update`."""
        self._added[folder] = max(date, self._added.get(folder, date))

    def note_removed(self, folder: int, date: int) -> None:
        """Note that a resource of a date is not in a folder any more, until `update`."""
        self._removed[folder] = max(date, self._removed.get(folder, date))

    def update(self) -> None:
        """Update the dates of all noted folders and of those above them; delete those in which nothing is left."""
        for folder, date in list(self._added.items()):
            self._raise_above(folder, date)
        self._db.executemany(
            "UPDATE folder SET date = ?1 WHERE id = ?2 AND date < ?1",
            [(date, one) for one, date in self._added.items()],
        )
        while self._removed:
            self._update_removed(*self._removed.popitem())
        self._added.clear()

    def _raise_above(self, folder: int, date: int) -> None:
        while (folder := self._parent(folder)) != _NO_PARENT and self._added.get(folder, _NEVER) < date:
            self._added[folder] = date

    def _update_removed(self, folder: int, removed: int) -> None:
        if self._added.get(folder, _NEVER) >= removed:
            return
        found = self._db.execute("SELECT date FROM folder WHERE id = ?", (folder,)).fetchone()
        if found is None or found[0] > removed:
            return
        newest, is_used = self._db.execute(_NEWEST, (folder,)).fetchone()
        parent = self._parent(folder)
        if not is_used:
            self._db.execute("DELETE FROM folder WHERE id = ?", (folder,))
            self._known.clear()
        elif newest != found[0]:
            self._db.execute("UPDATE folder SET date = ? WHERE id = ?", (newest, folder))
        if parent != _NO_PARENT and (not is_used or newest != found[0]):
            self.note_removed(parent, removed)

    def _parent(self, folder: int) -> int:
        if folder not in self._parents:
            found = self._db.execute("SELECT parent FROM folder WHERE id = ?", (folder,)).fetchone()
            self._parents[folder] = found[0] if found else _NO_PARENT
        return self._parents[folder]
