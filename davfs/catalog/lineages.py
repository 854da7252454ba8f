"""Reads indexed resources with all tags on which their placements can depend, also those of the resources above."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from davfs.catalog.packing import pack, unpack
from davfs.catalog.placing import Placer, TaggedResource
from davfs.catalog.records import COLUMNS, Record, read
from davfs.layout.subject import subject
from davfs.layout.tags import LABELS, MODALITIES, SUBJECT
from davfs.orthanc.model import Level

_BY_ID = f"SELECT {COLUMNS} FROM resource WHERE level IN (0, 1, 2) AND orthanc = ?"  # noqa: S608  a constant
_BELOW = f"SELECT {COLUMNS} FROM resource WHERE parent = ?"  # noqa: S608  a constant


class Lineages:
    """Reads resources over one connection.

    Args:
        db: The connection.
        placer: Its layouts decide which tags are needed.
    """

    def __init__(self, db: sqlite3.Connection, placer: Placer) -> None:
        self._db = db
        self._with_series = any(plan.reads_series for plan in placer.plans)
        self._with_labels = any(plan.labels for plan in placer.plans)
        self._parent, self._children = "", list[Record]()
        self._new: dict[str, Record] = {}
        self._new_children: dict[str, list[Record]] = {}

    def note_new(self, records: Iterable[Record]) -> None:
        """Note resources that were just inserted, studies before their series, which need not be read again."""
        self._parent = ""
        for record in records:
            self._new[record.id] = record
            if record.level is Level.STUDY:  # none of its series was indexed before
                self._new_children[record.id] = []
            elif record.parent in self._new_children:
                self._new_children[record.parent].append(record)

    def record(self, resource: str | None) -> Record | None:
        """Return a resource; None if it is not indexed."""
        if resource in self._new:
            return self._new[resource]
        found = self._db.execute(_BY_ID, (pack(resource),)).fetchone() if resource else None
        return read(found) if found else None

    def below(self, resource: str) -> list[Record]:
        """Return the resources right below another one."""
        if resource in self._new_children:
            return self._new_children[resource]
        if resource != self._parent:  # series are needed twice: for their study's placements, and for their own
            self._parent = resource
            self._children = [read(row) for row in self._db.execute(_BELOW, (pack(resource),))]
        return self._children

    def of_packed(self, study: bytes | str) -> tuple[TaggedResource, ...]:
        """Return a study by its packed id, as `of` does."""
        return self.of(unpack(study))

    def of(self, resource: str) -> tuple[TaggedResource, ...]:
        """Return a study, or a study and its series; an empty tuple if the study is not indexed."""
        return self.of_record(self.record(resource))

    def of_record(self, above: Record | None) -> tuple[TaggedResource, ...]:
        """Return the lineage of a record; see `of`."""
        records = list[Record]()
        while above:
            records.append(above)
            above = self.record(above.parent) if above.level is Level.SERIES else None
        lineage: tuple[TaggedResource, ...] = ()
        for record in reversed(records if records and records[-1].level is Level.STUDY else ()):
            lineage = (*lineage, self.tagged(record, lineage))
        return lineage

    def with_series(self, study: str) -> list[tuple[TaggedResource, ...]]:
        """Return the lineage of each series of a study."""
        lineage = self.of(study)
        if not lineage or lineage[-1].level is not Level.STUDY:
            return []
        return [(*lineage, self.tagged(record, lineage)) for record in self.below(study)]

    def tagged(self, record: Record, above: Sequence[TaggedResource]) -> TaggedResource:
        """Return a study, or a series below the study in ``above``, with its tags."""
        if record.level is Level.STUDY:
            return self._tagged_study(record)
        higher, tags = above[-1].merged, dict(record.tags)
        if record.labels:
            tags[LABELS] = _joined([*record.labels, *higher.get(LABELS, "").split("\\")])
        merged = {**higher, **tags}
        return TaggedResource(record.id, record.level, record.parent, tags, merged, record.updated, row=record.row)

    def _tagged_study(self, record: Record) -> TaggedResource:
        tags = dict(record.tags)
        patient = self.record(record.parent) if self._with_labels else None
        if labels := _joined([*record.labels, *(patient.labels if patient else ())]):
            tags[LABELS] = labels
        series: tuple[Mapping[str, str], ...] = ()
        if self._with_series:
            series = tuple(each.tags for each in self.below(record.id))
            tags[MODALITIES] = _joined([one.get("Modality", "") for one in series])
        merged = {**record.patient, **tags}
        merged[SUBJECT] = subject(merged)
        return TaggedResource(
            record.id, record.level, record.parent, tags, merged, record.updated, record.patient, series, record.row
        )


def _joined(values: Iterable[str]) -> str:
    """Join values as Orthanc joins those of one tag."""
    return "\\".join(sorted({*values} - {""}))
