"""A simulated archive of any size: the resources that Orthanc would have in its index, without any DICOM file."""

import hashlib
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from davfs.orthanc import Counts, Level, OrthancId, Resource, WithChildren
from tests.support.memory_orthanc import MemoryOrthanc

_FAMILIES = ("Abel", "Baumann", "Çelik", "Dubois", "Eriksen", "Fernández", "García", "Holm", "Ito", "Jensen", "Müller")
_GIVEN = ("Ada", "Béla", "Carl", "Dora", "Emil", "Frida", "Gustav", "Hanna", "Ivan", "Jo")
_MODALITIES = (("CT",), ("CT",), ("MR",), ("MR",), ("US",), ("CR",), ("XA",), ("MG",), ("PT", "CT"))
_REGIONS = ("Head", "Thorax", "Abdomen", "Knee left", "Spine", "Whole body", "")
_PHYSICIANS = tuple(f"{family}^{given}" for family in _FAMILIES for given in _GIVEN)
STUDIES_EACH, _SERIES_EACH = 2, 2
_LAST_DAY, _DAYS = datetime(2024, 12, 31, tzinfo=UTC), 10 * 365
_KEPT = 200_000
"""Studies of the largest archive that is kept in memory; of a larger one each resource is made when it is asked for."""
_PATIENT, _STUDY, _SERIES = 0, 1, 2
"""Kinds of resources in their ids; of the series of a study the first number."""
_MANY, _FACTOR = 1 << 32, 0x9E3779B1
"""Multiplied by the factor, the numbers of studies look as random as the digests of which Orthanc makes its ids."""
_INVERSE = pow(_FACTOR, -1, _MANY)


class _Resources(dict[OrthancId, Resource]):
    """The resources by their ids; those that are not in the dictionary are made.

    Attributes:
        studies: Number of studies.
        keeps: Whether what is made is kept.
        seconds: CPU seconds that making them took.
    """

    def __init__(self, studies: int) -> None:
        super().__init__()
        self.studies = studies
        self.keeps = studies <= _KEPT
        self.seconds = 0.0

    def __missing__(self, resource: OrthancId) -> Resource:
        if resource not in self:
            raise KeyError(resource)
        began = time.thread_time()
        made = _resource(resource)
        if self.keeps:
            self[resource] = made
        self.seconds += time.thread_time() - began
        return made

    def __contains__(self, resource: object) -> bool:
        number, kind = _number(str(resource))
        count = -(-self.studies // STUDIES_EACH) if kind == _PATIENT else self.studies
        return 0 <= kind < _SERIES + _SERIES_EACH and number < count and _id(number, kind) == resource


@dataclass
class SimulatedArchive(MemoryOrthanc):
    """Studies of ten years: two of each patient, each of two series; the same ones in each run.

    Listing what is below a resource takes no longer in a larger archive, as in Orthanc.
    """

    _resources: _Resources = field(default_factory=lambda: _Resources(0))

    @classmethod
    def of(cls, studies: int) -> "SimulatedArchive":
        """Make an archive of so many studies."""
        archive = cls(last=studies, _resources=_Resources(studies))
        if archive._resources.keeps:
            for level in (Level.PATIENT, Level.STUDY, Level.SERIES):
                archive.resources(archive.ids(level))
        archive._resources.seconds = 0.0
        return archive

    @property
    def seconds(self) -> float:
        """CPU seconds that the simulation itself has taken."""
        return self._resources.seconds

    def arrive(self) -> None:
        """Receive one more study, which the log of changes tells."""
        number = self._resources.studies
        self._resources.studies += 1
        for each in range(_SERIES_EACH):
            self._note("NewSeries", Level.SERIES, _id(number, _SERIES + each))
        self._note("NewStudy", Level.STUDY, _id(number, _STUDY))

    def ids(self, level: Level) -> list[OrthancId]:
        """See `Orthanc`."""
        return self.id_page(level, 0, self._count(level))

    def id_page(self, level: Level, since: int, limit: int) -> list[OrthancId]:
        """See `Orthanc`."""
        began = time.thread_time()
        places = range(since, min(since + limit, self._count(level)))
        if level is Level.SERIES:
            found = [_id(place // _SERIES_EACH, _SERIES + place % _SERIES_EACH) for place in places]
        else:
            found = [_id(place, _STUDY if level is Level.STUDY else _PATIENT) for place in places]
        self._resources.seconds += time.thread_time() - began
        return found

    def counts(self) -> Counts:
        """See `Orthanc`."""
        patients, studies, series = (self._count(level) for level in (Level.PATIENT, Level.STUDY, Level.SERIES))
        return Counts(patients, studies, series, series)

    def has_count(self, level: Level, count: int) -> bool:
        """See `Orthanc`."""
        return self._count(level) == count

    def _count(self, level: Level) -> int:
        studies = self._resources.studies
        return {Level.PATIENT: -(-studies // STUDIES_EACH), Level.SERIES: studies * _SERIES_EACH}.get(level, studies)

    def _below(self, resource: OrthancId) -> list[OrthancId]:
        number, kind = _number(resource)
        if kind == _PATIENT:
            studies = range(number * STUDIES_EACH, min((number + 1) * STUDIES_EACH, self._resources.studies))
            return [_id(study, _STUDY) for study in studies]
        return [_id(number, _SERIES + each) for each in range(_SERIES_EACH)] if kind == _STUDY else []

    def series_of(self, studies: Sequence[OrthancId]) -> list[WithChildren]:
        """See `Orthanc`; each series has one instance, with the same id."""
        series = [one for study in studies for one in self._below(study)]
        return [WithChildren(one, [one.id]) for one in self.resources(series)]

    def page(self, level: Level, since: int, limit: int) -> list[Resource]:
        """See `Orthanc`."""
        return self.resources(self.id_page(level, since, limit))

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `Orthanc`."""
        return [
            self._resources[each] for each in ids if dict.__contains__(self._resources, each) or each in self._resources
        ]


def _resource(resource: OrthancId) -> Resource:
    number, kind = _number(resource)
    if kind == _PATIENT:
        return Resource(resource, Level.PATIENT, None, patient_tags(number), _LAST_DAY)
    chance = random.Random(f"study {number}")  # noqa: S311  varied, and the same in each run
    moment = _LAST_DAY - timedelta(days=chance.randrange(_DAYS))
    tags = {
        "StudyDate": f"{moment:%Y%m%d}",
        "StudyTime": f"{chance.randrange(7, 19):02d}{chance.randrange(60):02d}00",
        "StudyDescription": chance.choice(_REGIONS),
        "ReferringPhysicianName": chance.choice(_PHYSICIANS),
        "StudyInstanceUID": _uid(number),
        "AccessionNumber": f"A{number:08d}",
        "StudyID": str(number),
        "InstitutionName": "Hospital of the simulation",
    }
    if kind == _STUDY:
        person = number // STUDIES_EACH
        patient = patient_tags(person)
        return Resource(resource, Level.STUDY, _id(person, _PATIENT), tags, moment, patient=patient)
    modalities, each = chance.choice(_MODALITIES), kind - _SERIES + 1
    series = _series_tags(_uid(number), each, modalities[each % len(modalities)], moment)
    return Resource(resource, Level.SERIES, _id(number, _STUDY), series, moment)


def patient_tags(number: int) -> dict[str, str]:
    """Return the tags of a patient, whose name nobody else has."""
    chance = random.Random(f"patient {number}")  # noqa: S311  see above
    return {
        "PatientID": f"P{number:07d}",
        "PatientName": f"{chance.choice(_FAMILIES)}{number:07d}^{chance.choice(_GIVEN)}",
        "PatientBirthDate": f"{chance.randrange(1930, 2020)}0{chance.randrange(1, 10)}{chance.randrange(10, 29)}",
        "PatientSex": chance.choice("FM"),
    }


def _series_tags(study: str, number: int, modality: str, moment: datetime) -> dict[str, str]:
    return {
        "Modality": modality,
        "SeriesNumber": str(number),
        "SeriesDescription": f"Sequence {number}",
        "SeriesInstanceUID": f"{study}.{number}",
        "SeriesDate": f"{moment:%Y%m%d}",
        "SeriesTime": "120000",
        "Manufacturer": "Simulated",
        "StationName": f"{modality}1",
        "BodyPartExamined": "CHEST",
        "ProtocolName": "Routine",
    }


def _uid(study: int) -> str:
    return f"1.2.826.0.1.3680043.8.498.1{study:012d}"


def _id(number: int, kind: int) -> OrthancId:
    """Return the id of a resource, from which its number can be read."""
    scattered = number * _FACTOR % _MANY
    digest = hashlib.sha1(f"{number}/{kind}".encode(), usedforsecurity=False).hexdigest()
    return OrthancId(f"{scattered:08x}-{digest[:8]}-{digest[8:16]}-{digest[16:24]}-{kind:08x}")


def _number(resource: str) -> tuple[int, int]:
    """Return number and kind of the resource that has an id; a kind that there is not for any other text."""
    try:
        scattered, _, _, _, kind = (int(part, 16) for part in resource.split("-"))
    except ValueError:
        return 0, -1
    return scattered * _INVERSE % _MANY, kind
