"""Checks PNG files (W3C, Portable Network Graphics) before Orthanc decodes them.

Orthanc decodes grey images of 8 and 16 bits and coloured ones of 8 bits, and drops the transparency of the latter
(Orthanc 1.10.1 and 1.12). DICOM has no transparency: black letters on a transparent ground would become black on black.
So an image with an alpha channel is attached only if all of it is opaque, as screenshots are.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from davfs.errors import Refused

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_GREY, _RGB, _RGBA = 0, 2, 6
_SAMPLES: Final = {(_GREY, 8): 1, (_GREY, 16): 1, (_RGB, 8): 3, (_RGBA, 8): 4}
"""Samples of a pixel in those colour types and depths that Orthanc decodes."""
_LARGEST = 64_000_000
"""Pixels of the largest image that Orthanc is asked to decode."""
_LONGEST_SIDE = 65_535
_MOST_CHUNKS = 100_000
_BLOCK = 1 << 20
_AVERAGE = 3
_UNREADABLE = "The PNG file is damaged."
_TRANSPARENT = "DICOM images cannot be transparent: save the PNG without transparency."


@dataclass(frozen=True, slots=True)
class PngImage:
    """A PNG image: its height and width in pixels, the samples of a pixel, and the bits of a sample."""

    rows: int
    columns: int
    samples: int
    bits: int


def is_png(content: memoryview) -> bool:
    """Return True if a file begins as a PNG."""
    return bytes(content[: len(_SIGNATURE)]) == _SIGNATURE


def read_png(content: memoryview) -> PngImage:
    """Check a PNG file, all of its chunks and rows.

    Raises:
        Refused: It is damaged, transparent, or of a kind that Orthanc cannot decode.
    """
    try:
        return _read(content)
    except (struct.error, zlib.error) as error:
        raise Refused(_UNREADABLE) from error


def _read(content: memoryview) -> PngImage:
    chunks = list(islice(_chunks(content), _MOST_CHUNKS))
    if not chunks or chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND":
        raise Refused(_UNREADABLE)
    columns, rows, bits, colour, _, _, interlaced = _HEADER.unpack(chunks[0][1])
    samples = _SAMPLES.get((colour, bits))
    if samples is None or interlaced:
        raise Refused("Only PNG images of 8 bits (RGB or grey) or 16 bits (grey) can be attached: save it as RGB.")
    if any(kind == b"tRNS" for kind, _ in chunks):
        raise Refused(_TRANSPARENT)
    if not 0 < rows <= _LONGEST_SIDE or not 0 < columns <= _LONGEST_SIDE or rows * columns > _LARGEST:
        raise Refused("The PNG has too many pixels.")
    _check_rows([data for kind, data in chunks if kind == b"IDAT"], rows, columns, samples * bits // 8, colour)
    return PngImage(rows, columns, min(samples, 3), bits)


def _chunks(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield type and data of each chunk, up to the last one."""
    offset = len(_SIGNATURE)
    while offset < len(content):
        (length,) = struct.unpack_from(">I", content, offset)
        kind, data = content[offset + 4 : offset + 8], content[offset + 8 : offset + 8 + length]
        (checksum,) = struct.unpack_from(">I", content, offset + 8 + length)
        if zlib.crc32(data, zlib.crc32(kind)) != checksum:
            raise Refused(_UNREADABLE)
        yield bytes(kind), data
        if bytes(kind) == b"IEND":
            return
        offset += length + 12


def _check_rows(data: list[memoryview], rows: int, columns: int, pixel: int, colour: int) -> None:
    """Check that the compressed data has exactly these rows, and that all of them are opaque."""
    size, pending, seen = 1 + columns * pixel, bytearray(), 0
    opaque = _OpaqueRows(columns)
    for block in _decompressed(data, rows * size):
        pending += block
        whole = len(pending) // size
        for row in range(whole if colour == _RGBA else 0):
            if not opaque.is_opaque(pending[row * size], bytes(pending[row * size + 4 : (row + 1) * size : 4])):
                raise Refused(_TRANSPARENT)
        del pending[: whole * size]
        seen += whole
    if seen != rows or pending:
        raise Refused(_UNREADABLE)


def _decompressed(data: list[memoryview], most: int) -> Iterator[bytes]:
    """Yield the decompressed bytes in blocks, hardly more than so many."""
    stream = zlib.decompressobj()
    for chunk in data:
        rest: bytes | memoryview = chunk
        while rest and most >= 0:
            block = stream.decompress(rest, _BLOCK)
            most -= len(block)
            yield block
            rest = stream.unconsumed_tail
    yield stream.flush()


class _OpaqueRows:
    """Recognises rows of opaque pixels without the arithmetic of PNG's filters (§9.2).

    A filter works on each channel by itself. So the filtered bytes of a channel that is 255 everywhere are known.

    Args:
        columns: Pixels of a row.
    """

    def __init__(self, columns: int) -> None:
        self._first = self._rows(columns, above=0)
        self._others = self._rows(columns, above=255)
        self._is_first = True

    def is_opaque(self, filter_type: int, alpha: bytes) -> bool:
        """Return True if the next row is opaque: by its filter, and its filtered bytes of the alpha channel."""
        expected, self._is_first = self._first if self._is_first else self._others, False
        return alpha == expected.get(filter_type)

    @staticmethod
    def _rows(columns: int, above: int) -> dict[int, bytes]:
        """Return the filtered row by filter, where the row above is so."""
        rest = columns - 1
        return {
            0: b"\xff" * columns,
            1: b"\xff" + bytes(rest),
            2: bytes([255 - above]) * columns,
            _AVERAGE: bytes([255 - above // 2]) + bytes([255 - (255 + above) // 2]) * rest,
            4: bytes([255 - above]) + bytes(rest),
        }
