"""DICOM files that encapsulate documents, and images that no viewer can show."""

import io
import struct
from collections.abc import Mapping
from typing import Any

import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import EncapsulatedPDFStorage, RLELossless

from tests.support import dicom


def encapsulated(
    document: bytes,
    number: int = 1,
    *,
    media_type: str = "application/pdf",
    series: object = "documents",
    tags: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a DICOM file with a document in it (DICOM PS3.3 A.45).

    Args:
        document: Any bytes.
        number: InstanceNumber.
        media_type: What they are.
        series: See `dicom.instance`; the patient is ``p1``, the study the first one.
        tags: Further tags, as for `dicom.instance`.
    """
    about = {
        "SOPClassUID": EncapsulatedPDFStorage,
        "Modality": "DOC",
        "MIMETypeOfEncapsulatedDocument": media_type,
        "EncapsulatedDocument": document,
        "EncapsulatedDocumentLength": len(document),
    }
    return dicom.instance("p1", 1, series, number, tags=about | dict(tags or {}))


def damaged(image: bytes) -> bytes:
    """Return an image that has a part of its uncompressed pixels only."""
    data = pydicom.dcmread(io.BytesIO(image))
    data.PixelData = data.PixelData[:1000]
    written = io.BytesIO()
    data.save_as(written)
    return written.getvalue()


def claiming(rows: int, columns: int) -> bytes:
    """Return a small compressed image that claims to have so many pixels."""
    data = pydicom.dcmread(io.BytesIO(dicom.instance("claims", pixels=dicom.ROW)))
    data.file_meta.TransferSyntaxUID = RLELossless
    data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = rows, columns, 8, 8, 7
    data.PixelData = encapsulate([struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 1000])
    data["PixelData"].is_undefined_length = True
    written = io.BytesIO()
    data.save_as(written)
    return written.getvalue()
