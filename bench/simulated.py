"""A simulated archive of any size: the resources that Orthanc would have in its index, without any DICOM file."""

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from davfs.orthanc import Level, OrthancId, Resource
from tests.support.memory_orthanc import MemoryOrthanc

_FAMILIES = ("Abel", "Baumann", "Çelik", "Dubois", "Eriksen", "Fernández", "García", "Holm", "Ito", "Jensen", "Müller")
_GIVEN = ("Ada", "Béla", "Carl", "Dora", "Emil", "Frida", "Gustav", "Hanna", "Ivan", "Jo")
_MODALITIES = (("CT",), ("CT",), ("MR",), ("MR",), ("US",), ("CR",), ("XA",), ("MG",), ("PT", "CT"))
_REGIONS = ("Head", "Thorax", "Abdomen", "Knee left", "Spine", "Whole body", "")
_PHYSICIANS = tuple(f"{family}^{given}" for family in _FAMILIES for given in _GIVEN)
STUDIES_EACH, _SERIES_EACH = 2, 2
_LAST_DAY, _DAYS = datetime(2024, 12, 31, tzinfo=UTC), 10 * 365


@dataclass
class SimulatedArchive(MemoryOrthanc):
    """Studies of ten years: two of each patient, each of two series; the same ones in each run.

    Listing what is below a resource takes no longer in a larger archive, as in Orthanc.
    """

    _children: dict[OrthancId, list[OrthancId]] = field(default_factory=dict)
    _levels: dict[Level, list[OrthancId]] = field(default_factory=lambda: {level: [] for level in Level})

    @classmethod
    def of(cls, studies: int) -> "SimulatedArchive":
        """Make an archive of so many studies."""
        archive = cls()
        for number in range(studies):
            archive._add_study(number)
        archive.last = studies
        return archive

    def arrive(self) -> None:
        """Receive one more study, which the log of changes tells."""
        self._add_study(len(self._levels[Level.STUDY]))
        study = self._levels[Level.STUDY][-1]
        for series in self._children[study]:
            self._note("NewSeries", Level.SERIES, series)
        self._note("NewStudy", Level.STUDY, study)

    def ids(self, level: Level) -> list[OrthancId]:
        """See `Orthanc`."""
        return list(self._levels[level])

    def id_page(self, level: Level, since: int, limit: int) -> list[OrthancId]:
        """See `Orthanc`."""
        return self._levels[level][since : since + limit]

    def has_count(self, level: Level, count: int) -> bool:
        """See `Orthanc`."""
        return len(self._levels[level]) == count

    def _below(self, resource: OrthancId) -> list[OrthancId]:
        return list(self._children.get(resource, ()))

    def _add_study(self, number: int) -> None:
        chance = random.Random(f"study {number}")  # noqa: S311  varied, and the same in each run
        people = patient_tags(number // STUDIES_EACH)
        patient = _id(people["PatientID"])
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
        study = _id(people["PatientID"], _uid(number))
        if patient not in self._resources:
            self._put(Resource(patient, Level.PATIENT, None, people, moment))
        self._put(Resource(study, Level.STUDY, patient, tags, moment, patient=people))
        modalities = chance.choice(_MODALITIES)
        for each in range(1, _SERIES_EACH + 1):
            series = _series_tags(_uid(number), each, modalities[each % len(modalities)], moment)
            identifier = _id(people["PatientID"], _uid(number), series["SeriesInstanceUID"])
            self._put(Resource(identifier, Level.SERIES, study, series, moment))

    def _put(self, resource: Resource) -> None:
        self._resources[resource.id] = resource
        self._levels[resource.level].append(resource.id)
        if resource.parent:
            self._children.setdefault(resource.parent, []).append(resource.id)

    def page(self, level: Level, since: int, limit: int) -> list[Resource]:
        """See `Orthanc`."""
        return self.resources(self._levels[level][since : since + limit])

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `Orthanc`."""
        return [self._resources[each] for each in ids if each in self._resources]


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


def _id(*identifiers: str) -> OrthancId:
    digest = hashlib.sha1("|".join(identifiers).encode(), usedforsecurity=False).hexdigest()
    return OrthancId("-".join(digest[start : start + 8] for start in range(0, 40, 8)))
