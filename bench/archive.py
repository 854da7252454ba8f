"""The archive that is measured: many patients with one small instance each, and one series of CT-sized images.

It is kept between runs, and what is missing is added.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.connection import Connection, WrongAnswer, question
from tests.support.dicom import CT_IMAGE, instance, orthanc_id, uid

CT_PATIENT = "BENCH-CT"
"""PatientID of the patient with the big series."""

UPLOADS = "BENCH-UPLOAD"
"""PatientID of what is uploaded during a run, and deleted afterwards."""

_STEP = 50


@dataclass(frozen=True, slots=True)
class Archive:
    """What there is to measure.

    Attributes:
        patients: Number of patients with one small instance.
        images: Number of images in the big series.
    """

    patients: int
    images: int

    @property
    def patient_ids(self) -> list[str]:
        """PatientIDs of the small patients."""
        return [f"BENCH-{number:06d}" for number in range(1, self.patients + 1)]

    def contents(self) -> Iterator[bytes]:
        """Make all DICOM files."""
        for patient in self.patient_ids:
            yield instance(patient)
        for number in range(1, self.images + 1):
            yield instance(CT_PATIENT, number=number, pixels=CT_IMAGE)

    def image_id(self, number: int) -> str:
        """Return Orthanc's id of an image in the big series; the first one has number 1."""
        return instance_id(CT_PATIENT, number=number)

    def fill(self, connection: Connection) -> None:
        """Import what is missing, and say how far it is.

        Raises:
            WrongAnswer: Orthanc refused an instance, or holds others too.
        """
        if self._is_there(connection):
            return
        total = self.patients + self.images
        start = time.monotonic()
        for done, content in enumerate(self.contents(), start=1):
            connection.ask(question("POST", "/instances", body=content))
            if sys.stdout.isatty() and (done % _STEP == 0 or done == total):
                print(f"\rfilling Orthanc: {done:,} of {total:,} instances", end="", flush=True)
        print(f"\rfilled Orthanc with {total:,} instances in {time.monotonic() - start:.0f} s")
        if not self._is_there(connection):
            raise WrongAnswer("Orthanc holds other instances too: remove build/bench and run the benchmark again")

    def _is_there(self, connection: Connection) -> bool:
        connection.ask(question("GET", "/statistics"))
        counts = json.loads(connection.body)
        expected = {"CountPatients": self.patients + 1, "CountInstances": self.patients + self.images}
        return all(counts[key] == value for key, value in expected.items())


def instance_id(patient: str, study: object = 1, series: object = 1, number: int = 1) -> str:
    """Return Orthanc's id for the instance that ``tests.support.dicom.instance`` makes of the same arguments."""
    names = (patient, study, series, number)
    return orthanc_id(patient, *(uid(*names[:depth]) for depth in (2, 3, 4)))
