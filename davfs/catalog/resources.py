"""Facts in SQLite: the studies and series that are known, with their tags and labels.

Patients are made from their studies: whose a study is, its own patient attributes tell. Of Orthanc's patients only the
labels are kept, where a layout goes by labels.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from davfs.orthanc.model import Level, OrthancId, Resource

SCHEMA = """
CREATE TABLE resource (
    id TEXT PRIMARY KEY, level TEXT NOT NULL, parent TEXT, tags TEXT NOT NULL, patient TEXT NOT NULL,
    labels TEXT NOT NULL, updated INTEGER
) WITHOUT ROWID;
CREATE INDEX resource_parent ON resource (parent);
CREATE INDEX resource_level ON resource (level);
"""


class News(Enum):
    """What is different in a fact."""

    NOTHING = auto()
    DATE = auto()
    TAGS = auto()


@dataclass(frozen=True, slots=True)
class Learned:
    """What became of facts.

    Attributes:
        different: Whether anything is different now.
        retagged: Those that were known, and have other tags or labels now.
        outdated: Those that were not taken over: Orthanc has to be asked for them again.
    """

    different: bool
    retagged: Sequence[OrthancId]
    outdated: Sequence[OrthancId]


class Resources:
    """Facts, read and changed over one connection.

    Args:
        db: The connection; inside a transaction where something is changed.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def ids(self, level: Level) -> set[OrthancId]:
        """Return the ids of all known resources of a level."""
        return {i for (i,) in self._db.execute("SELECT id FROM resource WHERE level = ?", (level.value,))}

    def count(self, level: Level) -> int:
        """Return the number of known resources of a level."""
        query = "SELECT COUNT(*) FROM resource WHERE level = ?"
        found: int = self._db.execute(query, (level.value,)).fetchone()[0]
        return found

    def unknown(self, ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Return those of the ids that the facts do not have."""
        found = self._db.execute(
            "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM resource WHERE id = value)",
            (json.dumps(list(ids)),),
        )
        return {i for (i,) in found}

    def series_of(self, study: str) -> list[OrthancId]:
        """Return the ids of the series of a study; nothing for what is none."""
        query = "SELECT id FROM resource WHERE parent = ? AND level = ?"
        return [i for (i,) in self._db.execute(query, (study, Level.SERIES.value))]

    def patients(self) -> set[OrthancId]:
        """Return the ids of the patients of all known studies."""
        query = "SELECT DISTINCT parent FROM resource WHERE level = ? AND parent IS NOT NULL"
        return {i for (i,) in self._db.execute(query, (Level.STUDY.value,))}

    def above(self, resource: str, level: Level) -> set[str]:
        """Return the resource above one of that level; nothing for what is none."""
        query = "SELECT parent FROM resource WHERE id = ? AND level = ? AND parent IS NOT NULL"
        return {parent for (parent,) in self._db.execute(query, (resource, level.value))}

    def knows(self, resource: str) -> bool:
        """Return True if there is a fact about a resource."""
        return self._db.execute("SELECT 1 FROM resource WHERE id = ?", (resource,)).fetchone() is not None

    def news(self, resource: Resource) -> News:
        """Return what is new in a fact."""
        query = "SELECT tags, patient, labels, updated FROM resource WHERE id = ?"
        old = self._db.execute(query, (resource.id,)).fetchone()
        new = _columns(resource)
        if old is None or old[:3] != new[:3]:
            return News.TAGS
        return News.NOTHING if old[3] == new[3] else News.DATE

    def put(self, resource: Resource) -> None:
        """Keep a fact."""
        self._db.execute(
            "INSERT OR REPLACE INTO resource VALUES (?, ?, ?, ?, ?, ?, ?)",
            (resource.id, resource.level.value, resource.parent, *_columns(resource)),
        )

    def drop(self, resource: str) -> None:
        """Drop one resource; what is below it stays."""
        self._db.execute("DELETE FROM resource WHERE id = ?", (resource,))

    def drop_childless(self, patients: Iterable[str]) -> None:
        """Drop the patients that have no known study any more."""
        self._db.executemany(
            "DELETE FROM resource WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM resource WHERE parent = ?1)",
            [(patient,) for patient in patients],
        )


def _columns(resource: Resource) -> tuple[str, str, str, int]:
    """Return tags, patient attributes, labels and last change of a resource, as the table has them."""
    updated = int(resource.updated.timestamp()) if resource.updated else 0
    tags = {} if resource.level is Level.PATIENT else resource.tags
    return _text(tags), _text(resource.patient), json.dumps(sorted(resource.labels)), updated


def _text(tags: Mapping[str, str]) -> str:
    return json.dumps(dict(tags), sort_keys=True)
