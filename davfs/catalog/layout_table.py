"""The tables of layouts: how far each is placed, and the days on which placements by relative dates depend."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping

DELETING = -1
"""Progress, and each smaller number, of a layout whose placements are being deleted."""
_ROWS = 1000
"""Rows that one step deletes at most: some 20 ms."""
_FOLDERS = 2000
"""Folders that one step visits at most."""
_NEXT_FOLDERS = "SELECT id, layout FROM folder WHERE id > ? ORDER BY id LIMIT ?"
_NEXT_PLACEMENT = "SELECT key, resource FROM placement WHERE folder = ? ORDER BY key, resource LIMIT 1 OFFSET ?"
_DATED = """
SELECT DISTINCT r.orthanc FROM dated d JOIN layout l ON l.id = d.layout JOIN resource r ON r.id = d.resource
WHERE l.key = ? AND d.day BETWEEN ? AND ? LIMIT ?
"""
_SOME_DAYS = "SELECT d.layout, d.day, d.resource FROM dated d JOIN layout l ON l.id = d.layout WHERE l.key = ? LIMIT ?"


class LayoutTable:
    """The layouts that have placements, by their keys.

    Args:
        db: A connection; inside a transaction for changes.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def progress(self) -> Mapping[str, int | None]:
        """Return how far each layout is placed.

        It is the number of the last study that is placed, or None if all are. `DELETING` and smaller numbers mean that
        the placements are not kept up to date any more, and are being deleted.
        """
        return dict(self._db.execute("SELECT key, placed FROM layout"))

    def set_progress(self, keys: Iterable[str], placed: int | None) -> None:
        """Record how far layouts are placed."""
        self._db.executemany("UPDATE layout SET placed = ? WHERE key = ?", [(placed, key) for key in keys])

    def add(self, keys: Iterable[str]) -> None:
        """Add those of the layouts that are not there; nothing is placed by them."""
        placed = 0 if self.last_resource() else None
        self._db.executemany("INSERT OR IGNORE INTO layout VALUES (NULL, ?, ?)", [(key, placed) for key in keys])

    def delete_others(self, keys: Collection[str]) -> None:
        """Begin to delete all layouts but these."""
        kept = self.progress()
        self.set_progress((key for key in kept.keys() - keys if (kept[key] or 0) > DELETING), DELETING)

    def last_resource(self) -> int:
        """Return the largest number of a resource; 0 if there are none."""
        found: int = self._db.execute("SELECT coalesce(max(id), 0) FROM resource").fetchone()[0]
        return found

    def delete_next(self, key: str, *, again: bool) -> None:
        """Delete some placements of a layout; at the end the layout itself, or with ``again`` begin to place by it."""
        ((layout, placed),) = self._db.execute("SELECT id, placed FROM layout WHERE key = ?", (key,))
        left = self._delete_folders(layout, DELETING - placed)
        if left is not None:
            self.set_progress([key], DELETING - left)
        elif not StudyDays(self._db).delete_some(key):
            self._db.execute("DELETE FROM layout WHERE id = ?", (layout,))
            self.add([key] if again else [])

    def _delete_folders(self, layout: int, done: int) -> int | None:
        """Delete some folders of a layout, in the order of their numbers, with their placements.

        Args:
            layout: The layout's number.
            done: Number of a folder up to which there is none of the layout.

        Returns:
            The same number afterwards; None if there is no folder left.
        """
        found, rows = self._db.execute(_NEXT_FOLDERS, (done, _FOLDERS)).fetchall(), _ROWS
        for folder, owner in found:
            if owner == layout:
                rows -= self._delete_folder(folder, rows)
                if rows <= 0:
                    return done
            done = folder
        return done if len(found) == _FOLDERS else None

    def _delete_folder(self, folder: int, most: int) -> int:
        """Delete a folder with its placements, or so many of them; return the number of rows."""
        if after := self._db.execute(_NEXT_PLACEMENT, (folder, most)).fetchone():
            self._db.execute("DELETE FROM placement WHERE folder = ? AND (key, resource) < (?, ?)", (folder, *after))
            return most
        deleted = self._db.execute("DELETE FROM placement WHERE folder = ?", (folder,)).rowcount
        self._db.execute("DELETE FROM folder WHERE id = ?", (folder,))
        return deleted + 1


class StudyDays:
    """The days of studies on which their placements by layouts with relative dates depend.

    Args:
        db: A connection inside a transaction.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._layouts: dict[str, int] = {}
        self._rows: list[tuple[int, int, int]] = []

    def put(self, key: str, study: int, days: Iterable[int], *, replace: bool) -> None:
        """Note the days of a study, by its number, for a layout, until `flush`; delete those that it had before."""
        if key not in self._layouts:
            ((self._layouts[key],),) = self._db.execute("SELECT id FROM layout WHERE key = ?", (key,))
        layout = self._layouts[key]
        if replace:
            self._db.execute("DELETE FROM dated WHERE resource = ? AND layout = ?", (study, layout))
        self._rows += [(layout, day, study) for day in days]

    def flush(self) -> None:
        """Write what was noted."""
        self._db.executemany("INSERT OR REPLACE INTO dated VALUES (?, ?, ?)", sorted(self._rows))
        self._rows.clear()

    def delete(self, study: int) -> None:
        """Delete the days of a study, by its number."""
        self._db.execute("DELETE FROM dated WHERE resource = ?", (study,))

    def studies(self, key: str, ranges: Iterable[tuple[int, int]], most: int) -> set[bytes | str]:
        """Return the packed ids of studies with a day in one of the ranges; of each range at most so many."""
        return {study for one in ranges for (study,) in self._db.execute(_DATED, (key, *one, most))}

    def delete_some(self, key: str) -> bool:
        """Delete some days of a layout; return True if there were any."""
        query = f"DELETE FROM dated WHERE (layout, day, resource) IN ({_SOME_DAYS})"  # noqa: S608  a constant
        return self._db.execute(query, (key, _ROWS)).rowcount > 0
