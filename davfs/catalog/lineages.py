"""Reads indexed resources with all tags on which their placements can depend, also those of the resources above."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from davfs.catalog.packing import pack, unpack
from davfs.catalog.placing import Placer, TaggedResource
from davfs.catalog.schema import LEVELS
from davfs.layout.subject import subject
from davfs.layout.tags import LABELS, MODALITIES, SUBJECT
from davfs.orthanc.model import Level, OrthancId

_NONE, _NO_TAGS = json.dumps([]), json.dumps({})
_COLUMNS = "id, orthanc, level, COALESCE(parent, ''), tags, patient, labels, updated"
_BY_ID = f"SELECT {_COLUMNS} FROM resource WHERE level IN (0, 1, 2) AND orthanc = ?"  # noqa: S608  a constant
_BELOW = f"SELECT {_COLUMNS} FROM resource WHERE parent = ?"  # noqa: S608  a constant


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the table of resources: own tags and labels."""

    row: int
    id: OrthancId
    level: Level
    parent: str
    tags: Mapping[str, str]
    patient: Mapping[str, str]
    labels: Sequence[str]
    updated: int


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

    def record(self, resource: str | None) -> Record | None:
        """Return a resource; None if it is not indexed."""
        found = self._db.execute(_BY_ID, (pack(resource),)).fetchone() if resource else None
        return _read(found) if found else None

    def below(self, resource: str) -> list[Record]:
        """Return the resources right below another one."""
        if resource != self._parent:  # series are needed twice: for their study's placements, and for their own
            self._parent = resource
            self._children = [_read(row) for row in self._db.execute(_BELOW, (pack(resource),))]
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


def _read(columns: Sequence[Any]) -> Record:
    row, resource, level, parent, tags, patient, labels, updated = columns
    attributes = {} if patient == _NO_TAGS else json.loads(patient)
    known_labels = () if labels == _NONE else json.loads(labels)
    identifier = OrthancId(unpack(resource))
    return Record(row, identifier, LEVELS[level], unpack(parent), json.loads(tags), attributes, known_labels, updated)


def _joined(values: Iterable[str]) -> str:
    """Join values as Orthanc joins those of one tag."""
    return "\\".join(sorted({*values} - {""}))


def parameters(values: Collection[object]) -> str:
    """Return the placeholders of a list in SQL."""
    return ",".join("?" * len(values))
