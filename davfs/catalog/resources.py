"""Facts in SQLite: the patients, studies and series that are known, with their tags and labels.

Each has the sequence number of Orthanc's log before it was read: older facts never replace newer ones.
"""

import json
import sqlite3
from collections.abc import Iterable
from enum import Enum, auto

from davfs.orthanc.model import Level, OrthancId, Resource

SCHEMA = """
CREATE TABLE resource (
    id TEXT PRIMARY KEY, level TEXT NOT NULL, parent TEXT, tags TEXT NOT NULL, labels TEXT NOT NULL, updated INTEGER,
    as_of INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX resource_parent ON resource (parent);
CREATE INDEX resource_level ON resource (level);
"""


class News(Enum):
    """What is different in a fact."""

    NOTHING = auto()
    DATE = auto()
    TAGS = auto()


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

    def below(self, resource: str) -> list[str]:
        """Return the ids of the resources right below one."""
        return [i for (i,) in self._db.execute("SELECT id FROM resource WHERE parent = ?", (resource,))]

    def study_of(self, resource: str) -> set[str]:
        """Return the study of a series, nothing for what is none."""
        query = "SELECT parent FROM resource WHERE id = ? AND level = ? AND parent IS NOT NULL"
        return {parent for (parent,) in self._db.execute(query, (resource, Level.SERIES.value))}

    def is_newer(self, resource: str, as_of: int) -> bool:
        """Tell whether a resource was learned after that number of the log."""
        query = "SELECT 1 FROM resource WHERE id = ? AND as_of > ?"
        return self._db.execute(query, (resource, as_of)).fetchone() is not None

    def put(self, resource: Resource, as_of: int) -> News:
        """Keep a fact, unless what is known is newer; return what is new in it.

        Args:
            resource: The fact.
            as_of: Sequence number of Orthanc's log before it was read.
        """
        query = "SELECT tags, labels, updated, as_of FROM resource WHERE id = ?"
        old = self._db.execute(query, (resource.id,)).fetchone()
        if old and old[3] > as_of:
            return News.NOTHING
        tags, labels = json.dumps(dict(resource.tags), sort_keys=True), json.dumps(sorted(resource.labels))
        updated = int(resource.updated.timestamp()) if resource.updated else 0
        if old == (tags, labels, updated, as_of):
            return News.NOTHING
        self._db.execute(
            "INSERT OR REPLACE INTO resource VALUES (?, ?, ?, ?, ?, ?, ?)",
            (resource.id, resource.level.value, resource.parent, tags, labels, updated, as_of),
        )
        if old is None or old[:2] != (tags, labels):
            return News.TAGS
        return News.NOTHING if old[2] == updated else News.DATE

    def drop(self, resource: str) -> None:
        """Drop one resource; what is below it stays."""
        self._db.execute("DELETE FROM resource WHERE id = ?", (resource,))
