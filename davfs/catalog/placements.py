"""Placements in SQLite: which node is in which folder, and which resources hold it there.

``placement`` has one row for each spelling of each node in a folder. A resource's row goes with the resource. What
several resources share (a group, or a patient's folder) has one row in ``holding`` for each of them, and goes with the
last.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from davfs.catalog.placing import Link, Placed, Placer
from davfs.catalog.plan import Plan
from davfs.layout.subject import subject
from davfs.layout.tags import LABELS, MODALITIES, SUBJECT
from davfs.orthanc.description import agreed
from davfs.orthanc.model import Level, OrthancId

SCHEMA = """
CREATE TABLE placement (
    layout TEXT NOT NULL, folder TEXT NOT NULL, key TEXT NOT NULL, node TEXT NOT NULL, name TEXT NOT NULL, date INTEGER,
    PRIMARY KEY (layout, folder, key, node, name)
) WITHOUT ROWID;
CREATE INDEX placement_node ON placement (node);
CREATE TABLE holding (
    layout TEXT NOT NULL, folder TEXT NOT NULL, node TEXT NOT NULL, name TEXT NOT NULL, holder TEXT NOT NULL,
    date INTEGER NOT NULL,
    PRIMARY KEY (layout, folder, node, name, holder)
) WITHOUT ROWID;
CREATE INDEX holding_holder ON holding (holder);
CREATE INDEX holding_date ON holding (layout, folder, node, date);
"""
_BATCH = 10_000
_NONE, _NO_TAGS = json.dumps([]), json.dumps({})
_COLUMNS = "id, level, COALESCE(parent, ''), tags, patient, labels, updated"
_BY_ID = f"SELECT {_COLUMNS} FROM resource WHERE id = ?"  # noqa: S608  a constant
_BELOW = f"SELECT {_COLUMNS} FROM resource WHERE parent = ?"  # noqa: S608  a constant
_STUDIES_OF = """
SELECT DISTINCT h.holder
FROM placement p INDEXED BY placement_node
JOIN holding h ON h.layout = p.layout AND h.folder = p.folder AND h.node = p.node
WHERE p.node = ?
"""


@dataclass(frozen=True, slots=True)
class _Fact:
    """A resource as it is in the facts: its own tags and labels."""

    id: OrthancId
    level: Level
    parent: str
    tags: Mapping[str, str]
    patient: Mapping[str, str]
    labels: Sequence[str]
    updated: int


class Placements:
    """The work of one transaction on the placements.

    Args:
        db: A connection inside that transaction.
        placer: Computes them.
    """

    def __init__(self, db: sqlite3.Connection, placer: Placer) -> None:
        self._db = db
        self._placer = placer
        self._with_series = any(plan.reads_series for plan in placer.plans)
        self._with_labels = any(plan.labels for plan in placer.plans)
        self._done: set[str] = set()
        self._parent, self._children = "", list[_Fact]()
        self._rows: list[tuple[Any, ...]] = []
        self._holdings: list[tuple[Any, ...]] = []

    def chain(self, resource: str | None) -> tuple[Link, ...]:
        """Return a study, or a series with its study before it; nothing where the study is not known."""
        facts: list[_Fact] = []
        while fact := self._fact(resource):
            facts.append(fact)
            if fact.level is Level.STUDY:
                break
            resource = fact.parent
        chain: tuple[Link, ...] = ()
        for fact in reversed(facts if facts and facts[-1].level is Level.STUDY else ()):
            chain = (*chain, self._link(fact, chain))
        return chain

    def studies_of(self, node: str) -> list[OrthancId]:
        """Return the studies for whose sake there is a patient's folder, by its node."""
        return [i for (i,) in self._db.execute(_STUDIES_OF, (node,))]

    def tags(self, node: str) -> Mapping[str, str]:
        """Return the tags of a study or series and of those above it; of a patient, those that all studies agree on.

        Args:
            node: The resource, or the node of the patient's folder.
        """
        if chain := self.chain(node):
            return chain[-1].merged
        studies = [study for one in self.studies_of(node) for study in self.chain(one)]
        return agreed([{**study.patient, SUBJECT: study.merged[SUBJECT]} for study in studies])

    def place_all(self, plans: Sequence[Plan]) -> None:
        """Place everything anew by some of the layouts."""
        if not plans:
            return
        for plan in plans:
            drop(self._db, plan.key)
        query = "SELECT id FROM resource WHERE level = ?"
        for (study,) in self._db.execute(query, (Level.STUDY.value,)).fetchall():
            self._place(self.chain(study), plans, anew=False)
        self._flush()

    def place(self, changed: Collection[str]) -> None:
        """Place changed resources anew, and all below them."""
        for resource in changed:
            self._place_below(resource, self._placer.plans)
        self._flush()

    def place_for_series(self, studies: Iterable[str]) -> None:
        """Place studies anew by those layouts that look at their series, of which some have come, changed or gone."""
        plans = [plan for plan in self._placer.plans if plan.reads_series]
        if not plans:
            return
        for study in dict.fromkeys(studies):  # once, however many of its series have come
            self._place_below(study, plans)
        self._flush()

    def forget(self, resource: str) -> None:
        """Drop what is there because of a resource."""
        self._db.execute("DELETE FROM placement WHERE node = ?", (resource,))
        self._release(resource, ())

    def date(self, resource: str, updated: int) -> None:
        """Take over the last change of a resource where groups show it."""
        keys = [plan.key for plan in self._placer.plans if plan.shows_changes]
        self._db.execute(
            f"UPDATE holding SET date = ? WHERE holder = ? AND layout IN ({_marks(keys)})",  # noqa: S608  only "?"
            (updated, resource, *keys),
        )

    def _place_below(self, resource: str, plans: Sequence[Plan]) -> None:
        if resource in self._done:
            return
        fact = self._fact(resource)
        if fact and fact.level is Level.PATIENT:  # of which there are the labels alone: they are its studies' as well
            for study in self._below(resource):
                self._place_below(study.id, plans)
        elif chain := self.chain(resource):
            self._place(chain, plans, anew=True)

    def _fact(self, resource: str | None) -> _Fact | None:
        found = self._db.execute(_BY_ID, (resource,)).fetchone()
        return _read(found) if found else None

    def _place(self, chain: tuple[Link, ...], plans: Sequence[Plan], *, anew: bool) -> None:
        resource = chain[-1]
        if len(plans) == len(self._placer.plans):
            self._done.add(resource.id)
        if anew:
            self._clear(resource.id, [plan.key for plan in plans])
        for plan in plans:
            for placed in self._placer.place(plan, chain):
                self._add(plan.key, placed, resource)
        if resource.level is not Level.SERIES:  # instances are no facts
            for fact in self._below(resource.id):
                self._place((*chain, self._link(fact, chain)), plans, anew=anew)

    def _below(self, resource: str) -> list[_Fact]:
        if resource != self._parent:  # series are asked for twice: for their study's sake, and for their own
            self._parent = resource
            self._children = [_read(row) for row in self._db.execute(_BELOW, (resource,))]
        return self._children

    def _link(self, fact: _Fact, above: Sequence[Link]) -> Link:
        if fact.level is Level.STUDY:
            return self._study(fact)
        higher, tags = above[-1].merged, dict(fact.tags)
        if fact.labels:
            tags[LABELS] = _joined([*fact.labels, *higher.get(LABELS, "").split("\\")])
        return Link(fact.id, fact.level, fact.parent, tags, {**higher, **tags}, fact.updated)

    def _study(self, fact: _Fact) -> Link:
        tags = dict(fact.tags)
        patient = self._fact(fact.parent) if self._with_labels else None
        if labels := _joined([*fact.labels, *(patient.labels if patient else ())]):
            tags[LABELS] = labels
        series: tuple[Mapping[str, str], ...] = ()
        if self._with_series:
            series = tuple(each.tags for each in self._below(fact.id))
            tags[MODALITIES] = _joined([one.get("Modality", "") for one in series])
        merged = {**fact.patient, **tags}
        merged[SUBJECT] = subject(merged)
        return Link(fact.id, fact.level, fact.parent, tags, merged, fact.updated, fact.patient, series)

    def _add(self, layout: str, placed: Placed, holder: Link) -> None:
        date = int(placed.date.timestamp()) if placed.date else None
        place = (layout, placed.folder, placed.node, placed.name)
        if placed.shared:
            self._holdings.append((*place, holder.id, holder.updated if date is None else date))
            date = None
        self._rows.append((layout, placed.folder, placed.key, placed.node, placed.name, date))
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        # Each once, though a group has as many as there are resources in it; in the tables' order, page after page.
        rows = sorted(set(self._rows), key=itemgetter(slice(5)))
        self._db.executemany("INSERT OR IGNORE INTO placement VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._db.executemany("INSERT OR IGNORE INTO holding VALUES (?, ?, ?, ?, ?, ?)", sorted(self._holdings))
        self._rows.clear()
        self._holdings.clear()

    def _clear(self, resource: str, layouts: Sequence[str]) -> None:
        self._db.execute(
            f"DELETE FROM placement WHERE node = ? AND layout IN ({_marks(layouts)})",  # noqa: S608  only "?"
            (resource, *layouts),
        )
        self._release(resource, layouts)

    def _release(self, holder: str, layouts: Sequence[str]) -> None:
        """Let go of what a resource holds in some layouts, in all of them where none is named."""
        only = f" AND layout IN ({_marks(layouts)})" if layouts else ""
        held = self._db.execute(
            f"SELECT layout, folder, node, name FROM holding WHERE holder = ?{only}",  # noqa: S608  only "?"
            (holder, *layouts),
        ).fetchall()
        if held:
            self._db.execute(f"DELETE FROM holding WHERE holder = ?{only}", (holder, *layouts))  # noqa: S608  only "?"
            place = "layout = ?1 AND folder = ?2 AND node = ?3 AND name = ?4"
            self._db.executemany(
                f"DELETE FROM placement WHERE {place} AND NOT EXISTS (SELECT 1 FROM holding WHERE {place})",  # noqa: S608
                held,
            )


def drop(db: sqlite3.Connection, layout: str) -> None:
    """Drop all placements of a layout."""
    db.execute("DELETE FROM placement WHERE layout = ?", (layout,))
    db.execute("DELETE FROM holding WHERE layout = ?", (layout,))


def _read(row: Sequence[Any]) -> _Fact:
    resource, level, parent, tags, patient, labels, updated = row
    own, whose = json.loads(tags), {} if patient == _NO_TAGS else json.loads(patient)
    return _Fact(resource, Level(level), parent, own, whose, () if labels == _NONE else json.loads(labels), updated)


def _joined(values: Iterable[str]) -> str:
    """Join values as those of one tag are."""
    return "\\".join(sorted({*values} - {""}))


def _marks(values: Collection[str]) -> str:
    return ",".join("?" * len(values))
