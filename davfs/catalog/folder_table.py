"""The table of the folders of groups and patients, one row for each way in which their path is spelled."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from davfs.catalog.packing import key_of, pack, unpack
from davfs.catalog.placing import FolderPath
from davfs.catalog.records import parameters
from davfs.catalog.schema import LEVEL_NUMBERS
from davfs.orthanc.model import Level, OrthancId

_NO_PARENT = 0
_NEVER = -(1 << 62)
"""Earlier than each date."""
_KNOWN = 20_000
"""Folders that are remembered from one transaction to the next."""
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


@dataclass(slots=True)
class KnownFolders:
    """What is known of the table after it was read or changed; each change of it by other means has to `clear` this.

    Attributes:
        numbers: The numbers of folders, by the keys of their layouts and their paths.
        parents: The number of the folder above each folder.
        dates: Of each folder a date that it has, unless it has a later one.
    """

    numbers: dict[tuple[str, FolderPath], int] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)
    dates: dict[int, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget everything."""
        for known in (self.numbers, self.parents, self.dates):
            known.clear()

    def shrink(self) -> None:
        """Forget everything if it has become much."""
        if len(self.parents) > _KNOWN:
            self.clear()


class FolderTable:
    """The folders, read and changed over one connection.

    Args:
        db: The connection; inside a transaction for changes.
        known: What is known of the table from former transactions.
    """

    def __init__(self, db: sqlite3.Connection, known: KnownFolders | None = None) -> None:
        self._db = db
        self._known = known or KnownFolders()
        self._known.shrink()
        self._layouts: dict[str, int] = {}
        self._added: dict[int, int] = {}
        self._removed: dict[int, int] = {}

    def get(self, layout: str, path: FolderPath) -> int:
        """Return the number of a folder of a layout, which is made if it does not exist."""
        known = self._known.numbers.get((layout, path))
        if known is None:
            parent = self.get(layout, path[:-1]) if len(path) > 1 else _NO_PARENT
            known = self._found(self._number(layout), parent, *path[-1])
            self._known.numbers[layout, path] = known
            self._known.parents[known] = parent
        return known

    def _number(self, layout: str) -> int:
        if layout not in self._layouts:
            ((self._layouts[layout],),) = self._db.execute("SELECT id FROM layout WHERE key = ?", (layout,))
        return self._layouts[layout]

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
        dates = self._known.dates
        for folder, date in list(self._added.items()):
            self._raise_above(folder, date)
        later = [(date, one) for one, date in self._added.items() if dates.get(one, _NEVER) < date]
        self._db.executemany("UPDATE folder SET date = ?1 WHERE id = ?2 AND date < ?1", later)
        dates.update((one, date) for date, one in later)
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
            self._known.dates[folder] = newest
        if parent != _NO_PARENT and (not is_used or newest != found[0]):
            self.note_removed(parent, removed)

    def _parent(self, folder: int) -> int:
        parent = self._known.parents.get(folder)
        if parent is None:
            found = self._db.execute("SELECT parent FROM folder WHERE id = ?", (folder,)).fetchone()
            parent = self._known.parents[folder] = found[0] if found else _NO_PARENT
        return parent
