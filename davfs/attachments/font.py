"""Reads what a PDF needs to know of a TrueType font: the glyph of each character, and its measures.

The characters of most languages are in no font that a PDF viewer has for sure. So the font goes into the PDF: DejaVu
Sans Mono, where the system has it (Debian: fonts-dejavu-core).

Source: OpenType 1.9, tables cmap, head and hhea.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PLACES = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",  # Debian, Ubuntu
    "/usr/share/fonts/dejavu-sans-mono-fonts/DejaVuSansMono.ttf",  # Fedora
    "/usr/share/fonts/TTF/DejaVuSansMono.ttf",  # Arch
    "/usr/share/fonts/dejavu/DejaVuSansMono.ttf",  # Alpine
)
_UNICODE = ((3, 10), (0, 4), (3, 1), (0, 3))
"""Platform and encoding of the subtables that map Unicode, the largest ones first."""
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Font:
    """A font whose characters all have the same width.

    Attributes:
        data: The font file.
        glyphs: Number of the glyph of each character, by its code point.
        width: Width of a character, in thousandths of the font's size, as all measures here.
        ascent: Height above the base line.
        descent: Depth below it, a negative number.
        box: The box of all glyphs: left, bottom, right, top.
    """

    data: bytes
    glyphs: Mapping[int, int]
    width: int
    ascent: int
    descent: int
    box: tuple[int, int, int, int]


@cache
def installed_font() -> Font | None:
    """Return the font; None if this system does not have it."""
    for place in map(Path, _PLACES):
        if place.is_file():
            return read_font(place.read_bytes())
    return None


def read_font(data: bytes) -> Font:
    """Read a TrueType font.

    Raises:
        ValueError: It has no table of Unicode characters.
    """
    (count,) = struct.unpack_from(">H", data, 4)
    records = (struct.unpack_from(">4sIII", data, 12 + 16 * one) for one in range(count))
    tables = {name: offset for name, _, offset, _ in records}
    head, hhea = tables[b"head"], tables[b"hhea"]
    (units,) = struct.unpack_from(">H", data, head + 18)
    ascent, descent = struct.unpack_from(">hh", data, hhea + 4)
    (width,) = struct.unpack_from(">H", data, tables[b"hmtx"])
    box = struct.unpack_from(">4h", data, head + 36)
    left, bottom, right, top = (each * _THOUSAND // units for each in box)
    width, ascent, descent = (each * _THOUSAND // units for each in (width, ascent, descent))
    return Font(data, _glyphs(data, tables[b"cmap"]), width, ascent, descent, (left, bottom, right, top))


def _glyphs(data: bytes, cmap: int) -> dict[int, int]:
    (count,) = struct.unpack_from(">H", data, cmap + 2)
    records = (struct.unpack_from(">HHI", data, cmap + 4 + 8 * one) for one in range(count))
    subtables = {(platform, encoding): cmap + offset for platform, encoding, offset in records}
    start = next((subtables[one] for one in _UNICODE if one in subtables), None)
    if start is None:
        raise ValueError("the font has no table of Unicode characters")
    (form,) = struct.unpack_from(">H", data, start)
    return _groups(data, start) if form == 12 else _segments(data, start)  # noqa: PLR2004  the two forms there are


def _groups(data: bytes, start: int) -> dict[int, int]:
    """Read a subtable of format 12."""
    (count,) = struct.unpack_from(">I", data, start + 12)
    glyphs: dict[int, int] = {}
    for one in range(count):
        first, last, glyph = struct.unpack_from(">III", data, start + 16 + 12 * one)
        glyphs.update(zip(range(first, last + 1), range(glyph, glyph + last - first + 1), strict=True))
    return glyphs


def _segments(data: bytes, start: int) -> dict[int, int]:
    """Read a subtable of format 4."""
    (doubled,) = struct.unpack_from(">H", data, start + 6)
    size, glyphs = doubled // 2, dict[int, int]()
    ends, starts, deltas, offsets = (
        struct.unpack_from(f">{size}H", data, start + 14 + skipped)
        for skipped in (0, 2 + doubled, 2 + 2 * doubled, 2 + 3 * doubled)
    )
    for one in range(size):
        for code in range(starts[one], ends[one] + 1):
            glyph = code
            if offsets[one]:
                at = start + 16 + 3 * doubled + 2 * one + offsets[one] + 2 * (code - starts[one])
                (glyph,) = struct.unpack_from(">H", data, at)
            glyphs[code] = (glyph + deltas[one]) & 0xFFFF
    return glyphs
