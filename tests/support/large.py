"""A multi-frame DICOM file of any size, on the disk."""

import struct
from pathlib import Path

from tests.support import dicom

FRAME = 512 * 512 * 2
"""Bytes of one frame."""
_PATTERN = 1 << 20
_ELEMENT = struct.Struct("<HH2sHI")


def write(path: Path, frames: int, patient: str = "large") -> None:
    """Write an instance of so many frames, in which each megabyte is another one.

    Source: DICOM PS3.5 7.1.2, an explicit element of VR OW; the pixel data come last.
    """
    tags = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 512,
        "Columns": 512,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "NumberOfFrames": frames,
    }
    size = frames * FRAME
    with path.open("wb") as file:
        file.write(dicom.instance(patient, tags=tags))
        file.write(_ELEMENT.pack(0x7FE0, 0x0010, b"OW", 0, size))
        for start in range(0, size, _PATTERN):
            file.write((struct.pack("<Q", start) * (_PATTERN // 8))[: size - start])
