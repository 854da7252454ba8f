"""Compares two values of one attribute, whatever their encoding.

Source: DICOM PS3.5 section 6.2 (padding, value representations), section 6.1 and PS3.3 C.12.1.1.2 (character sets).
"""

from collections.abc import Sequence
from decimal import Decimal

from pydicom.charset import python_encoding

from davfs.comparison.parsing import ParsedElement

CHARACTER_SET = 0x00080005
"""The tag SpecificCharacterSet."""

_TEXTS = frozenset(
    {
        *("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN"),
        *("SH", "ST", "TM", "UC", "UI", "UR", "UT"),
    }
)
_ONE_VALUE = frozenset({"LT", "ST", "UR", "UT"})
_LOCAL = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # encoded in the character set of the data set
_SIZES = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
_NUMBERS = frozenset({"DS", "IS"})
_ESCAPE = 0x1B
_PADDING = b" \0"
_BLOCK = 1 << 20


def character_sets(element: ParsedElement | None) -> tuple[str, ...]:
    """Return the names of an element's character sets, those of ASCII as an empty name."""
    if element is None:
        return ("",)
    names = bytes(element.value).decode("latin-1").split("\\")
    return tuple("" if name in ("ISO_IR 6", "ISO 2022 IR 6") else name for name in (one.strip(" \0") for one in names))


def equal(one: ParsedElement, other: ParsedElement, sets: tuple[Sequence[str], Sequence[str]]) -> bool:
    """Return True if two values are equal; neither of them is a sequence.

    Args:
        one: The first.
        other: The second.
        sets: The character sets of each.
    """
    representations = {one.vr, other.vr}
    if not representations & _TEXTS:
        return _same_bytes(in_little_endian(one), in_little_endian(other))
    whole = bool(representations & _ONE_VALUE)
    texts = _trimmed(one.value, whole=whole), _trimmed(other.value, whole=whole)
    if representations & _NUMBERS and texts[0] != texts[1]:
        return _same_numbers(*texts)
    if sets[0] == sets[1] or all(map(_is_plain, texts)):
        return texts[0] == texts[1]
    if not representations & (_LOCAL | {"UN"}):
        return texts[0] == texts[1]
    decoded = [_decoded(text, names) for text, names in zip(texts, sets, strict=True)]
    return None not in decoded and decoded[0] == decoded[1]


def in_little_endian(element: ParsedElement) -> memoryview:
    """Return the value of an element in little endian."""
    size = 1 if element.little else _SIZES.get(element.vr, 1)
    value = element.value
    if size == 1 or len(value) % size:
        return value
    swapped = bytearray(len(value))
    for place in range(size):
        swapped[place::size] = value[size - 1 - place :: size]
    return memoryview(swapped)


def _same_bytes(one: memoryview, other: memoryview) -> bool:
    """Compare binary values, one of which may have a byte of padding that makes its length even."""
    short, long = sorted((one, other), key=len)
    padding = long[len(short) :]
    if len(padding) > 1 or (padding and (len(short) % 2 == 0 or padding[0] not in _PADDING)):
        return False
    return same(long[: len(short)], short)


def same(one: memoryview, other: memoryview) -> bool:
    """Return True if two views hold the same bytes; a view's own comparison goes byte by byte, and is slow."""
    if len(one) != len(other):
        return False
    blocks = range(0, len(one), _BLOCK)
    return all(bytes(one[at : at + _BLOCK]) == bytes(other[at : at + _BLOCK]) for at in blocks)


def _trimmed(value: memoryview, *, whole: bool) -> bytes:
    """Return a text without insignificant spaces: at its end, or around each of several values."""
    text = bytes(value)
    if whole:
        return text.rstrip(_PADDING)
    return b"\\".join(part.strip(_PADDING) for part in text.split(b"\\"))


def _same_numbers(one: bytes, other: bytes) -> bool:
    """Return True if two texts are the same numbers, such as 1.50 and 15e-1."""
    ones, others = one.split(b"\\"), other.split(b"\\")
    if len(ones) != len(others):
        return False
    try:
        return all(
            Decimal(first.decode()) == Decimal(second.decode()) for first, second in zip(ones, others, strict=True)
        )
    except (ArithmeticError, ValueError):  # of a text that is no number
        return False


def _is_plain(text: bytes) -> bool:
    return text.isascii() and _ESCAPE not in text


def _decoded(text: bytes, names: Sequence[str]) -> str | None:
    """Return a text in Unicode; None if it does not conform to its character set, or changes between several."""
    if _is_plain(text):
        return text.decode("ascii")
    codec = python_encoding.get(names[0]) if len(names) == 1 else None
    if not codec or not names[0]:  # nothing beyond ASCII can be said where no character set is named
        return None
    try:
        return text.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return None
