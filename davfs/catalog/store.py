"""The catalog's file: facts (`resources`) and what is where by them (`placements`, `rows`), in SQLite.

The file holds nothing that Orthanc does not have: it is made anew where it is missing, damaged or of another schema.
Nothing here calls Orthanc.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path

from davfs.catalog import log, placements, resources, rows
from davfs.catalog.database import Database, again_where_moved
from davfs.catalog.examination import examine_all
from davfs.catalog.log import Position
from davfs.catalog.placements import Placements
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Folder
from davfs.catalog.resources import Learned, News, Resources
from davfs.catalog.revisions import Revisions
from davfs.catalog.rows import Row
from davfs.orthanc.model import Change, Level, OrthancId, Resource

_SCHEMA_VERSION = 5
_SCHEMA = f"""
{resources.SCHEMA}
{placements.SCHEMA}
{log.SCHEMA}
CREATE TABLE layout (key TEXT PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_OLD = ""
"""Day of a layout that is not kept up to date any more."""


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
        self._position = Position()
        self._doubts = self._trusted = 0
        self._generation = 0
        self._revisions = Revisions()
        self._database = Database(file, self._prepare, lost)
        self._database.open()

    def _prepare(self, db: sqlite3.Connection, *, examine: bool) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"schema {version} instead of {_SCHEMA_VERSION}")
        if version == 0:
            _create(db)
        elif examine:
            examine_all(db)
        _set_state(db, "opened", "yes")  # what cannot be written is found at once
        self._position = Position(int(_state(db, "seen") or 0), log.load(db))
        self._doubts, self._trusted = int(_state(db, "doubts") or 0), int(_state(db, "trusted") or 0)
        self._day = self._place_by(db, self._placer)
        self._tidy(db)
        self._revisions.note_all()
        self._generation += 1

    @again_where_moved
    def place_by(self, placer: Placer) -> None:
        """Go over to other layouts: what is new among them is placed, without asking Orthanc; the others are kept.

        Those that are no longer among them can be read until `tidy`, by requests that began before; they do not change
        any more.
        """
        with self._database.writing:
            with self._database.write() as db:
                day = self._place_by(db, placer)
            self._placer, self._day = placer, day
            self._generation += 1

    @again_where_moved
    def tidy(self) -> None:
        """Drop the placements of layouts that are no longer shown."""
        with self._changing() as db:
            self._tidy(db)

    @again_where_moved
    def renew(self) -> None:
        """Place those layouts anew whose conditions go by today's date, where that is another one."""
        if not self._placer.relative or self._day == self._placer.today():
            return
        with self._database.writing:
            with self._database.write() as db:
                day = self._place_by(db, self._placer)
            self._day = day
            self._generation += 1

    def interrupt(self) -> None:
        """End what takes long with `Unavailable`; the store is to be closed."""
        self._database.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def return_to_file(self) -> bool:
        """Go back to the file from memory, where it can be written again; see `Database`."""
        return self._database.return_to_file()

    @property
    def position(self) -> Position:
        """How far Orthanc's log of changes was read: all before is in the facts."""
        return self._position

    @property
    def seen(self) -> int:
        """Sequence number of Orthanc's log of changes up to which everything is in the facts."""
        return self._position.seen

    @again_where_moved
    def see(self, entries: Sequence[Change]) -> None:
        """Record that these entries of the log are in the facts."""
        with self._database.writing:
            old, new = self._position, self._position.after(entries)
            if new is old:
                return
            with self._database.write() as db:
                log.append(db, (entry for entry in entries if entry.seq > old.seen), new.entries[0].seq)
                _set_state(db, "seen", str(new.seen))
            self._position = new

    @again_where_moved
    def see_deleted(self, old: Position, new: Position) -> None:
        """Record that entries are no longer in the log; nothing where another thread has read on meanwhile."""
        with self._database.writing:
            if self._position is old:
                with self._database.write() as db:
                    log.save(db, new.entries)
                self._position = new

    @again_where_moved
    def start_over(self, old: Position, new: Position) -> bool:
        """Follow another log of changes, which is read up to ``new``; what is known is doubted until `trust`.

        Returns:
            False where another thread has read on from ``old`` meanwhile, or has started over.
        """
        with self._database.writing:
            if self._position is not old:
                return False
            with self._database.write() as db:
                _set_state(db, "doubts", str(self._doubts + 1))
                _go_to(db, new)
            self._doubts += 1
            self._position = new
        return True

    @again_where_moved
    def begin(self, new: Position) -> None:
        """Drop everything, and follow the log from ``new`` on: what it had before is going to be compared."""
        with self._database.writing:
            with self._database.write() as db:
                for table in ("placement", "holding", "resource"):
                    db.execute(f"DELETE FROM {table}")  # noqa: S608  one of these three
                _go_to(db, new)
                self._revisions.note_all()
            self._position = new
            self._generation += 1

    @property
    def doubts(self) -> int:
        """Other than 0 while what is known may be old, and another number for each reason; it outlives a restart."""
        return self._doubts if self._doubts > self._trusted else 0

    @again_where_moved
    def trust(self, doubts: int) -> None:
        """Note that everything has been compared since `doubts` had this value."""
        if not doubts:
            return
        with self._database.writing:
            with self._database.write() as db:
                _set_state(db, "trusted", str(doubts))
            self._trusted = doubts

    @property
    def generation(self) -> int:
        """Counts the changes of facts and placements, each after it can be read."""
        return self._generation

    @again_where_moved
    def rows(self, folder: Folder) -> list[Row]:
        """Return all that is in a folder; of a group or a patient, the first of its spellings."""
        with self._database.read() as db:
            return rows.in_folder(db, folder)

    @again_where_moved
    def rows_with(self, folder: Folder, keys: Sequence[str]) -> list[Row]:
        """Return what is in a folder under one of the keys (`davfs.names.folded`); what is shared in each spelling."""
        with self._database.read() as db:
            return rows.with_keys(db, folder, keys)

    @again_where_moved
    def holders(self, folder: Folder) -> set[OrthancId]:
        """Return the resources for whose sake there are groups or patients in a folder."""
        with self._database.read() as db:
            return rows.holders(db, folder)

    @again_where_moved
    def ids(self, level: Level) -> set[OrthancId]:
        """Return the ids of all known resources of a level; those of the patients of all known studies."""
        with self._database.read() as db:
            return Resources(db).patients() if level is Level.PATIENT else Resources(db).ids(level)

    @again_where_moved
    def count(self, level: Level) -> int:
        """Return the number of known resources of a level."""
        with self._database.read() as db:
            return Resources(db).count(level)

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """Lend a connection to look at the facts with; see `Database.read`."""
        return self._database.read()

    @property
    def labelled(self) -> tuple[Level, ...]:
        """Levels whose labels decide where something is, or how it is called."""
        deepest = max((plan.labels for plan in self._placer.plans), default=0)
        return tuple(Level)[:deepest]

    @again_where_moved
    def tags(self, node: str) -> Mapping[str, str]:
        """Return the known tags of a resource and of those above it; of a patient, those that all studies agree on."""
        with self._database.read() as db:
            return Placements(db, self._placer).tags(node)

    @again_where_moved
    def studies_of(self, node: str) -> list[OrthancId]:
        """Return the studies for whose sake there is a patient's folder, by its node."""
        with self._database.read() as db:
            return Placements(db, self._placer).studies_of(node)

    @again_where_moved
    def unknown(self, ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Return those of the ids that the facts do not have."""
        wanted = list(ids)
        with self._database.read() as db:
            return Resources(db).unknown(wanted)

    @property
    def revision(self) -> int:
        """Number of changes of facts so far: taken before Orthanc is asked, for `learn` and `forget`."""
        return self._revisions.now

    @again_where_moved
    def has(self, resource: Resource) -> bool:
        """Return True if the tags and labels of a resource are known as they are."""
        with self._database.read() as db:
            return Resources(db).news(resource) is not News.TAGS

    @again_where_moved
    def learn(self, found: Iterable[Resource], revision: int) -> Learned:
        """Take facts over, and place what they change.

        Args:
            found: Facts, in any order.
            revision: What `revision` was before Orthanc was asked for them. A fact that was changed since then is not
                replaced, and a series whose study is not known is not taken over.
        """
        ordered = sorted(found, key=lambda resource: list(Level).index(resource.level))
        if self._confirms(ordered):
            return Learned(different=False, retagged=(), outdated=())
        with self._changing() as db:
            known, made = Resources(db), Placements(db, self._placer)
            unknown = known.unknown(resource.id for resource in ordered)
            news, outdated = self._put(known, ordered, revision)
            changed = [resource for resource in ordered if news.get(resource.id) is News.TAGS]
            made.place([resource.id for resource in changed])
            made.place_for_series([each.parent for each in changed if each.level is Level.SERIES and each.parent])
            for resource in ordered:
                if news.get(resource.id) is News.DATE and resource.updated:
                    made.date(resource.id, int(resource.updated.timestamp()))
            self._revisions.note({resource.id for resource in ordered}.difference(outdated))
        return Learned(bool(news), [each.id for each in changed if each.id not in unknown], outdated)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside a transaction that changes facts or placements.

        `generation` changes before another thread can find that they are what Orthanc has told it: it may have kept
        what it shows from the time before.
        """
        with self._database.writing:
            with self._database.write() as db:
                yield db
            self._generation += 1

    def _confirms(self, found: Sequence[Resource]) -> bool:
        """Return True if nothing is new in facts: then nothing is written."""
        with self._database.without_writers() as db:
            known = Resources(db)
            if not all(known.news(resource) is News.NOTHING for resource in found):
                return False
            self._revisions.note(resource.id for resource in found)
            return True

    def _put(
        self, known: Resources, found: Iterable[Resource], revision: int
    ) -> tuple[Mapping[OrthancId, News], tuple[OrthancId, ...]]:
        """Keep facts; return what is new in them, and those that are not taken over."""
        news, outdated = {}, []
        for resource in found:
            new = known.news(resource)
            if new is News.NOTHING:
                continue
            orphaned = resource.level is Level.SERIES and not (resource.parent and known.knows(resource.parent))
            if orphaned or self._revisions.is_changed(resource.id, revision):
                outdated.append(resource.id)
                continue
            known.put(resource)
            news[resource.id] = new
        return news, tuple(outdated)

    @again_where_moved
    def forget(self, ids: Iterable[OrthancId], revision: int | None = None) -> list[OrthancId]:
        """Drop resources, and the series of studies.

        Args:
            ids: The resources; of a patient the labels alone are dropped, for a study goes when it is gone itself.
            revision: What `revision` was before they were missed: what was changed since then may have come again, and
                is kept. None where all are to be dropped.

        Returns:
            Those that were kept.
        """
        with self._changing() as db:
            known, made = Resources(db), Placements(db, self._placer)
            pending, poorer, patients = list(ids), set[str](), set[str]()
            kept, dropped = list[OrthancId](), list[OrthancId]()
            while pending:
                resource = pending.pop()
                if revision is not None and self._revisions.is_changed(resource, revision):
                    kept.append(resource)
                    continue
                pending += known.series_of(resource)
                poorer |= known.above(resource, Level.SERIES)
                patients |= known.above(resource, Level.STUDY)
                made.forget(resource)
                known.drop(resource)
                dropped.append(resource)
            known.drop_childless(patients)
            made.place_for_series(poorer)
            self._revisions.note(dropped)
        return kept

    def _place_by(self, db: sqlite3.Connection, placer: Placer) -> date:
        """Place by layouts that are new, or of another day; return today."""
        today = placer.today()
        wanted = {plan.key: str(today) if plan.relative else "any" for plan in placer.plans}
        placed = dict(db.execute("SELECT key, day FROM layout"))
        anew = [plan for plan in placer.plans if placed.get(plan.key) != wanted[plan.key]]
        Placements(db, placer).place_all(anew)
        left = dict.fromkeys(placed.keys() - wanted.keys(), _OLD)
        db.executemany("INSERT OR REPLACE INTO layout VALUES (?, ?)", (wanted | left).items())
        return today

    def _tidy(self, db: sqlite3.Connection) -> None:
        shown = {plan.key for plan in self._placer.plans}
        for (key,) in db.execute("SELECT key FROM layout").fetchall():
            if key not in shown:
                placements.drop(db, key)
                db.execute("DELETE FROM layout WHERE key = ?", (key,))


def _create(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _go_to(db: sqlite3.Connection, position: Position) -> None:
    _set_state(db, "seen", str(position.seen))
    log.save(db, position.entries)


def _state(db: sqlite3.Connection, key: str) -> str | None:
    found = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def _set_state(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))
