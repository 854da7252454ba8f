"""Compares two DICOM files of one SOP instance: returns the first difference that makes them different images.

1. The data sets are compared, without the pixels and the attributes of their encoding.
2. Pixels in the same encoding are compared byte by byte.
3. If at least one file is compressed, both are decoded and compared. That comes last, since it costs most, and decoders
   then get only files that differ in nothing else.
"""

from collections.abc import Callable
from typing import TypeAlias

from davfs.comparison.datasets import ABOUT_TRANSPORT, first_difference, name
from davfs.comparison.parsing import DataSet, ParsedFile, Unreadable, parse_file
from davfs.comparison.pixels import (
    PHOTOMETRIC,
    PLANAR,
    NotDecodedError,
    are_compressed,
    check_size,
    same_fragments,
    same_pixels,
)
from davfs.elements.headers import PIXEL_DATA

Decoder: TypeAlias = Callable[[memoryview, ParsedFile], ParsedFile]
"""Returns a file with its pixels decompressed, given its bytes and its elements; raises `NotDecodedError`."""

_PIXELS = frozenset({PIXEL_DATA, 0x7FE00001, 0x7FE00002, 0x7FE00003})  # and the offsets of frames
_ENCODING = frozenset({PHOTOMETRIC, PLANAR})
_LOSSY = frozenset(
    f"1.2.840.10008.1.2.4.{number}"
    for number in (50, 51, 81, 91, 93, 94, 95, 100, 101, 102, 103, 104, 105, 106, 107, 108, 112, 203, 204, 205)
)
"""Transfer syntaxes in which pixels may differ from those that the device made."""
_ICON = 0x00880200
_DERIVATION = 0x00082111
_COMPRESSION = frozenset({_ICON, _DERIVATION, 0x00282110, 0x00282112, 0x00282114})
"""The icon, which is compressed along with the image, and the attributes that programs write when they compress:
DerivationDescription, LossyImageCompression and its ratio and method (PS3.3 sections C.7.6.1.1.3 and C.7.6.1.1.5)."""


def difference(sent: memoryview, held: memoryview, decode_sent: Decoder, decode_held: Decoder) -> str:
    """Return the first difference of two files, empty if they are the same image.

    Args:
        sent: The uploaded file.
        held: The file that Orthanc stores.
        decode_sent: Decodes the first.
        decode_held: Decodes the second.

    Returns:
        A sentence that names an attribute, and no value.
    """
    try:
        one, other = parse_file(sent), parse_file(held)
        found = _first_difference(one, other, lambda: (decode_sent(sent, one), decode_held(held, other)))
    except Unreadable:
        return "They cannot be compared."
    except NotDecodedError:
        return "Their pixels are compressed in different ways, and cannot be compared here."
    if found and one.syntax != other.syntax and not _LOSSY.isdisjoint((one.syntax, other.syntax)):
        which = "What was sent" if one.syntax in _LOSSY else "What Orthanc holds"
        return f"{which} is compressed with loss."
    return found and f"They differ in {found}."


def _first_difference(one: ParsedFile, other: ParsedFile, decode: Callable[[], tuple[ParsedFile, ParsedFile]]) -> str:
    """Return the name of the first attribute in which two files differ, empty if there is none."""
    if PIXEL_DATA not in one.data or PIXEL_DATA not in other.data:
        return first_difference(one.data, other.data, ABOUT_TRANSPORT)
    same = _same_encoding(one, other)
    ignored = ABOUT_TRANSPORT | _PIXELS | _ENCODING
    found = first_difference(one.data, other.data, ignored if same else ignored | _COMPRESSION)
    if found or same:
        return found
    if not are_compressed(one) and not are_compressed(other):
        return "" if same_pixels(one, other) else name(PIXEL_DATA)
    for file in (one, other):
        check_size(file.data)
    return _difference_in_compression(one, other, *decode())


def _same_encoding(one: ParsedFile, other: ParsedFile) -> bool:
    same_syntax = one.syntax == other.syntax or "" in (one.syntax, other.syntax)
    return same_syntax and same_fragments(one.data[PIXEL_DATA], other.data[PIXEL_DATA])


def _difference_in_compression(one: ParsedFile, other: ParsedFile, plain: ParsedFile, other_plain: ParsedFile) -> str:
    if not same_pixels(plain, other_plain, padded=True):
        return name(PIXEL_DATA)
    if not _extended(one.data, other.data):
        return name(_DERIVATION)
    return first_difference(_icon(plain.data), _icon(other_plain.data), frozenset())


def _icon(data: DataSet) -> DataSet:
    return {_ICON: data[_ICON]} if _ICON in data else {}


def _extended(one: DataSet, other: DataSet) -> bool:
    """Return True if one description of a derivation contains the other one."""
    texts = [bytes(data[_DERIVATION].value).strip(b" \0") if _DERIVATION in data else b"" for data in (one, other)]
    short, long = sorted(texts, key=len)
    return short in long
