"""Small valid DICOM files, the same bytes for the same arguments."""

import hashlib
import io
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pydicom
from pydicom.config import disable_value_validation
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

ROW = 1024
"""Bytes of one row of pixels: 512 columns of 16 bits."""

CT_IMAGE = 512 * ROW
"""Bytes of pixels in an ordinary CT image."""

_one_at_a_time = threading.Lock()  # pydicom's validation is switched off for the whole process


@dataclass(frozen=True, slots=True)
class Ids:
    """Orthanc's identifiers of an instance and of all above it."""

    patient: str
    study: str
    series: str
    instance: str


def uid(*names: object) -> str:
    """Return a DICOM UID that depends on these names alone (DICOM PS3.5 B.2, from a hash instead of a UUID)."""
    digest = hashlib.sha256("\0".join(map(str, names)).encode("utf-8", "surrogatepass")).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def instance(  # noqa: PLR0913 - four levels, and two that most callers leave out
    patient: str = "p1",
    study: object = 1,
    series: object = 1,
    number: int = 1,
    *,
    tags: Mapping[str, Any] | None = None,
    pixels: int = 0,
) -> bytes:
    """Return the DICOM file of one CT instance.

    The first four arguments name the patient, the study within it, and so on: the same ones lead to the same UIDs.

    Args:
        patient: PatientID, and part of PatientName.
        study: Any value that tells the studies of a patient apart.
        series: Any value that tells the series of a study apart.
        number: InstanceNumber.
        tags: Further tags by DICOM keyword, on top of the defaults, UIDs included. Text is written in UTF-8
            (ISO_IR 192) without validation, ``bytes`` as they are, and ``None`` leaves the tag out.
        pixels: Bytes of pixel data, a multiple of 1024; 0 for an instance without any.
    """
    with _one_at_a_time, disable_value_validation():
        dataset = _defaults(patient, study, series, number)
        if pixels:
            _add_pixels(dataset, pixels)
        for keyword, value in (tags or {}).items():
            _set(dataset, keyword, value)
        return _encoded(dataset)


def ids(content: bytes) -> Ids:
    """Return the identifiers that Orthanc gives to the resources of a DICOM file in UTF-8.

    Source: https://orthanc.uclouvain.be/book/faq/orthanc-ids.html
    """
    tags = [Tag(keyword) for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    dataset = pydicom.dcmread(io.BytesIO(content), specific_tags=tags)
    raw = [dataset.get_item(tag) for tag in tags]  # as stored: pydicom would split at backslashes
    values = [each.value.decode(errors="replace").rstrip(" \0") if each and each.value else "" for each in raw]
    return Ids(*(orthanc_id(*values[: depth + 1]) for depth in range(4)))


def orthanc_id(*values: str) -> str:
    """Return the identifier for a PatientID and the UIDs below it, as many as the level needs."""
    digest = hashlib.sha1("|".join(values).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def _defaults(patient: str, study: object, series: object, number: int) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = uid(patient, study, series, number)
    dataset.StudyDate = "20240229"
    dataset.StudyTime = "133000"
    dataset.AccessionNumber = f"A{study}"[:16]
    dataset.Modality = "CT"
    dataset.StudyDescription = f"Study {study}"[:64]
    dataset.SeriesDescription = f"Series {series}"[:64]
    dataset.PatientName = f"Doe^{patient}"
    dataset.PatientID = patient
    dataset.PatientBirthDate = "19700101"
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = uid(patient, study)
    dataset.SeriesInstanceUID = uid(patient, study, series)
    dataset.StudyID = str(study)[:16]
    dataset.SeriesNumber = series if isinstance(series, int) else 1
    dataset.InstanceNumber = number
    return dataset


def _add_pixels(dataset: Dataset, size: int) -> None:
    """Add an image whose content differs from instance to instance."""
    if size % ROW:
        raise ValueError(f"{size} bytes of pixels are no multiple of {ROW}")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows = size // ROW
    dataset.Columns = ROW // 2
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    seed = hashlib.sha256(str(dataset.SOPInstanceUID).encode()).digest()
    dataset.PixelData = seed * (size // len(seed))


def _set(dataset: Dataset, keyword: str, value: Any) -> None:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no DICOM keyword")
    if value is None:
        dataset.pop(tag, None)
    elif isinstance(value, bytes):
        dataset[tag] = DataElement(tag, dictionary_VR(tag), value)
    else:
        setattr(dataset, keyword, value)


def _encoded(dataset: Dataset) -> bytes:
    """Return a DICOM file, PS3.10: preamble, file meta information, and the dataset in explicit little endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
