"""Small pictures, papers and models, the same bytes for the same arguments."""

import io
import struct
import subprocess
import zlib
from base64 import b64decode
from collections.abc import Mapping, Sequence

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\nstartxref\n9\n%%EOF\n"
TEXT = "Befund: unauffällig.\nSiehe Bild 3.\n".encode()
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def pdf(number: int = 0) -> bytes:
    """Return a PDF; each number makes another one."""
    return PDF.replace(b"<<>>\nendobj", b"<< /Number %d >>\nendobj" % number)


def stl(triangles: int = 1) -> bytes:
    """Return a binary STL file."""
    return bytes(80) + struct.pack("<I", triangles) + struct.pack("<12fH", *range(12), 0) * triangles


def png(  # noqa: PLR0913  what a PNG can be
    rows: Sequence[bytes],
    *,
    columns: int,
    colour: int = RGB,
    bits: int = 8,
    filters: Sequence[int] = (),
    extra: bytes = b"",
) -> bytes:
    """Return a PNG.

    Args:
        rows: The bytes of each row, as its filter has left them.
        columns: Pixels of a row.
        colour: Its colour type.
        bits: Bits of a sample.
        filters: The filter of each row; none for unfiltered rows.
        extra: Chunks before the pixels.
    """
    header = struct.pack(">IIBBBBB", columns, len(rows), bits, colour, 0, 0, 0)
    raw = b"".join(bytes([kind]) + row for kind, row in zip(filters or [0] * len(rows), rows, strict=True))
    return b"".join(
        (_SIGNATURE, chunk(b"IHDR", header), extra, chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b""))
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(number: int = 0) -> tuple[bytes, bytes]:
    """Return a PNG of 3 by 2 pixels, and its pixels; each number makes another one."""
    pixels = bytes((number + one) % 256 for one in range(18))
    return png([pixels[:9], pixels[9:]], columns=3), pixels


def photograph(*options: str, number: int = 0) -> bytes:
    """Return a JPEG of 64 by 48 pixels, made by libjpeg's program ``cjpeg`` with these options."""
    pixels = bytes((x * y + number + 40 * c) % 256 for y in range(48) for x in range(64) for c in range(3))
    made = subprocess.run(["cjpeg", *options], input=b"P6 64 48 255\n" + pixels, capture_output=True, check=True)
    return made.stdout


def decoded(jpeg: bytes) -> bytes:
    """Return the pixels of a JPEG as libjpeg's program ``djpeg`` decodes them."""
    return _pixels(subprocess.run(["djpeg", "-pnm"], input=jpeg, capture_output=True, check=True).stdout)


def _pixels(pnm: bytes) -> bytes:
    return pnm.split(b"255\n", 1)[1]


def dicom_of(tags: Mapping[str, str], uri: str) -> bytes:
    """Return the DICOM file that an Orthanc in memory makes of a PNG."""
    content, pixels, at = b64decode(uri.partition(",")[2]), b"", len(_SIGNATURE)
    columns, rows = struct.unpack_from(">II", content, 16)
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        pixels += content[at + 8 : at + 8 + length] if content[at + 4 : at + 8] == b"IDAT" else b""
        at += length + 12
    raw = zlib.decompress(pixels)
    size = len(raw) // rows
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = rows, columns, (size - 1) // columns
    dataset.PixelData = b"".join(raw[row * size + 1 : (row + 1) * size] for row in range(rows))
    dataset["PixelData"].VR = "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    written = io.BytesIO()
    pydicom.dcmwrite(written, dataset, enforce_file_format=True)
    return written.getvalue()
