"""Archives of studies that differ in all that layouts go by; the same files for the same numbers."""

import hmac
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from bench.archive import fill, kept
from bench.connection import Connection
from tests.support.dicom import instance, uid

_FAMILIES = ("Abel", "Baumann", "Çelik", "Dubois", "Eriksen", "Fernández", "García", "Holm", "Ito", "Jensen", "Müller")
_GIVEN = ("Ada", "Béla", "Carl", "Dora", "Emil", "Frida", "Gustav", "Hanna", "Ivan", "Jo")
_MODALITIES = (("CT",), ("CT",), ("MR",), ("MR",), ("US",), ("CR",), ("XA",), ("MG",), ("PT", "CT"))
_REGIONS = ("Head", "Thorax", "Abdomen", "Knee left", "Spine", "Whole body", "")
_PHYSICIANS = (*(f"{family}^{given}" for family in _FAMILIES[:6] for given in _GIVEN[:5]), "")
STUDIES_EACH = 2
_SERIES_OF_LARGEST = 24
_RECENT_DAYS = 24
_DAYS = 5 * 365


@dataclass(frozen=True, slots=True)
class Studies:
    """What there is to list.

    Attributes:
        number: Number of studies.
        images: Images of the largest series; each other series has one.
        until: The last day of a study.
        series: Number of series of the studies, in turn; the first study has many.
    """

    number: int
    images: int
    until: date
    series: Sequence[int] = (2, 3)

    @classmethod
    def of_this_week(cls, number: int, images: int) -> "Studies":
        """Return the archive whose last day is this week's Monday."""
        today = date.today()  # noqa: DTZ011 - as the drive sees it: studies have no time zone
        return cls(number, images, today - timedelta(days=today.weekday()))

    def folder(self, parent: Path) -> Path:
        """Return the folder that keeps it, after removing those of other weeks."""
        return kept(parent, f"studies-{self.number}-{self.images}", f"{self.until}")

    def marks(self, key: str) -> tuple[str, ...]:
        """Return texts of which one stands in the path of the largest study, whatever the layout.

        Args:
            key: The key of pseudonyms.
        """
        patient = patient_id(0)
        pseudonym = hmac.digest(key.encode(), patient.encode(), "sha256").hex()[:16]  # as docs/layouts.md has it
        return patient, pseudonym, uid(patient, 0)

    def fill(self, connection: Connection) -> None:
        """Import it unless an earlier run did.

        Raises:
            WrongAnswer: Orthanc refused an instance, or holds others too.
        """
        images = sum(self._images(study, series) for study in range(self.number) for series in self._series(study))
        fill(connection, self._contents(), {"CountStudies": self.number, "CountInstances": images})

    def _contents(self) -> Iterator[bytes]:
        for study in range(self.number):
            patient = study // STUDIES_EACH
            tags = patient_tags(patient) | self._study_tags(study)
            for series in self._series(study):
                own = tags | {"Modality": _modality(study, series), "SeriesDescription": f"Sequence {series}"}
                for number in range(1, self._images(study, series) + 1):
                    yield instance(patient_id(patient), study, series, number, tags=own)

    def _images(self, study: int, series: int) -> int:
        return self.images if (study, series) == (0, 1) else 1

    def _series(self, study: int) -> range:
        """Return the numbers of a study's series."""
        return range(1, (self.series[study % len(self.series)] if study else _SERIES_OF_LARGEST) + 1)

    def _study_tags(self, study: int) -> dict[str, Any]:
        chance = _chance(f"study {study}")
        days = chance.randrange(_RECENT_DAYS if study % 10 == 0 else _DAYS)
        return {
            "StudyDate": f"{self.until - timedelta(days=days):%Y%m%d}",
            "StudyTime": f"{chance.randrange(7, 19):02d}{chance.randrange(60):02d}00",
            "StudyDescription": chance.choice(_REGIONS),
            "ReferringPhysicianName": chance.choice(_PHYSICIANS),
        }


def _modality(study: int, series: int) -> str:
    modalities = _chance(f"modality {study}").choice(_MODALITIES)
    return modalities[series % len(modalities)]


def patient_id(patient: int) -> str:
    """Return the PatientID of a patient, who has a number from 0."""
    return f"P{patient:05d}"


def patient_tags(patient: int) -> dict[str, Any]:
    """Return the tags of a patient by their keywords."""
    chance = _chance(f"patient {patient}")
    return {"PatientName": f"{chance.choice(_FAMILIES)}^{chance.choice(_GIVEN)}"}


def _chance(what: str) -> random.Random:
    return random.Random(what)  # noqa: S311 - varied, and the same in each run
