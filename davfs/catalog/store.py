"""The catalog's file: facts and placements in SQLite.

The file holds nothing that Orthanc does not have: it is made anew where it is missing, damaged or of another schema.
Nothing here calls Orthanc.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path

from davfs.catalog import placements
from davfs.catalog.database import Database
from davfs.catalog.placements import Placements
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Folder
from davfs.orthanc.model import Level, OrthancId, Resource

_SCHEMA_VERSION = 2
_SCHEMA = f"""
CREATE TABLE resource (
    id TEXT PRIMARY KEY, level TEXT NOT NULL, parent TEXT, tags TEXT NOT NULL, labels TEXT NOT NULL, updated INTEGER,
    as_of INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX resource_parent ON resource (parent);
CREATE INDEX resource_level ON resource (level);
{placements.SCHEMA}
CREATE TABLE layout (key TEXT PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_RESOURCES = """
SELECT p.node, p.name, COALESCE(p.date, r.updated) FROM placement p JOIN resource r ON r.id = p.node
WHERE p.layout = ? AND p.folder = ?
"""
_GROUPS = """
SELECT p.node, p.name, (
    SELECT max(h.date) FROM holding h WHERE h.layout = p.layout AND h.folder = p.folder AND h.node = p.node
) FROM placement p
WHERE p.layout = ? AND p.folder = ?
"""
"""Sorted by node and name, as the table is."""
_OLD = ""
"""Day of a layout that is not kept up to date any more."""
_ROOT = ""
"""Node of a layout's root."""


@dataclass(frozen=True, slots=True)
class Row:
    """One node in a folder: its base name (without a suffix) and date (UTC)."""

    id: str
    name: str
    date: datetime


class _News(Enum):
    """What is different in a fact."""

    NOTHING = auto()
    DATE = auto()
    TAGS = auto()


class Store:
    """Facts and placements.

    Args:
        file: The SQLite file; its folder exists.
        placer: Computes placements.
        lost: Called where the file turned out to be damaged, and an empty one has taken its place.
    """

    def __init__(self, file: Path, placer: Placer, lost: Callable[[], object] = lambda: None) -> None:
        self._placer = placer
        self._day = placer.today()
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
        self._place_by(db, self._placer)
        self._tidy(db)
        self._generation += 1

    def place_by(self, placer: Placer) -> None:
        """Go over to other layouts: what is new among them is placed, without asking Orthanc; the others are kept.

        Those that are no longer among them can be read until `tidy`, by requests that began before; they do not change
        any more.
        """
        with self._database.write() as db:
            self._place_by(db, placer)
            self._placer = placer
        self._generation += 1

    def tidy(self) -> None:
        """Drop the placements of layouts that are no longer shown."""
        with self._database.write() as db:
            self._tidy(db)
        self._generation += 1

    def renew(self) -> None:
        """Place those layouts anew whose conditions go by today's date, where that is another one."""
        if self._day == self._placer.today() or not any(plan.relative for plan in self._placer.plans):
            return
        with self._database.write() as db:
            self._place_by(db, self._placer)
        self._generation += 1

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
            for table in ("placement", "holding", "resource"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608  one of these three
            self._seen = seq
            _set_state(db, "seen", str(seq))
        self._generation += 1

    @property
    def generation(self) -> int:
        """Counts the changes of facts and placements, each after it can be read."""
        return self._generation

    def rows(self, folder: Folder) -> list[Row]:
        """Return all that is in a folder; of a group, the first of its spellings."""
        with self._database.read() as db:
            found = db.execute(_select(folder), (folder.plan.key, folder.id or _ROOT)).fetchall()
        rows = [Row(node, name, _moment(date)) for node, name, date in found]
        return rows if folder.shows else list({row.id: row for row in reversed(rows)}.values())

    def rows_with(self, folder: Folder, keys: Sequence[str]) -> list[Row]:
        """Return what is in a folder under one of the keys (`davfs.names.key`); groups in each of their spellings."""
        # Without statistics SQLite would rather walk through the folder, in the order of the table.
        by_key = _select(folder).replace("placement p", "placement p INDEXED BY placement_key")
        query = f"{by_key} AND p.key IN ({','.join('?' * len(keys))}) ORDER BY p.name"
        with self._database.read() as db:
            found = db.execute(query, (folder.plan.key, folder.id or _ROOT, *keys)).fetchall()
        return [Row(node, name, _moment(date)) for node, name, date in found]

    def holders(self, folder: Folder) -> set[OrthancId]:
        """Return the resources for whose sake there are groups in a folder."""
        query = "SELECT DISTINCT holder FROM holding WHERE layout = ? AND folder = ?"
        with self._database.read() as db:
            return {i for (i,) in db.execute(query, (folder.plan.key, folder.id or _ROOT))}

    def ids(self, level: Level) -> set[OrthancId]:
        """Return the ids of all known resources of a level."""
        with self._database.read() as db:
            return {i for (i,) in db.execute("SELECT id FROM resource WHERE level = ?", (level.value,))}

    def count(self, level: Level) -> int:
        """Return the number of known resources of a level."""
        with self._database.read() as db:
            found: int = db.execute("SELECT COUNT(*) FROM resource WHERE level = ?", (level.value,)).fetchone()[0]
        return found

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """Lend a connection to look at the facts with; see `Database.read`."""
        return self._database.read()

    @property
    def labelled(self) -> tuple[Level, ...]:
        """Levels whose labels decide where something is, or how it is called."""
        deepest = max((plan.labels for plan in self._placer.plans), default=0)
        return tuple(Level)[:deepest]

    def tags(self, resource: OrthancId) -> Mapping[str, str]:
        """Return the known tags of a resource and of those above it."""
        with self._database.read() as db:
            chain = Placements(db, self._placer).chain(resource)
        return chain[-1].merged if chain else {}

    def unknown(self, ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Return those of the ids that the facts do not have."""
        wanted = list(ids)
        with self._database.read() as db:
            found = db.execute(
                "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM resource WHERE id = value)",
                (json.dumps(wanted),),
            )
            return {i for (i,) in found}

    def learn(self, resources: Iterable[Resource], as_of: int) -> bool:
        """Take facts over, and place what they change.

        Args:
            resources: Facts, in any order; the parents of each are known or among them.
            as_of: Sequence number of Orthanc's log before these facts were read: older facts never replace newer ones.

        Returns:
            Whether anything is different now.
        """
        ordered = sorted(resources, key=lambda resource: list(Level).index(resource.level))
        with self._database.write() as db:
            made = Placements(db, self._placer)
            news = {resource.id: _upsert(db, resource, as_of) for resource in ordered}
            changed = [resource for resource in ordered if news[resource.id] is _News.TAGS]
            made.place([resource.id for resource in changed])
            made.place_for_series([each.parent for each in changed if each.level is Level.SERIES and each.parent])
            for resource in ordered:
                if news[resource.id] is _News.DATE and resource.updated:
                    made.date(resource.id, int(resource.updated.timestamp()))
        different = any(each is not _News.NOTHING for each in news.values())
        self._generation += different
        return different

    def forget(self, ids: Iterable[str], as_of: int | None = None) -> None:
        """Drop resources and all below them.

        Args:
            ids: The resources.
            as_of: Sequence number up to which the log was read before they were missed: what was learned later has come
                again, and is kept. None where all are to be dropped.
        """
        with self._database.write() as db:
            made = Placements(db, self._placer)
            pending, poorer = list(ids), set[str]()
            while pending:
                resource = pending.pop()
                if as_of is not None and _is_newer(db, resource, as_of):
                    continue
                pending += [i for (i,) in db.execute("SELECT id FROM resource WHERE parent = ?", (resource,))]
                poorer |= _study_of(db, resource)
                made.forget(resource)
                db.execute("DELETE FROM resource WHERE id = ?", (resource,))
            made.place_for_series(poorer)
        self._generation += 1

    def _place_by(self, db: sqlite3.Connection, placer: Placer) -> None:
        today = placer.today()
        wanted = {plan.key: str(today) if plan.relative else "any" for plan in placer.plans}
        placed = dict(db.execute("SELECT key, day FROM layout"))
        anew = [plan for plan in placer.plans if placed.get(plan.key) != wanted[plan.key]]
        Placements(db, placer).place_all(anew)
        left = dict.fromkeys(placed.keys() - wanted.keys(), _OLD)
        db.executemany("INSERT OR REPLACE INTO layout VALUES (?, ?)", (wanted | left).items())
        self._day = today

    def _tidy(self, db: sqlite3.Connection) -> None:
        shown = {plan.key for plan in self._placer.plans}
        for (key,) in db.execute("SELECT key FROM layout").fetchall():
            if key not in shown:
                placements.drop(db, key)
                db.execute("DELETE FROM layout WHERE key = ?", (key,))


def _is_newer(db: sqlite3.Connection, resource: str, as_of: int) -> bool:
    return db.execute("SELECT 1 FROM resource WHERE id = ? AND as_of > ?", (resource, as_of)).fetchone() is not None


def _study_of(db: sqlite3.Connection, resource: str) -> set[str]:
    """Return the study of a series, nothing for what is none."""
    query = "SELECT parent FROM resource WHERE id = ? AND level = ? AND parent IS NOT NULL"
    return {parent for (parent,) in db.execute(query, (resource, Level.SERIES.value))}


def _select(folder: Folder) -> str:
    return _RESOURCES if folder.shows else _GROUPS


def _create(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _state(db: sqlite3.Connection, key: str) -> str | None:
    found = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def _set_state(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))


def _upsert(db: sqlite3.Connection, resource: Resource, as_of: int) -> _News:
    """Store a fact; return what is new in it."""
    old = db.execute("SELECT tags, labels, updated, as_of FROM resource WHERE id = ?", (resource.id,)).fetchone()
    if old and old[3] > as_of:
        return _News.NOTHING
    tags, labels = json.dumps(dict(resource.tags), sort_keys=True), json.dumps(sorted(resource.labels))
    updated = int(resource.updated.timestamp()) if resource.updated else 0
    if old == (tags, labels, updated, as_of):
        return _News.NOTHING
    db.execute(
        "INSERT OR REPLACE INTO resource VALUES (?, ?, ?, ?, ?, ?, ?)",
        (resource.id, resource.level.value, resource.parent, tags, labels, updated, as_of),
    )
    if old is None or old[:2] != (tags, labels):
        return _News.TAGS
    return _News.NOTHING if old[2] == updated else _News.DATE


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
