"""The table of indexed resources: studies and series with their tags and labels.

A study carries the patient attributes of its own DICOM files: these decide whose study it is. Of Orthanc's patients
only the labels are stored, and only if a layout uses labels.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from davfs.orthanc.model import Level, OrthancId, Resource


class Difference(Enum):
    """Difference between an indexed resource and Orthanc's."""

    NONE = auto()
    DATE = auto()
    TAGS = auto()
    """Its tags or labels differ, or it is not indexed."""


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
        return {i for (i,) in self._db.execute("SELECT id FROM resource WHERE level = ?", (level.value,))}

    def count(self, level: Level) -> int:
        """Return the number of resources of a level."""
        query = "SELECT COUNT(*) FROM resource WHERE level = ?"
        found: int = self._db.execute(query, (level.value,)).fetchone()[0]
        return found

    def unknown(self, ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Return those of the ids that are not indexed."""
        found = self._db.execute(
            "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM resource WHERE id = value)",
            (json.dumps(list(ids)),),
        )
        return {i for (i,) in found}

    def series_of(self, study: str) -> list[OrthancId]:
        """Return the ids of the series of a study; an empty list for any other resource."""
        query = "SELECT id FROM resource WHERE parent = ? AND level = ?"
        return [i for (i,) in self._db.execute(query, (study, Level.SERIES.value))]

    def patients(self) -> set[OrthancId]:
        """Return the ids of the patients of all studies."""
        query = "SELECT DISTINCT parent FROM resource WHERE level = ? AND parent IS NOT NULL"
        return {i for (i,) in self._db.execute(query, (Level.STUDY.value,))}

    def parent(self, resource: str, level: Level) -> set[str]:
        """Return the parent of a resource of that level; an empty set for any other resource."""
        query = "SELECT parent FROM resource WHERE id = ? AND level = ? AND parent IS NOT NULL"
        return {parent for (parent,) in self._db.execute(query, (resource, level.value))}

    def has(self, resource: str) -> bool:
        """Return True if a resource is indexed."""
        return self._db.execute("SELECT 1 FROM resource WHERE id = ?", (resource,)).fetchone() is not None

    def difference(self, resource: Resource) -> Difference:
        """Compare a resource with the indexed one."""
        query = "SELECT tags, patient, labels, updated FROM resource WHERE id = ?"
        old = self._db.execute(query, (resource.id,)).fetchone()
        new = _columns(resource)
        if old is None or old[:3] != new[:3]:
            return Difference.TAGS
        return Difference.NONE if old[3] == new[3] else Difference.DATE

    def put(self, resource: Resource) -> None:
        """Insert or replace a resource."""
        self._db.execute(
            "INSERT OR REPLACE INTO resource VALUES (?, ?, ?, ?, ?, ?, ?)",
            (resource.id, resource.level.value, resource.parent, *_columns(resource)),
        )

    def delete(self, resource: str) -> None:
        """Delete a resource, but not those below it."""
        self._db.execute("DELETE FROM resource WHERE id = ?", (resource,))

    def delete_if_childless(self, patients: Iterable[str]) -> None:
        """Delete those of the patients that have no study any more."""
        self._db.executemany(
            "DELETE FROM resource WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM resource WHERE parent = ?1)",
            [(patient,) for patient in patients],
        )


def _columns(resource: Resource) -> tuple[str, str, str, int]:
    """Return tags, patient attributes, labels and last change of a resource, as the table has them."""
    updated = int(resource.updated.timestamp()) if resource.updated else 0
    tags = {} if resource.level is Level.PATIENT else resource.tags
    return _json(tags), _json(resource.patient), json.dumps(sorted(resource.labels)), updated


def _json(tags: Mapping[str, str]) -> str:
    return json.dumps(dict(tags), sort_keys=True)
