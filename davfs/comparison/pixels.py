"""Compares the pixels of two files.

Source: DICOM PS3.5 section 8, PS3.3 section C.7.6.3.1.
"""

from collections.abc import Iterator
from typing import Literal

from davfs.comparison.parsing import DataSet, ParsedElement, ParsedFile
from davfs.comparison.values import in_little_endian, same
from davfs.elements.headers import PIXEL_DATA

PHOTOMETRIC = 0x00280004
"""The tag PhotometricInterpretation."""
PLANAR = 0x00280006
"""The tag PlanarConfiguration."""

_SAMPLES, _FRAMES, _ROWS, _COLUMNS, _BITS = 0x00280002, 0x00280008, 0x00280010, 0x00280011, 0x00280100
_BYTE = 8
_LARGEST = 512 << 20
_TYPES: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


class NotDecodedError(Exception):
    """The pixels cannot be decoded."""


def are_compressed(file: ParsedFile) -> bool:
    """Return True if a file has pixels, and they are compressed."""
    return PIXEL_DATA in file.data and file.data[PIXEL_DATA].fragments is not None


def decoded_size(data: DataSet) -> int:
    """Return the bytes of the decoded pixels of a data set, by its other attributes."""
    return _frame_size(data) * _frames(data)


def check_size(data: DataSet) -> None:
    """Raise `NotDecodedError` if the decoded pixels of a data set are larger than 512 MB, or their size is invalid."""
    if not 0 < decoded_size(data) <= _LARGEST:
        raise NotDecodedError


def same_fragments(one: ParsedElement, other: ParsedElement) -> bool:
    """Return True if compressed pixels are the same byte by byte.

    The first fragment is the table of offsets, which may be empty (PS3.5 section A.4).
    """
    if one.fragments is None or other.fragments is None or len(one.fragments) != len(other.fragments):
        return False
    return all(map(same, one.fragments[1:], other.fragments[1:]))


def same_pixels(one: ParsedFile, other: ParsedFile, *, padded: bool = False) -> bool:
    """Return True if the pixels of two files with equal data sets are the same.

    Args:
        one: A file with uncompressed pixels.
        other: Another one.
        padded: Bytes behind the last frame are ignored.

    Raises:
        NotDecodedError: They cannot be compared.
    """
    pixels = _native(one), _native(other)
    if _text(one.data, PHOTOMETRIC) != _text(other.data, PHOTOMETRIC):
        return False
    if padded:
        size = decoded_size(one.data)
        pixels = pixels[0][:size], pixels[1][:size]
    planar = _number(one.data, PLANAR), _number(other.data, PLANAR)
    if _number(one.data, _SAMPLES, 1) == 1 or planar[0] == planar[1]:
        return _same_but_padding(*pixels)
    return _same_colours(*(pixels if planar[0] else pixels[::-1]), one.data)


def _native(file: ParsedFile) -> memoryview:
    pixels = file.data.get(PIXEL_DATA)
    if pixels is None or pixels.fragments is not None or pixels.items is not None:
        raise NotDecodedError
    return in_little_endian(pixels)


def _text(data: DataSet, tag: int) -> str:
    return bytes(data[tag].value).decode("latin-1").strip(" \0") if tag in data else ""


def _number(data: DataSet, tag: int, default: int = 0) -> int:
    found = bytes(in_little_endian(data[tag])) if tag in data else b""
    return int.from_bytes(found[:2], "little") if found else default


def _frames(data: DataSet) -> int:
    told = _text(data, _FRAMES)
    return int(told) if told.isascii() and told.isdigit() else 1


def _frame_size(data: DataSet) -> int:
    bits = _number(data, _ROWS) * _number(data, _COLUMNS) * _number(data, _SAMPLES, 1) * _number(data, _BITS)
    return (bits + _BYTE - 1) // _BYTE


def _same_colours(by_plane: memoryview, by_pixel: memoryview, data: DataSet) -> bool:
    """Compare frames with samples plane by plane with others that have them pixel by pixel."""
    size, width = _frame_size(data), _number(data, _BITS) // _BYTE
    if width not in _TYPES or not size:
        raise NotDecodedError
    at = 0
    for plane in _planes(by_pixel, size, _number(data, _SAMPLES, 1), _TYPES[width]):
        if not same(by_plane[at : at + len(plane)], plane):
            return False
        at += len(plane)
    return len(by_plane) - at <= 1


def _planes(pixels: memoryview, frame: int, samples: int, kind: Literal["B", "H", "I", "Q"]) -> Iterator[memoryview]:
    """Yield the planes of each frame: first all red samples."""
    for start in range(0, len(pixels) - frame + 1, frame):
        values = pixels[start : start + frame].cast("B").cast(kind)
        for sample in range(samples):
            yield memoryview(values[sample::samples].tobytes())


def _same_but_padding(one: memoryview, other: memoryview) -> bool:
    """Compare frames, one of which may have a byte of padding that makes the length even."""
    short, long = sorted((one, other), key=len)
    return len(long) - len(short) <= 1 and same(long[: len(short)], short) and not any(long[len(short) :])
