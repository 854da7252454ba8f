"""The table of indexed resources: studies and series with their tags and labels.

A study carries the patient attributes of its own DICOM files: these decide whose study it is. Of Orthanc's patients
only the labels are stored, and only if a layout uses labels.
"""

import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Self

from davfs.catalog import records, searchable
from davfs.catalog.packing import pack, unpack
from davfs.catalog.records import Record, parameters
from davfs.catalog.schema import LEVEL_NUMBERS, LEVELS
from davfs.orthanc.model import Level, OrthancId, Resource

_IS = "level IN (0, 1, 2) AND orthanc = ?"
_AT_ONCE = 500
"""Resources that one query is about."""
_AFTER = "SELECT orthanc, id FROM resource WHERE level = ? AND orthanc > ? ORDER BY orthanc LIMIT ?"
_UPDATE = """
UPDATE resource SET parent = ?, tags = ?, patient = ?, labels = ?, updated = ? WHERE level = ? AND orthanc = ?
"""


class Difference(Enum):
    """Difference between an indexed resource and Orthanc's."""

    NONE = auto()
    DATE = auto()
    TAGS = auto()
    """Its tags or labels differ."""
    NEW = auto()
    """It is not indexed."""


@dataclass(frozen=True, slots=True)
class ResourceChanges:
    """Result of saving resources.

    Attributes:
        changed: Whether anything changed.
        retagged: Resources that were indexed before, with other tags or labels.
        outdated: Resources that were not saved, because they changed meanwhile: they have to be fetched again.
    """

    changed: bool
    retagged: Sequence[OrthancId]
    outdated: Sequence[OrthancId]

    @classmethod
    def of(cls, parts: Sequence[Self]) -> Self:
        """Return the result of saving several parts."""
        retagged = [one for part in parts for one in part.retagged]
        return cls(any(part.changed for part in parts), retagged, [one for part in parts for one in part.outdated])


class ResourceTable:
    """The resources, read and changed over one connection.

    Args:
        db: The connection; inside a transaction for changes.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def ids(self, level: Level) -> set[OrthancId]:
        """Return the ids of all resources of a level."""
        return _ids(self._db.execute("SELECT orthanc FROM resource WHERE level = ?", (LEVEL_NUMBERS[level],)))

    def count(self, level: Level) -> int:
        """Return the number of resources of a level."""
        query = "SELECT COUNT(*) FROM resource WHERE level = ?"
        found: int = self._db.execute(query, (LEVEL_NUMBERS[level],)).fetchone()[0]
        return found

    def unknown(self, ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Return those of the ids that are not indexed."""
        wanted = set(ids)
        return wanted.difference(*map(_ids, self._with_ids("orthanc", map(pack, wanted))))

    def rows(self, ids: Iterable[str]) -> dict[OrthancId, int]:
        """Return the numbers in the file of those of the resources that are indexed, by their ids."""
        found = itertools.chain.from_iterable(self._with_ids("orthanc, id", map(pack, ids)))
        return {OrthancId(unpack(packed)): row for packed, row in found}

    def after(self, level: Level, resource: str, limit: int) -> list[tuple[OrthancId, int]]:
        """Return resources of a level with their numbers in the file, in the file's order of ids, after one of them."""
        found = self._db.execute(_AFTER, (LEVEL_NUMBERS[level], pack(resource), limit))
        return [(OrthancId(unpack(packed)), row) for packed, row in found]

    def row(self, resource: str) -> int | None:
        """Return the number of a resource in the file; None if it is not indexed."""
        found = self._db.execute(f"SELECT id FROM resource WHERE {_IS}", (pack(resource),)).fetchone()  # noqa: S608
        return found[0] if found else None

    def series_of(self, study: str) -> set[OrthancId]:
        """Return the ids of the series of a study; an empty set for any other resource."""
        query = "SELECT orthanc FROM resource WHERE parent = ? AND level = ?"
        return _ids(self._db.execute(query, (pack(study), LEVEL_NUMBERS[Level.SERIES])))

    def studies_of(self, patient: str) -> set[OrthancId]:
        """Return the ids of the studies of a patient; an empty set for any other resource."""
        query = "SELECT orthanc FROM resource WHERE parent = ? AND level = ?"
        return _ids(self._db.execute(query, (pack(patient), LEVEL_NUMBERS[Level.STUDY])))

    def patients(self) -> set[OrthancId]:
        """Return the ids of the patients of all studies."""
        query = "SELECT DISTINCT parent FROM resource WHERE level = ? AND parent IS NOT NULL"
        return _ids(self._db.execute(query, (LEVEL_NUMBERS[Level.STUDY],)))

    def parent(self, resource: str, level: Level) -> set[OrthancId]:
        """Return the parent of a resource of that level; an empty set for any other resource."""
        query = "SELECT parent FROM resource WHERE orthanc = ? AND level = ? AND parent IS NOT NULL"
        return _ids(self._db.execute(query, (pack(resource), LEVEL_NUMBERS[level])))

    def labels(self) -> dict[tuple[Level, OrthancId], set[str]]:
        """Return the labels of all resources that have some."""
        found = self._db.execute("SELECT level, orthanc, labels FROM resource WHERE labels <> '[]'")
        return {(LEVELS[level], OrthancId(unpack(one))): set(json.loads(labels)) for level, one, labels in found}

    def differences(self, resources: Iterable[Resource]) -> dict[OrthancId, Difference]:
        """Compare resources with the indexed ones; return the difference of each."""
        new = {pack(resource.id): resource for resource in resources}
        found = {resource.id: Difference.NEW for resource in new.values()}
        for rows in self._with_ids("orthanc, tags, patient, labels, updated", new):
            for identifier, *old in rows:
                resource = new[identifier]
                found[resource.id] = _difference(tuple(old), records.values(records.of_resource(0, resource)))
        return found

    def are_current(self, resources: Sequence[Resource]) -> bool:
        """Return True if all of the resources are indexed as they are."""
        parts = (resources[start : start + _AT_ONCE] for start in range(0, len(resources), _AT_ONCE))
        return all(set(self.differences(part).values()) <= {Difference.NONE} for part in parts)

    def _with_ids(self, columns: str, ids: Iterable[bytes | str]) -> Iterator[sqlite3.Cursor]:
        """Read some columns of the resources that have one of the packed ids."""
        source = iter(ids)
        while some := list(islice(source, _AT_ONCE)):
            query = f"SELECT {columns} FROM resource WHERE level IN (0, 1, 2) AND orthanc IN ({parameters(some)})"  # noqa: S608
            yield self._db.execute(query, some)

    def insert(self, resources: Iterable[Resource]) -> list[Record]:
        """Insert resources that are not indexed; return their records."""
        ((last,),) = self._db.execute("SELECT COALESCE(MAX(id), 0) FROM resource")
        new = [records.of_resource(row, resource) for row, resource in enumerate(resources, last + 1)]
        rows = ((record.row, *records.identity(record), *records.values(record)) for record in new)
        self._db.executemany(records.INSERT, rows)
        searchable.insert(self._db, new)
        return new

    def update(self, resource: Resource) -> None:
        """Replace an indexed resource; its number in the file stays."""
        record = records.of_resource(self.row(resource.id) or 0, resource)
        if record.level is Level.STUDY:
            searchable.delete(self._db, record.row)
            searchable.insert(self._db, [record, *self._series(record.id)])
        level, identifier, parent = records.identity(record)
        self._db.execute(_UPDATE, (parent, *records.values(record), level, identifier))

    def update_searchable(self, studies: Iterable[str]) -> None:
        """Compute the words of studies again whose series were added, changed or deleted."""
        for study in dict.fromkeys(studies):
            query = f"SELECT {records.COLUMNS} FROM resource WHERE level = ? AND orthanc = ?"  # noqa: S608  a constant
            for found in self._db.execute(query, (LEVEL_NUMBERS[Level.STUDY], pack(study))).fetchall():
                record = records.read(found)
                searchable.delete(self._db, record.row)
                searchable.insert(self._db, [record, *self._series(study)])

    def _series(self, study: str) -> list[Record]:
        query = f"SELECT {records.COLUMNS} FROM resource WHERE parent = ? AND level = ?"  # noqa: S608  a constant
        return list(map(records.read, self._db.execute(query, (pack(study), LEVEL_NUMBERS[Level.SERIES]))))

    def delete(self, resource: str) -> None:
        """Delete a resource, but not those below it."""
        if row := self.row(resource):
            searchable.delete(self._db, row)
        self._db.execute(f"DELETE FROM resource WHERE {_IS}", (pack(resource),))  # noqa: S608  a constant

    def delete_if_childless(self, patients: Iterable[str]) -> None:
        """Delete those of the patients that have no study any more."""
        self._db.executemany(
            "DELETE FROM resource WHERE level = ?2 AND orthanc = ?1"
            " AND NOT EXISTS (SELECT 1 FROM resource WHERE parent = ?1)",
            [(pack(patient), LEVEL_NUMBERS[Level.PATIENT]) for patient in patients],
        )


def _ids(found: Iterable[tuple[bytes | str]]) -> set[OrthancId]:
    return {OrthancId(unpack(packed)) for (packed,) in found}


def _difference(old: tuple[object, ...], new: records.Values) -> Difference:
    if old[:3] != new[:3]:
        return Difference.TAGS
    return Difference.NONE if old[3:] == new[3:] else Difference.DATE
