"""Makes a PDF of a text file, which every program for documents in DICOM can show.

Characters of western languages are written in Courier, which every viewer has; other ones in a font that goes into
the PDF (`davfs.attachments.font`). What would be unreadable is refused: characters that the font lacks, and scripts
that are written from right to left, which need more than a glyph for each character.

Source: ISO 32000-1, §9.6 and §9.7.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from davfs.attachments.font import Font, installed_font
from davfs.errors import Refused

LARGEST = 1 << 20
"""Bytes of the largest text: some 350 pages."""

_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_CODEC = "cp1252"
_COLUMNS, _LINES = 80, 60
_SIZE, _LEADING, _LEFT, _TOP = 10, 12, 57, 785
"""Font size, distance of lines, and beginning of the first line, in points of a page in A4."""
_PAGE = "595 842"
_NOT_UTF8 = "The text is not in Unicode: save it as UTF-8."
_FROM_RIGHT = frozenset({"R", "AL"})


def is_text(content: memoryview) -> bool:
    """Return True if a file seems to be a text: whether it can be attached says `text_to_pdf`."""
    head = bytes(content[:4096])
    return head.startswith((b"\xff\xfe", b"\xfe\xff")) or not re.search(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]", head)


def text_to_pdf(content: memoryview) -> bytes:
    """Make a PDF of a text.

    Raises:
        Refused: It is too large, not in Unicode, or has characters that would be unreadable.
    """
    if len(content) > LARGEST:
        raise Refused(f"Texts of more than {LARGEST >> 20} MB cannot be attached: save it as a PDF.")
    text = unicodedata.normalize("NFC", _decoded(bytes(content)))
    if _CONTROLS.search(text):
        raise Refused("The file has control characters that no text has.")
    lines = list(_lines(text)) or [""]
    return _Document(_script(text), lines).written()


def _decoded(content: bytes) -> str:
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(_NOT_UTF8) from error


def _lines(text: str) -> Iterator[str]:
    """Yield the lines, none longer than a page is wide."""
    for page in text.replace("\x0c", "\n").splitlines():
        line = "".join(" " if each.isspace() else each for each in page.expandtabs(8)).rstrip()
        while len(line) > _COLUMNS:
            at = line.rfind(" ", _COLUMNS // 2, _COLUMNS + 1)
            at = at if at > 0 else _COLUMNS
            yield line[:at]
            line = line[at:].removeprefix(" ")
        yield line


@dataclass(frozen=True, slots=True)
class _Script:
    """How characters are written: in Courier, or in a font that is part of the PDF."""

    font: Font | None

    def shown(self, line: str) -> bytes:
        """Return a line as a string of PDF."""
        if self.font is None:
            return f"<{line.encode(_CODEC).hex()}>".encode()
        glyphs = self.font.glyphs
        return f"<{''.join(f'{glyphs[ord(each)]:04x}' for each in line)}>".encode()


def _script(text: str) -> _Script:
    try:
        text.encode(_CODEC)
    except UnicodeEncodeError:
        return _Script(_checked_font(text))
    return _Script(None)


def _checked_font(text: str) -> Font:
    """Return the font; refuse a text that it cannot show."""
    font = installed_font()
    characters = {each for each in text if not each.isspace()}
    if font is None:
        raise Refused("The server has no font for this text (DejaVu Sans Mono): save it as a PDF.")
    if any(unicodedata.bidirectional(each) in _FROM_RIGHT for each in characters):
        raise Refused("Scripts that are written from right to left would be unreadable: save it as a PDF.")
    if lacking := sorted(each for each in characters if not font.glyphs.get(ord(each))):
        raise Refused(f"The server's font lacks {len(lacking)} of its characters: save it as a PDF.")
    return font


class _Document:
    """A PDF of lines of text.

    Args:
        script: Writes the lines.
        lines: The lines.
    """

    def __init__(self, script: _Script, lines: Sequence[str]) -> None:
        self._script = script
        self._objects: list[bytes] = [b"", b""]  # the catalog and the pages, which are written last
        self._font = self._courier() if script.font is None else self._embedded(script.font, lines)
        rest = iter(lines)
        self._pages = [self._page(page) for page in iter(lambda: list(islice(rest, _LINES)), [])]

    def written(self) -> bytes:
        """Return the file."""
        kids = " ".join(f"{page} 0 R" for page in self._pages)
        self._objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
        self._objects[1] = f"<< /Type /Pages /Kids [{kids}] /Count {len(self._pages)} >>".encode()
        file, offsets = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"), list[int]()
        for number, each in enumerate(self._objects, 1):
            offsets.append(len(file))
            file += b"%d 0 obj\n%b\nendobj\n" % (number, each)
        table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
        start, count = len(file), len(offsets) + 1
        file += f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n<< /Size {count} /Root 1 0 R >>\n".encode()
        return bytes(file) + f"startxref\n{start}\n%%EOF\n".encode()

    def _page(self, lines: Sequence[str]) -> int:
        shown = b"".join(b"%b Tj T*\n" % self._script.shown(line) for line in lines)
        drawn = f"BT /F {_SIZE} Tf {_LEADING} TL {_LEFT} {_TOP} Td\n".encode() + shown + b"ET\n"
        content = self._stream(drawn)
        resources = f"<< /Font << /F {self._font} 0 R >> >>"
        box = f"[0 0 {_PAGE}]"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Resources {resources} /Contents {content} 0 R >>"
        return self._add(page)

    def _courier(self) -> int:
        return self._add("<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>")

    def _embedded(self, font: Font, lines: Sequence[str]) -> int:
        file = self._stream(font.data, f"/Length1 {len(font.data)}")
        name, box = "/DejaVuSansMono", " ".join(map(str, font.box))
        descriptor = self._add(
            f"<< /Type /FontDescriptor /FontName {name} /Flags 5 /FontBBox [{box}] /ItalicAngle 0 /Ascent {font.ascent}"
            f" /Descent {font.descent} /CapHeight {font.ascent} /StemV 80 /FontFile2 {file} 0 R >>"
        )
        below = self._add(
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont {name} /CIDToGIDMap /Identity /DW {font.width}"
            " /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
            f" /FontDescriptor {descriptor} 0 R >>"
        )
        unicode = self._stream(_to_unicode(font, sorted(set().union(*lines))))
        return self._add(
            f"<< /Type /Font /Subtype /Type0 /BaseFont {name} /Encoding /Identity-H"
            f" /DescendantFonts [{below} 0 R] /ToUnicode {unicode} 0 R >>"
        )

    def _stream(self, data: bytes, more: str = "") -> int:
        packed = zlib.compress(data)
        head = f"<< /Length {len(packed)} /Filter /FlateDecode {more} >>\nstream\n".encode()
        return self._add(head + packed + b"\nendstream")

    def _add(self, one: bytes | str) -> int:
        """Add an object; return its number."""
        self._objects.append(one.encode() if isinstance(one, str) else one)
        return len(self._objects)


def _to_unicode(font: Font, characters: Sequence[str]) -> bytes:
    """Return the table by which a viewer copies and searches text (§9.10.3)."""
    pairs = [f"<{font.glyphs[ord(one)]:04x}> <{one.encode('utf-16-be').hex()}>" for one in characters]
    blocks = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
    mapped = "\n".join(f"{len(block)} beginbfchar\n{chr(10).join(block)}\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapName /Adobe-Identity-UCS def\n"
        "/CMapType 2 def\n1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n"
        f"{mapped}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()
