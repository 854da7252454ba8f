"""Imports real DICOM files of several patients and modalities, which pydicom ships for its own tests."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from davfs.errors import BadFile
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.rest import RestOrthanc


def samples() -> list[Path]:
    """Return the files of patients that have an ID, each SOP instance once, in a fixed order."""
    root = Path(str(files("pydicom"))) / "data" / "test_files"
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and (instance := _sop_instance(path)):
            found.setdefault(instance, path)
    return list(found.values())


def import_samples(url: str, progress: Callable[[int, int], None]) -> int:
    """Upload the samples to an Orthanc without authentication, and return how many it took.

    Files that Orthanc cannot read are left out: some of the samples are broken on purpose.

    Args:
        url: Orthanc's URL.
        progress: Called after each file with the number of files done, and of all.

    Raises:
        OrthancError: Orthanc cannot be reached, or failed in another way.
    """
    paths = samples()
    taken = 0
    with http_client(url) as client:
        orthanc = RestOrthanc(HttpTransport(client))
        for done, path in enumerate(paths, start=1):
            with suppress(BadFile):
                orthanc.store(path.read_bytes())
                taken += 1
            progress(done, len(paths))
    return taken


def _sop_instance(path: Path) -> str | None:
    """Return the SOPInstanceUID of a DICOM file that belongs to a patient with an ID; None for any other file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path, specific_tags=["PatientID", "SOPInstanceUID"], stop_before_pixels=True)
        except (InvalidDicomError, EOFError, OSError):
            return None
        return str(dataset.get("SOPInstanceUID") or "") if dataset.get("PatientID") else None
