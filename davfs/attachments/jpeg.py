"""Reads the headers of JPEG files (ITU-T T.81, annex B), to put their very bytes into a DICOM file."""

import struct
from dataclasses import dataclass
from typing import Final

from davfs.attachments.blocks import find, rfind
from davfs.errors import Refused

BASELINE: Final = "1.2.840.10008.1.2.4.50"
EXTENDED: Final = "1.2.840.10008.1.2.4.51"

_SOI = b"\xff\xd8\xff"
_EOI = b"\xff\xd9"
_PREFIX, _SOS, _APP14 = 0xFF, 0xDA, 0xEE
_BITS = 8
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that begin a frame: all but those of tables and extensions among these numbers."""
_SYNTAXES = {0xC0: BASELINE, 0xC1: EXTENDED}
_PROGRESSIVE = 0xC2
_FRAME = struct.Struct(">BHHB")
_COMPONENT = 3
_RGB_IDS = b"RGB"
_MOST_MARKERS = 10_000
_UNREADABLE = "The JPEG file is damaged."


@dataclass(frozen=True, slots=True)
class JpegImage:
    """A JPEG image.

    Attributes:
        rows: Its height in pixels.
        columns: Its width in pixels.
        samples: 1 for a grey image, 3 for a coloured one.
        photometric: PhotometricInterpretation (DICOM PS3.5 §8.2.1).
        syntax: Transfer syntax in which DICOM holds these bytes; empty if Orthanc has to decode them.
        length: Bytes of the image; cameras add further ones behind it.
    """

    rows: int
    columns: int
    samples: int
    photometric: str
    syntax: str
    length: int


def is_jpeg(content: memoryview) -> bool:
    """Return True if a file begins as a JPEG."""
    return bytes(content[:3]) == _SOI


def read_jpeg(content: memoryview) -> JpegImage:
    """Read the headers of a JPEG file.

    Raises:
        Refused: It is damaged, or of a kind that DICOM or Orthanc cannot hold.
    """
    try:
        return _read(content)
    except (struct.error, IndexError) as error:
        raise Refused(_UNREADABLE) from error


def _read(content: memoryview) -> JpegImage:
    offset, frame, transform = 2, None, None
    for _ in range(_MOST_MARKERS):
        marker, length = _segment(content, offset)
        body = content[offset + 4 : offset + 2 + length]
        if marker in _FRAMES:
            frame = marker, bytes(body)
        elif marker == _APP14 and bytes(body[:5]) == b"Adobe":
            transform = body[11]
        elif marker == _SOS and frame:
            end = _end(content, offset + 2 + length, last=frame[0] == _PROGRESSIVE)
            return _image(*frame, transform, end + len(_EOI))
        offset += 2 + length
    raise Refused(_UNREADABLE)


def _segment(content: memoryview, offset: int) -> tuple[int, int]:
    """Return the marker at an offset, and the bytes of its segment behind the marker."""
    while content[offset] == content[offset + 1] == _PREFIX:  # fill bytes
        offset += 1
    if content[offset] != _PREFIX:
        raise Refused(_UNREADABLE)
    return content[offset + 1], int(struct.unpack_from(">H", content, offset + 2)[0])


def _end(content: memoryview, start: int, *, last: bool) -> int:
    """Return the offset of the first or last end marker behind the first scan's header."""
    found = rfind(content[start:], _EOI) + start if last else find(content, _EOI, start)
    if found < start:
        raise Refused("The JPEG file is cut off: its end is missing.")
    return found


def _image(marker: int, frame: bytes, transform: int | None, length: int) -> JpegImage:
    precision, rows, columns, samples = _FRAME.unpack_from(frame)
    if marker not in _SYNTAXES and marker != _PROGRESSIVE:
        raise Refused("This kind of JPEG (lossless, hierarchical or arithmetic) cannot be attached: save it as PNG.")
    if precision != _BITS:
        raise Refused("JPEG images of more than 8 bits cannot be attached: save it as PNG.")
    if samples not in (1, 3):
        raise Refused("JPEG images for printing (CMYK) cannot be attached: save it as RGB.")
    if not rows or not columns or length < len(_EOI):
        raise Refused(_UNREADABLE)
    components = [frame[_FRAME.size + _COMPONENT * one :][:_COMPONENT] for one in range(samples)]
    photometric = _photometric(components, transform)
    return JpegImage(rows, columns, samples, photometric, _SYNTAXES.get(marker, ""), length)


def _photometric(components: list[bytes], transform: int | None) -> str:
    """Return the PhotometricInterpretation as decoders see it (ITU-T T.871 §6.1; Adobe's technical note 5116)."""
    if len(components) == 1:
        return "MONOCHROME2"
    is_rgb = transform == 0 or (transform is None and bytes(one[0] for one in components) == _RGB_IDS)
    return "RGB" if is_rgb else "YBR_FULL_422"  # whatever is subsampled: DICOM has no other word for it in JPEG
