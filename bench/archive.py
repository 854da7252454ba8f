"""The archive that is measured: many patients with one small instance each, and one series of CT-sized images.

It is kept between runs, and what is missing is added.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.connection import Connection, WrongAnswer, question
from tests.support.dicom import CT_IMAGE, instance, orthanc_id, uid

CT_PATIENT = "BENCH-CT"
"""PatientID of the patient with the big series."""

UPLOADS = "BENCH-UPLOAD"
"""PatientID of what is uploaded during a run, and deleted afterwards."""

_VERSION = 1
"""To be counted up with each change of what is in the archives: they are kept between runs."""
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
        counts = {"CountPatients": self.patients + 1, "CountInstances": self.patients + self.images}
        fill(connection, self.contents(), counts)


def kept(parent: Path, name: str, stamp: str = "") -> Path:
    """Return the folder that keeps an archive, after removing those that had other contents.

    Args:
        parent: The folder of all archives.
        name: Tells the archive from others.
        stamp: What its contents depend on, besides the version of this benchmark.
    """
    folder = parent / "-".join(filter(None, (name, stamp, f"v{_VERSION}")))
    for other in {parent / name, *parent.glob(f"{name}-*")} - {folder}:
        shutil.rmtree(other, ignore_errors=True)
    return folder


def fill(connection: Connection, contents: Iterable[bytes], counts: Mapping[str, int]) -> None:
    """Import what is missing, and say how far it is.

    Args:
        connection: Asks Orthanc.
        contents: All DICOM files.
        counts: What Orthanc's statistics are afterwards, ``CountInstances`` among them.

    Raises:
        WrongAnswer: Orthanc refused an instance, or holds others too.
    """
    if _has(connection, counts):
        return
    total = counts["CountInstances"]
    start = time.monotonic()
    for done, content in enumerate(contents, start=1):
        connection.ask(question("POST", "/instances", body=content))
        if sys.stdout.isatty() and (done % _STEP == 0 or done == total):
            print(f"\rfilling Orthanc: {done:,} of {total:,} instances", end="", flush=True)
    print(f"\rfilled Orthanc with {total:,} instances in {time.monotonic() - start:.0f} s")
    if not _has(connection, counts):
        raise WrongAnswer("Orthanc holds other instances too: remove build/bench and run the benchmark again")


def _has(connection: Connection, counts: Mapping[str, int]) -> bool:
    connection.ask(question("GET", "/statistics"))
    found = json.loads(connection.body)
    return all(found[key] == value for key, value in counts.items())


def instance_id(patient: str, study: object = 1, series: object = 1, number: int = 1) -> str:
    """Return Orthanc's id for the instance that ``tests.support.dicom.instance`` makes of the same arguments."""
    names = (patient, study, series, number)
    return orthanc_id(patient, *(uid(*names[:depth]) for depth in (2, 3, 4)))
