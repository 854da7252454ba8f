"""Renders DICOM files as Orthanc does, for `tests.support.memory_orthanc`, as far as tests need it."""

import io
import struct
import zlib
from functools import lru_cache

import pydicom

_IDENTIFIERS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@lru_cache(maxsize=1000)
def picture(content: bytes) -> bytes | None:
    """Return a black PNG of an image's size, None for what is no image, or has too few pixels."""
    data = pydicom.dcmread(io.BytesIO(content))
    if len(data.get("PixelData", b"")) < data.get("Rows", 1) * data.get("Columns", 1):
        return None
    rows = (b"\0" + bytes(data.Columns)) * data.Rows
    header = struct.pack(">IIBBBBB", data.Columns, data.Rows, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
