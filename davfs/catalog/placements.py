"""The table of placements: the folders in which each node appears, and the members of groups and patients.

``placement`` has a row for each spelling of each node in a folder. The row of a study or series is deleted with it. A
group or a patient folder is shared: ``holding`` has a row for each of its members, and its row in ``placement`` is
deleted with the last of them.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from davfs.catalog.placing import Placement, Placer, TaggedResource
from davfs.catalog.plan import Plan
from davfs.layout.subject import subject
from davfs.layout.tags import LABELS, MODALITIES, SUBJECT
from davfs.orthanc.description import agreed
from davfs.orthanc.model import Level, OrthancId

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
class _Record:
    """A row of the table of resources: own tags and labels."""

    id: OrthancId
    level: Level
    parent: str
    tags: Mapping[str, str]
    patient: Mapping[str, str]
    labels: Sequence[str]
    updated: int


class PlacementTable:
    """The placements, read and changed inside one transaction.

    Args:
        db: A connection inside that transaction.
        placer: Computes placements.
    """

    def __init__(self, db: sqlite3.Connection, placer: Placer) -> None:
        self._db = db
        self._placer = placer
        self._with_series = any(plan.reads_series for plan in placer.plans)
        self._with_labels = any(plan.labels for plan in placer.plans)
        self._placed: set[str] = set()
        self._parent, self._children = "", list[_Record]()
        self._rows: list[tuple[Any, ...]] = []
        self._memberships: list[tuple[Any, ...]] = []

    def lineage(self, resource: str | None) -> tuple[TaggedResource, ...]:
        """Return a study, or a study and its series; an empty tuple if the study is not indexed."""
        records: list[_Record] = []
        while record := self._record(resource):
            records.append(record)
            if record.level is Level.STUDY:
                break
            resource = record.parent
        lineage: tuple[TaggedResource, ...] = ()
        for record in reversed(records if records and records[-1].level is Level.STUDY else ()):
            lineage = (*lineage, self._tagged(record, lineage))
        return lineage

    def studies_of(self, node: str) -> list[OrthancId]:
        """Return the studies in a patient folder, by its node."""
        return [i for (i,) in self._db.execute(_STUDIES_OF, (node,))]

    def tags(self, node: str) -> Mapping[str, str]:
        """Return the tags of a study or series and of those above it; of a patient, those that all studies agree on.

        Args:
            node: The resource, or the node of the patient folder.
        """
        if lineage := self.lineage(node):
            return lineage[-1].merged
        studies = [study for one in self.studies_of(node) for study in self.lineage(one)]
        return agreed([{**study.patient, SUBJECT: study.merged[SUBJECT]} for study in studies])

    def place_all(self, plans: Sequence[Plan]) -> None:
        """Place all resources by some of the layouts."""
        if not plans:
            return
        for plan in plans:
            delete_layout(self._db, plan.key)
        query = "SELECT id FROM resource WHERE level = ?"
        for (study,) in self._db.execute(query, (Level.STUDY.value,)).fetchall():
            self._place(self.lineage(study), plans, replace=False)
        self._flush()

    def place(self, changed: Collection[str]) -> None:
        """Place changed resources, and all below them."""
        for resource in changed:
            self._place_below(resource, self._placer.plans)
        self._flush()

    def place_by_series(self, studies: Iterable[str]) -> None:
        """Place studies whose series were added, changed or deleted, by those layouts that depend on series."""
        plans = [plan for plan in self._placer.plans if plan.reads_series]
        if not plans:
            return
        for study in dict.fromkeys(studies):  # once, however many of its series were added
            self._place_below(study, plans)
        self._flush()

    def delete(self, resource: str) -> None:
        """Delete the placements of a resource, and those groups and patients of which it is the last member."""
        self._db.execute("DELETE FROM placement WHERE node = ?", (resource,))
        self._delete_memberships(resource, ())

    def set_date(self, resource: str, updated: int) -> None:
        """Change the date of a resource's last change, in those layouts whose groups show it."""
        keys = [plan.key for plan in self._placer.plans if plan.shows_changes]
        self._db.execute(
            f"UPDATE holding SET date = ? WHERE holder = ? AND layout IN ({_parameters(keys)})",  # noqa: S608  only "?"
            (updated, resource, *keys),
        )

    def _place_below(self, resource: str, plans: Sequence[Plan]) -> None:
        if resource in self._placed:
            return
        record = self._record(resource)
        if record and record.level is Level.PATIENT:  # only its labels are stored: they are its studies' as well
            for study in self._below(resource):
                self._place_below(study.id, plans)
        elif lineage := self.lineage(resource):
            self._place(lineage, plans, replace=True)

    def _record(self, resource: str | None) -> _Record | None:
        found = self._db.execute(_BY_ID, (resource,)).fetchone()
        return _read(found) if found else None

    def _place(self, lineage: tuple[TaggedResource, ...], plans: Sequence[Plan], *, replace: bool) -> None:
        resource = lineage[-1]
        if len(plans) == len(self._placer.plans):
            self._placed.add(resource.id)
        if replace:
            self._delete_in(resource.id, [plan.key for plan in plans])
        for plan in plans:
            for placement in self._placer.place(plan, lineage):
                self._add(plan.key, placement, resource)
        if resource.level is not Level.SERIES:  # instances are not indexed
            for record in self._below(resource.id):
                self._place((*lineage, self._tagged(record, lineage)), plans, replace=replace)

    def _below(self, resource: str) -> list[_Record]:
        if resource != self._parent:  # series are needed twice: for their study's placements, and for their own
            self._parent = resource
            self._children = [_read(row) for row in self._db.execute(_BELOW, (resource,))]
        return self._children

    def _tagged(self, record: _Record, above: Sequence[TaggedResource]) -> TaggedResource:
        if record.level is Level.STUDY:
            return self._tagged_study(record)
        higher, tags = above[-1].merged, dict(record.tags)
        if record.labels:
            tags[LABELS] = _joined([*record.labels, *higher.get(LABELS, "").split("\\")])
        return TaggedResource(record.id, record.level, record.parent, tags, {**higher, **tags}, record.updated)

    def _tagged_study(self, record: _Record) -> TaggedResource:
        tags = dict(record.tags)
        patient = self._record(record.parent) if self._with_labels else None
        if labels := _joined([*record.labels, *(patient.labels if patient else ())]):
            tags[LABELS] = labels
        series: tuple[Mapping[str, str], ...] = ()
        if self._with_series:
            series = tuple(each.tags for each in self._below(record.id))
            tags[MODALITIES] = _joined([one.get("Modality", "") for one in series])
        merged = {**record.patient, **tags}
        merged[SUBJECT] = subject(merged)
        return TaggedResource(
            record.id, record.level, record.parent, tags, merged, record.updated, record.patient, series
        )

    def _add(self, layout: str, placement: Placement, member: TaggedResource) -> None:
        date = int(placement.date.timestamp()) if placement.date else None
        place = (layout, placement.folder, placement.node, placement.name)
        if placement.shared:
            self._memberships.append((*place, member.id, member.updated if date is None else date))
            date = None
        self._rows.append((layout, placement.folder, placement.key, placement.node, placement.name, date))
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        # Each row once, though a group has one for each member; in the order of the tables, page after page.
        rows = sorted(set(self._rows), key=itemgetter(slice(5)))
        self._db.executemany("INSERT OR IGNORE INTO placement VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._db.executemany("INSERT OR IGNORE INTO holding VALUES (?, ?, ?, ?, ?, ?)", sorted(self._memberships))
        self._rows.clear()
        self._memberships.clear()

    def _delete_in(self, resource: str, layouts: Sequence[str]) -> None:
        self._db.execute(
            f"DELETE FROM placement WHERE node = ? AND layout IN ({_parameters(layouts)})",  # noqa: S608  only "?"
            (resource, *layouts),
        )
        self._delete_memberships(resource, layouts)

    def _delete_memberships(self, member: str, layouts: Sequence[str]) -> None:
        """Delete the memberships of a resource in some layouts, or in all of them if none is given."""
        only = f" AND layout IN ({_parameters(layouts)})" if layouts else ""
        shared = self._db.execute(
            f"SELECT layout, folder, node, name FROM holding WHERE holder = ?{only}",  # noqa: S608  only "?"
            (member, *layouts),
        ).fetchall()
        if shared:
            self._db.execute(f"DELETE FROM holding WHERE holder = ?{only}", (member, *layouts))  # noqa: S608  only "?"
            place = "layout = ?1 AND folder = ?2 AND node = ?3 AND name = ?4"
            self._db.executemany(
                f"DELETE FROM placement WHERE {place} AND NOT EXISTS (SELECT 1 FROM holding WHERE {place})",  # noqa: S608
                shared,
            )


def delete_layout(db: sqlite3.Connection, layout: str) -> None:
    """Delete all placements of a layout."""
    db.execute("DELETE FROM placement WHERE layout = ?", (layout,))
    db.execute("DELETE FROM holding WHERE layout = ?", (layout,))


def _read(row: Sequence[Any]) -> _Record:
    resource, level, parent, tags, patient, labels, updated = row
    attributes = {} if patient == _NO_TAGS else json.loads(patient)
    known_labels = () if labels == _NONE else json.loads(labels)
    return _Record(resource, Level(level), parent, json.loads(tags), attributes, known_labels, updated)


def _joined(values: Iterable[str]) -> str:
    """Join values as Orthanc joins those of one tag."""
    return "\\".join(sorted({*values} - {""}))


def _parameters(values: Collection[str]) -> str:
    return ",".join("?" * len(values))
