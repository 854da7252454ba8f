"""Identifiers of Orthanc's resources and of attachments, computed from what they identify."""

import hashlib
import uuid
from collections.abc import Sequence

from davfs.orthanc import OrthancId

_NAMESPACE = uuid.UUID("6b1f0b6e-6f0c-4f4e-9a53-2f9f1f2f3d61")
"""Drawn once, for the identifiers of attachments."""


def orthanc_id(*identifiers: str) -> OrthancId:
    """Return Orthanc's id of a resource, by PatientID and the UIDs below it (DicomInstanceHasher.cpp)."""
    text = "|".join(each.strip(" \0") for each in identifiers)
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return OrthancId("-".join(digest[start : start + 8] for start in range(0, 40, 8)))


def attachment_uid(part: str, study: OrthancId, digest: str) -> str:
    """Return a UID that is the same whenever the same bytes are attached to the same study (DICOM PS3.5 §B.2).

    So a client that repeats an upload, through whichever node, after whatever crash, attaches nothing twice.

    Args:
        part: What it identifies: the instance, its series.
        study: The study.
        digest: A digest of the bytes.
    """
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'{part}/{study}/{digest}').int}"


def is_in_study(study: OrthancId, identifiers: Sequence[str]) -> bool:
    """Return True if these PatientID and StudyInstanceUID are those of a study of Orthanc."""
    return orthanc_id(*identifiers) == study
