"""The rows of the table of resources: their own tags and labels, as Orthanc sent them last."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from davfs.catalog import stored_tags
from davfs.catalog.packing import pack, unpack
from davfs.catalog.schema import LEVEL_NUMBERS, LEVELS
from davfs.orthanc.model import Level, OrthancId, Resource

COLUMNS = "id, level, orthanc, parent, tags, patient, labels, updated"
"""The columns of the table, from which `read` makes a record."""
INSERT = f"INSERT INTO resource ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  a constant
_to_json = json.JSONEncoder(separators=(",", ":")).encode
_NO_LABELS = "[]"

Values: TypeAlias = tuple[str, str, str, int]
"""Tags, patient attributes, labels and last change of a resource, as the table has them."""


class Record(NamedTuple):  # quicker to make than a dataclass
    """A row of the table of resources."""

    row: int
    id: OrthancId
    level: Level
    parent: str
    tags: Mapping[str, str]
    patient: Mapping[str, str]
    labels: Sequence[str]
    updated: int


def read(columns: Sequence[Any]) -> Record:
    """Return the record that a query for `COLUMNS` has found."""
    row, level, resource, parent, tags, patient, labels, updated = columns
    known_labels = () if labels == _NO_LABELS else json.loads(labels)
    above = "" if parent is None else unpack(parent)
    own, attributes = stored_tags.load(tags), stored_tags.load(patient)
    return Record(row, OrthancId(unpack(resource)), LEVELS[level], above, own, attributes, known_labels, updated)


def of_resource(row: int, resource: Resource) -> Record:
    """Return the record of a resource that gets a number in the file."""
    tags = {} if resource.level is Level.PATIENT else resource.tags
    updated = int(resource.updated.timestamp()) if resource.updated else 0
    labels = sorted(resource.labels) if resource.labels else ()
    return Record(row, resource.id, resource.level, resource.parent or "", tags, resource.patient, labels, updated)


def identity(record: Record) -> tuple[int, bytes | str, bytes | str | None]:
    """Return level, id and parent of a record, as the table has them."""
    return LEVEL_NUMBERS[record.level], pack(record.id), pack(record.parent) if record.parent else None


def values(record: Record) -> Values:
    """Return the other values of a record, as the table has them."""
    labels = _to_json(record.labels) if record.labels else _NO_LABELS
    return stored_tags.dump(record.tags), stored_tags.dump(record.patient), labels, record.updated


def parameters(values: Collection[object]) -> str:
    """Return the placeholders of a list in SQL."""
    return ",".join("?" * len(values))
