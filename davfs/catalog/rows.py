"""Reads the rows of a folder of a layout from the index."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import NamedTuple

from davfs import names
from davfs.catalog.folder_table import FolderTable
from davfs.catalog.lineages import Lineages
from davfs.catalog.packing import hash_of, key_of, owner_of, pack, unpack
from davfs.catalog.placing import Placer, date_of, name_of
from davfs.catalog.plan import Folder
from davfs.catalog.records import parameters
from davfs.catalog.resources import ResourceTable
from davfs.catalog.schema import LEVEL_NUMBERS
from davfs.orthanc.model import Level, OrthancId

_SHARED = """
SELECT node, name, date, key FROM folder WHERE id IN (SELECT id FROM folder WHERE parent IN ({folders}){only})
"""
_RESOURCES = """
SELECT r.orthanc, p.name, p.date, p.key FROM placement p JOIN resource r ON r.id = p.resource
WHERE p.folder IN ({folders}) AND p.name IS NOT NULL{only}
"""
_ROOT = ""
"""Node of a layout's root."""


class Row(NamedTuple):  # as the index has it, since a folder can have a hundred thousand
    """An entry of a folder.

    Attributes:
        packed: Its node, as the index has it (`packing`).
        name: Base name, without a suffix.
        seconds: Its date, in seconds since 1970.
        key: Number of its base name: names that differ in case only have the same one (`packing.key_of`).
    """

    packed: bytes | str
    name: str
    seconds: int
    key: int

    @property
    def id(self) -> str:
        """Its node."""
        return unpack(self.packed)

    @property
    def owner(self) -> OrthancId:
        """Orthanc's id of the resource that it shows: of a patient folder, that of the patient."""
        return OrthancId(owner_of(self.packed))

    @property
    def date(self) -> datetime:
        """Its date, in UTC."""
        return datetime.fromtimestamp(self.seconds, UTC)


@dataclass(frozen=True, slots=True)
class FolderSnapshot:
    """A folder at one moment.

    Attributes:
        rows: All rows of the folder, by name; of a group or patient in several spellings, the first one.
        count: Number of indexed resources of the level of its members, in all folders.
        members: The members of all groups or patients in it, if they were wanted.
    """

    rows: list[Row]
    count: int
    members: set[OrthancId]


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

    def snapshot(self, folder: Folder, *, members: bool) -> FolderSnapshot:
        """Return a folder, with its members if they are wanted."""
        return FolderSnapshot(
            _once(self._read(folder), each_spelling=False),
            ResourceTable(self._db).count(folder.member_level) if folder.level is None else 0,
            self._folders.members(self._numbers(folder), folder.member_level) if members else set(),
        )

    def with_keys(self, folder: Folder, keys: Sequence[str]) -> list[Row]:
        """Return the rows of a folder whose name has one of the keys (`davfs.names.folded`), in every spelling."""
        found = [row for row in self._read(folder, list(map(hash_of, keys))) if names.folded(row.name) in keys]
        return _once(found, each_spelling=True)

    def _read(self, folder: Folder, keys: Sequence[int] = ()) -> list[Row]:
        if folder.level is Level.STUDY and folder.shows is Level.SERIES:
            return self._series(folder)
        numbers = self._numbers(folder)
        if not numbers:
            return []
        only = f" AND key IN ({parameters(keys)})" if keys else ""
        query = (_SHARED if folder.is_shared else _RESOURCES).format(folders=parameters(numbers), only=only)
        return list(map(Row._make, self._db.execute(query, (*numbers, *keys))))

    def _numbers(self, folder: Folder) -> list[int]:
        return self._folders.with_node(folder.id or _ROOT, folder.plan.key)

    def _series(self, folder: Folder) -> list[Row]:
        plan, found = folder.plan, list[Row]()
        for study, series in Lineages(self._db, self._placer).with_series(folder.id or ""):
            if self._placer.is_shown(plan, study):
                name = name_of(plan, folder.shown.template, series)
                found.append(Row(pack(series.id), name, date_of(plan, series), key_of(name)))
        return found


def of_studies(db: sqlite3.Connection, root: Folder, studies: Iterable[OrthancId]) -> list[Row]:
    """Return the rows of those studies that are in a layout's root."""
    query = """
    SELECT r.orthanc, p.name, p.date, p.key
    FROM resource r JOIN placement p INDEXED BY placement_resource ON p.resource = r.id
    WHERE r.level = ? AND r.orthanc = ? AND p.folder = ?
    """
    found = list[Row]()
    for folder in FolderTable(db).with_node(_ROOT, root.plan.key):
        for study in studies:
            found += map(Row._make, db.execute(query, (LEVEL_NUMBERS[Level.STUDY], pack(study), folder)))
    return found


def _once(found: list[Row], *, each_spelling: bool) -> list[Row]:
    """Return each node once, or each of its spellings, in the order of names, with the latest date of the node."""
    found.sort(key=attrgetter("name"))
    if len({row.packed for row in found}) == len(found):
        return found
    latest, rows = dict[bytes | str, int](), dict[tuple[bytes | str, str], Row]()
    for row in found:
        latest[row.packed] = max(row.seconds, latest.get(row.packed, row.seconds))
        rows.setdefault((row.packed, row.name if each_spelling else ""), row)
    return [row._replace(seconds=latest[row.packed]) for row in rows.values()]
