"""The table of indexed resources: studies and series with their tags and labels.

A study carries the patient attributes of its own DICOM files: these decide whose study it is. Of Orthanc's patients
only the labels are stored, and only if a layout uses labels.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from davfs.catalog.packing import pack, unpack
from davfs.catalog.schema import LEVEL_NUMBERS, LEVELS
from davfs.orthanc.model import Level, OrthancId, Resource

_IS = "level IN (0, 1, 2) AND orthanc = ?"
_PUT = """
INSERT INTO resource VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (level, orthanc) DO UPDATE SET parent = excluded.parent, tags = excluded.tags, patient = excluded.patient,
labels = excluded.labels, updated = excluded.updated
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
        return {one for one in ids if not self.has(one)}

    def row(self, resource: str) -> int | None:
        """Return the number of a resource in the file; None if it is not indexed."""
        found = self._db.execute(f"SELECT id FROM resource WHERE {_IS}", (pack(resource),)).fetchone()  # noqa: S608
        return found[0] if found else None

    def series_of(self, study: str) -> set[OrthancId]:
        """Return the ids of the series of a study; an empty set for any other resource."""
        query = "SELECT orthanc FROM resource WHERE parent = ? AND level = ?"
        return _ids(self._db.execute(query, (pack(study), LEVEL_NUMBERS[Level.SERIES])))

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

    def has(self, resource: str) -> bool:
        """Return True if a resource is indexed."""
        return self.row(resource) is not None

    def difference(self, resource: Resource) -> Difference:
        """Compare a resource with the indexed one."""
        query = "SELECT tags, patient, labels, updated FROM resource WHERE level = ? AND orthanc = ?"
        old = self._db.execute(query, (LEVEL_NUMBERS[resource.level], pack(resource.id))).fetchone()
        if old is None:
            return Difference.NEW
        new = _columns(resource)
        if old[:3] != new[:3]:
            return Difference.TAGS
        return Difference.NONE if old[3] == new[3] else Difference.DATE

    def put(self, resource: Resource) -> None:
        """Insert or replace a resource; its number in the file stays."""
        parent = pack(resource.parent) if resource.parent else None
        self._db.execute(_PUT, (LEVEL_NUMBERS[resource.level], pack(resource.id), parent, *_columns(resource)))

    def delete(self, resource: str) -> None:
        """Delete a resource, but not those below it."""
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


def _columns(resource: Resource) -> tuple[str, str, str, int]:
    """Return tags, patient attributes, labels and last change of a resource, as the table has them."""
    updated = int(resource.updated.timestamp()) if resource.updated else 0
    tags = {} if resource.level is Level.PATIENT else resource.tags
    return _json(tags), _json(resource.patient), json.dumps(sorted(resource.labels)), updated


def _json(tags: Mapping[str, str]) -> str:
    return json.dumps(dict(tags), sort_keys=True)
