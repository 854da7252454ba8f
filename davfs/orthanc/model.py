"""Orthanc's resources, changes and counts as frozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import NewType

OrthancId = NewType("OrthancId", str)
"""Orthanc's identifier of a resource: five groups of eight hexadecimal digits of a SHA-1, joined by dashes."""


class Level(Enum):
    """The four levels of Orthanc's model; the value is the name in REST paths."""

    PATIENT = "patients"
    STUDY = "studies"
    SERIES = "series"
    INSTANCE = "instances"

    __hash__ = object.__hash__  # there is one object of each: a lookup by them takes half the time

    @property
    def label(self) -> str:
        """Its name for a single resource: ``patient``, ``study``, ``series`` or ``instance``."""
        return self.name.lower()

    @property
    def child(self) -> "Level | None":
        """The level right below, None under an instance."""
        return _BELOW[self]

    @property
    def parent(self) -> "Level | None":
        """The level right above, None over a patient."""
        return _ABOVE[self]


_BELOW: dict[Level, Level | None] = dict(zip(Level, (*tuple(Level)[1:], None), strict=True))
_ABOVE: dict[Level, Level | None] = dict(zip(Level, (None, *Level), strict=False))


@dataclass(frozen=True, slots=True)
class Resource:
    """A patient, study or series.

    Attributes:
        id: Orthanc's identifier.
        level: Patient, study or series.
        parent: Identifier of the resource above; None for a patient.
        tags: Main DICOM tags of this very level, by DICOM keyword.
        updated: Last change, in UTC (Orthanc's ``LastUpdate``); None if unknown.
        labels: Its labels; none before Orthanc 1.12.0.
        patient: Of a study, its own patient attributes (``PatientMainDicomTags``), by DICOM keyword. They tell whose it
            is: the tags of Orthanc's patient are those of the first person with the same PatientID.
    """

    id: OrthancId
    level: Level
    parent: OrthancId | None
    tags: Mapping[str, str]
    updated: datetime | None
    labels: tuple[str, ...] = ()
    patient: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WithChildren:
    """A patient, study or series, and the ids of the resources right below it, as they were at one moment."""

    resource: Resource
    children: Sequence[OrthancId]


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM instance.

    Attributes:
        id: Orthanc's identifier.
        series: Identifier of its series.
        tags: Main DICOM tags of the instance, by DICOM keyword.
        size: Bytes of its DICOM file.
        received: Reception by Orthanc, in UTC; None if unknown.
        uuid: Orthanc's name for the stored file: another content has another one.
        sop_class: Its SOPClassUID; empty if unknown.
    """

    id: OrthancId
    series: OrthancId
    tags: Mapping[str, str]
    size: int
    received: datetime | None
    uuid: str
    sop_class: str = ""


@dataclass(frozen=True, slots=True)
class MetadataValue:
    """A value that another program has attached to a resource, and its entity tag (RFC 9110 §8.8.3) in Orthanc."""

    value: bytes
    tag: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of ``/changes``.

    Attributes:
        seq: Its number: a later change has a higher one.
        kind: Orthanc's ``ChangeType``.
        level: Level of the changed resource.
        id: Its id.
        date: Date and time as Orthanc writes them: to the second, in UTC.
    """

    seq: int
    kind: str
    level: Level
    id: OrthancId
    date: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """One page of ``/changes``.

    Attributes:
        entries: The changes, oldest first.
        last: Sequence number up to which the page reaches; of an empty page, the highest that ever was in the log.
        done: True on the last page.
    """

    entries: tuple[Change, ...]
    last: int
    done: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of resources of each level."""

    patients: int
    studies: int
    series: int
    instances: int


class StoreStatus(Enum):
    """The outcome of an upload (POST ``/instances``)."""

    SUCCESS = "Success"
    ALREADY_STORED = "AlreadyStored"
    FILTERED_OUT = "FilteredOut"
    FAILURE = "Failure"


@dataclass(frozen=True, slots=True)
class StoreResult:
    """Orthanc's response to the upload of one DICOM file.

    Attributes:
        id: Identifier of the instance.
        status: Whether it was stored.
        study: Identifier of its study; empty if Orthanc does not say.
    """

    id: OrthancId
    status: StoreStatus
    study: str = ""
