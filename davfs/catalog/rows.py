"""Reads the rows of a folder of a layout from the index."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from davfs import names
from davfs.catalog.folder_table import FolderTable
from davfs.catalog.lineages import Lineages
from davfs.catalog.packing import hash_of, pack, unpack
from davfs.catalog.placing import Placer, date_of, name_of
from davfs.catalog.plan import Folder
from davfs.catalog.records import parameters
from davfs.catalog.schema import LEVEL_NUMBERS
from davfs.orthanc.model import Level, OrthancId

_SHARED = "SELECT node, name, date FROM folder WHERE parent IN ({folders})"
_RESOURCES = """
SELECT r.orthanc, p.name, p.date FROM placement p JOIN resource r ON r.id = p.resource
WHERE p.folder IN ({folders}) AND p.name IS NOT NULL
"""
_ROOT = ""
"""Node of a layout's root."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a folder: its node, base name (without a suffix) and date (UTC)."""

    id: str
    name: str
    date: datetime


class FolderRows:
    """Reads rows over one connection.

    Args:
        db: The connection.
        placer: Computes the rows that are not stored.
    """

    def __init__(self, db: sqlite3.Connection, placer: Placer) -> None:
        self._db = db
        self._placer = placer
        self._folders = FolderTable(db)

    def all(self, folder: Folder) -> list[Row]:
        """Return all rows of a folder; of a group or patient that is spelled in several ways, the first spelling."""
        return _once(self._read(folder), each_spelling=False)

    def with_keys(self, folder: Folder, keys: Sequence[str]) -> list[Row]:
        """Return the rows of a folder whose name has one of the keys (`davfs.names.folded`), in every spelling."""
        found = [row for row in self._read(folder, list(map(hash_of, keys))) if names.folded(row[1]) in keys]
        return _once(found, each_spelling=True)

    def members(self, folder: Folder) -> set[OrthancId]:
        """Return the members of all groups or patients in a folder."""
        return self._folders.members(self._numbers(folder), folder.member_level)

    def _read(self, folder: Folder, keys: Sequence[int] = ()) -> list[tuple[str, str, int]]:
        if folder.level is Level.STUDY and folder.shows is Level.SERIES:
            return self._series(folder)
        numbers = self._numbers(folder)
        if not numbers:
            return []
        query = (_SHARED if folder.is_shared else _RESOURCES).format(folders=parameters(numbers))
        only = f" AND key IN ({parameters(keys)})" if keys else ""
        found = self._db.execute(query + only, (*numbers, *keys))
        return [(unpack(node), name, date) for node, name, date in found]

    def _numbers(self, folder: Folder) -> list[int]:
        return self._folders.with_node(folder.id or _ROOT, folder.plan.key)

    def _series(self, folder: Folder) -> list[tuple[str, str, int]]:
        plan, found = folder.plan, list[tuple[str, str, int]]()
        for study, series in Lineages(self._db, self._placer).with_series(folder.id or ""):
            if self._placer.is_shown(plan, study):
                name = name_of(plan, folder.shown.template, series)
                found.append((series.id, name, date_of(plan, series)))
        return found


def of_studies(db: sqlite3.Connection, root: Folder, studies: Iterable[OrthancId]) -> list[Row]:
    """Return the rows of those studies that are in a layout's root."""
    query = """
    SELECT p.name, p.date FROM resource r JOIN placement p INDEXED BY placement_resource ON p.resource = r.id
    WHERE r.level = ? AND r.orthanc = ? AND p.folder = ?
    """
    found = []
    for folder in FolderTable(db).with_node(_ROOT, root.plan.key):
        for study in studies:
            rows = db.execute(query, (LEVEL_NUMBERS[Level.STUDY], pack(study), folder))
            found += [_row(study, name, date) for name, date in rows]
    return found


def _once(found: Sequence[tuple[str, str, int]], *, each_spelling: bool) -> list[Row]:
    """Return each node once, or each of its spellings, in the order of names, with the latest date of the node."""
    if len({node for node, _, _ in found}) == len(found):
        return [_row(*each) for each in (sorted(found, key=lambda row: row[1]) if each_spelling else found)]
    latest, rows = dict[str, int](), dict[tuple[str, str], str]()
    for node, name, date in sorted(found, key=lambda row: row[1]):
        latest[node] = max(date, latest.get(node, date))
        rows.setdefault((node, name if each_spelling else ""), name)
    return [_row(node, name, latest[node]) for (node, _), name in rows.items()]


def _row(node: str, name: str, date: int) -> Row:
    return Row(node, name, datetime.fromtimestamp(date, UTC))
