"""The catalog's file: facts and placements in SQLite.

The file holds nothing that Orthanc does not have: it is made anew where it is missing, damaged or of another schema.
Nothing here calls Orthanc.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from davfs.catalog.database import Database
from davfs.catalog.placing import Ancestor, Placed, Placer
from davfs.orthanc.model import Level, OrthancId, Resource

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE resource (
    id TEXT PRIMARY KEY, level TEXT NOT NULL, parent TEXT, tags TEXT NOT NULL, updated INTEGER, as_of INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX resource_parent ON resource (parent);
CREATE INDEX resource_level ON resource (level);
CREATE TABLE placement (
    layout TEXT NOT NULL, folder TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (layout, folder, id)
) WITHOUT ROWID;
CREATE INDEX placement_key ON placement (layout, folder, key);
CREATE INDEX placement_id ON placement (id);
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_ROOT = ""
"""Folder of the resources right below a layout's root."""


@dataclass(frozen=True, slots=True)
class Row:
    """One placed resource: its base name (without a suffix) and last change (UTC)."""

    id: OrthancId
    name: str
    updated: datetime


class Store:
    """Facts and placements.

    Args:
        file: The SQLite file; its folder exists.
        placer: Computes placements; its signature decides whether stored ones still hold.
        lost: Called where the file turned out to be damaged, and an empty one has taken its place.
    """

    def __init__(self, file: Path, placer: Placer, lost: Callable[[], object] = lambda: None) -> None:
        self._placer = placer
        self._seen = 0
        self._generation = 0
        self._database = Database(file, self._prepare, lost)
        self._database.open()

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"schema {version} instead of {_SCHEMA_VERSION}")
        if version == 0:
            _create(db)
        elif _state(db, "clean") != "yes" and db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it is damaged")
        _set_state(db, "clean", "no")
        self._seen = int(_state(db, "seen") or 0)
        self._generation += 1
        if _state(db, "layouts") != self._placer.signature:
            self._place_all(db)

    def close(self) -> None:
        """Mark the file as complete and close it."""
        with suppress(sqlite3.Error), self._database.write() as db:
            _set_state(db, "clean", "yes")
        self._database.close()

    @property
    def seen(self) -> int:
        """Sequence number of Orthanc's log of changes up to which everything is in the facts."""
        return self._seen

    def see(self, seq: int) -> None:
        """Record that all changes up to ``seq`` are in the facts."""
        if seq <= self._seen:
            return
        with self._database.write() as db:
            self._seen = max(seq, self._seen)
            _set_state(db, "seen", str(self._seen))

    def start_over(self, seq: int) -> None:
        """Drop everything: what follows is another log of changes, which is at ``seq`` now."""
        with self._database.write() as db:
            db.execute("DELETE FROM placement")
            db.execute("DELETE FROM resource")
            self._seen = seq
            _set_state(db, "seen", str(seq))
        self._generation += 1

    @property
    def generation(self) -> int:
        """Counts the changes of facts and placements, each after it can be read."""
        return self._generation

    def rows(self, layout: str, folder: OrthancId | None) -> list[Row]:
        """Return all resources placed in a folder; None stands for the layout's root."""
        with self._database.read() as db:
            found = db.execute(
                "SELECT p.id, p.name, r.updated FROM placement p JOIN resource r ON r.id = p.id"
                " WHERE p.layout = ? AND p.folder = ?",
                (layout, folder or _ROOT),
            ).fetchall()
        return [Row(i, name, _moment(updated)) for i, name, updated in found]

    def rows_with(self, layout: str, folder: OrthancId | None, keys: Sequence[str]) -> list[Row]:
        """Return the resources placed in a folder whose base name has one of the keys (`davfs.names.key`)."""
        marks = ",".join("?" * len(keys))
        with self._database.read() as db:
            found = db.execute(
                "SELECT p.id, p.name, r.updated FROM placement p JOIN resource r ON r.id = p.id"  # noqa: S608  only "?"
                f" WHERE p.layout = ? AND p.folder = ? AND p.key IN ({marks})",
                (layout, folder or _ROOT, *keys),
            ).fetchall()
        return [Row(i, name, _moment(updated)) for i, name, updated in found]

    def ids(self, level: Level) -> set[OrthancId]:
        """Return the ids of all known resources of a level."""
        with self._database.read() as db:
            return {i for (i,) in db.execute("SELECT id FROM resource WHERE level = ?", (level.value,))}

    def tags(self, resource: OrthancId) -> tuple[Mapping[str, str], ...]:
        """Return the known tags of a resource and of those above it, the patient's first."""
        with self._database.read() as db:
            return tuple(link.tags for link in _ancestry(db, resource))

    def unknown(self, ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Return those of the ids that the facts do not have."""
        with self._database.read() as db:
            return {i for i in ids if not db.execute("SELECT 1 FROM resource WHERE id = ?", (i,)).fetchone()}

    def learn(self, resources: Iterable[Resource], as_of: int) -> None:
        """Take facts over, and place what they change.

        Args:
            resources: Facts, in any order; the parents of each are known or among them.
            as_of: Sequence number of Orthanc's log before these facts were read: older facts never replace newer ones.
        """
        ordered = sorted(resources, key=lambda resource: list(Level).index(resource.level))
        with self._database.write() as db:
            changed = [resource.id for resource in ordered if _upsert(db, resource, as_of)]
            placed: set[str] = set()
            for resource in changed:
                self._place_below(db, resource, placed)
        self._generation += 1

    def forget(self, ids: Iterable[str]) -> None:
        """Drop resources and all below them."""
        with self._database.write() as db:
            pending = list(ids)
            while pending:
                resource = pending.pop()
                pending += [i for (i,) in db.execute("SELECT id FROM resource WHERE parent = ?", (resource,))]
                db.execute("DELETE FROM placement WHERE id = ?", (resource,))
                db.execute("DELETE FROM resource WHERE id = ?", (resource,))
        self._generation += 1

    def _place_all(self, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM placement")
        placed: set[str] = set()
        for (patient,) in db.execute("SELECT id FROM resource WHERE parent IS NULL").fetchall():
            self._place_below(db, patient, placed)
        _set_state(db, "layouts", self._placer.signature)

    def _place_below(self, db: sqlite3.Connection, resource: str, placed: set[str]) -> None:
        if resource in placed:
            return
        placed.add(resource)
        _replace(db, resource, self._placer.place(_ancestry(db, resource)))
        for (child,) in db.execute("SELECT id FROM resource WHERE parent = ?", (resource,)).fetchall():
            self._place_below(db, child, placed)


def _create(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _state(db: sqlite3.Connection, key: str) -> str | None:
    found = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def _set_state(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))


def _upsert(db: sqlite3.Connection, resource: Resource, as_of: int) -> bool:
    """Store a fact; return whether its placements have to be computed anew."""
    old = db.execute("SELECT tags, as_of FROM resource WHERE id = ?", (resource.id,)).fetchone()
    if old and old[1] > as_of:
        return False
    tags = json.dumps(dict(resource.tags), sort_keys=True)
    updated = int(resource.updated.timestamp()) if resource.updated else 0
    db.execute(
        "INSERT OR REPLACE INTO resource VALUES (?, ?, ?, ?, ?, ?)",
        (resource.id, resource.level.value, resource.parent, tags, updated, as_of),
    )
    return old is None or old[0] != tags


def _ancestry(db: sqlite3.Connection, resource: str | None) -> tuple[Ancestor, ...]:
    """Return a resource and those above it, the patient first; as far as they are known."""
    chain: list[Ancestor] = []
    while resource:
        found = db.execute("SELECT level, parent, tags FROM resource WHERE id = ?", (resource,)).fetchone()
        if not found:
            break
        chain.append(Ancestor(OrthancId(resource), Level(found[0]), json.loads(found[2])))
        resource = found[1]
    return tuple(reversed(chain))


def _replace(db: sqlite3.Connection, resource: str, placements: Iterable[Placed]) -> None:
    db.execute("DELETE FROM placement WHERE id = ?", (resource,))
    db.executemany(
        "INSERT INTO placement VALUES (?, ?, ?, ?, ?)",
        [(placed.layout, placed.folder or _ROOT, resource, placed.key, placed.name) for placed in placements],
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
