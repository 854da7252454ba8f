"""Identifiers and tags of a DICOM file, as an Orthanc in memory indexes them."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pydicom
from pydicom.errors import InvalidDicomError

from davfs.errors import BadFile
from davfs.layout.tags import DEFAULT
from davfs.orthanc import Level, OrthancId


@dataclass(frozen=True, slots=True)
class Facts:
    """The ids of an instance and of all above it, and the main DICOM tags of each; the patient first."""

    ids: Mapping[Level, OrthancId]
    tags: Mapping[Level, Mapping[str, str]]
    sop_class: str


@lru_cache(maxsize=1000)
def facts(content: bytes) -> Facts:
    """Return what Orthanc knows of a DICOM file; `BadFile` is raised for what is none."""
    try:
        # Without a preamble DCMTK goes by the first bytes; pydicom would read anything.
        force = content[:2] in (b"\x08\x00", b"\x02\x00", b"\x00\x08") and b"1.2.840." in content
        data = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, force=force)
        identifiers = (data.PatientID, data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID)
    except (InvalidDicomError, AttributeError, EOFError):
        raise BadFile("Bad file format", 15) from None
    tags = {level: {name: str(data[name].value) for name in DEFAULT[level] if data.get(name)} for level in Level}
    ids = {level: _hash(identifiers[: depth + 1]) for depth, level in enumerate(Level)}
    return Facts(ids, tags, str(data.get("SOPClassUID", "")))


def _hash(identifiers: Sequence[str]) -> OrthancId:
    digest = hashlib.sha1("|".join(identifiers).encode(), usedforsecurity=False).hexdigest()
    return OrthancId("-".join(digest[start : start + 8] for start in range(0, 40, 8)))
