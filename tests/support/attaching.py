"""A study on which files are dropped."""

import io
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pydicom

from tests.support import dicom
from tests.support.drive import import_by_rest, place

_KNOWN = re.compile(
    r"Value dubious for this VR - \(0x0008,0x1070\)"  # a user's name has one part
    r"|Attribute is not present in standard DICOM IOD - \(0x0008,0x1070\)"  # of documents: an extension (PS3.2 §3.11.3)
    r"|only permitted to be empty when actually unknown.*<Laterality>"  # it is
    r"|Dicom dataset contains attributes not present in standard DICOM IOD"
)
"""Warnings of dciodvfy that stand for decisions."""


class Study:
    """A study in the archive: one image, its folders in by-patient/, and Orthanc's id of it."""

    def __init__(self, rest: httpx.Client, patient: str, tags: Mapping[str, str] | None = None) -> None:
        content = dicom.instance(patient, tags=tags)
        import_by_rest(rest, content)
        self.rest = rest
        self.id = dicom.ids(content).study
        self.image = place(patient, tags=tags)
        self.series = self.image.rpartition("/")[0]
        self.folder = self.series.rpartition("/")[0]
        self.patient = self.folder.rpartition("/")[0]

    def attached(self) -> list[Any]:
        """Return Orthanc's instances of the study beyond the first image, with their tags."""
        found = self.rest.get(f"/studies/{self.id}/instances").json()
        tags = {each["ID"]: self.rest.get(f"/instances/{each['ID']}/simplified-tags").json() for each in found}
        return [each | {"ID": one} for one, each in tags.items() if each.get("Modality") != "CT"]

    def only(self) -> Any:
        """Return the only attachment."""
        (attached,) = self.attached()
        return attached

    def file(self, instance: str) -> pydicom.Dataset:
        """Return the DICOM file of an instance."""
        return pydicom.dcmread(io.BytesIO(self.rest.get(f"/instances/{instance}/file").content))


def complaints(content: bytes, folder: Path) -> list[str]:
    """Return the errors and warnings of dciodvfy, which compares a file with its IOD (DICOM PS3.3)."""
    file = folder / "checked.dcm"
    file.write_bytes(content)
    told = subprocess.run(["dciodvfy", file], capture_output=True, text=True, check=False)
    lines = (told.stderr + told.stdout).splitlines()
    return [each for each in lines if each.startswith(("Error", "Warning")) and not _KNOWN.search(each)]
