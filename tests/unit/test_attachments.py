"""Files that can be attached to a study, and the DICOM that is made of them."""

import io
import subprocess
import unicodedata
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.attachments import font
from davfs.attachments.attacher import Attacher, Attachment
from davfs.attachments.jpeg import BASELINE, read_jpeg
from davfs.attachments.kinds import AttachmentKind, detect
from davfs.attachments.pdf import check_pdf
from davfs.attachments.png import read_png
from davfs.attachments.text import text_to_pdf
from davfs.errors import Refused, Unavailable, UnknownResource
from davfs.orthanc import Level, OrthancId, StoreStatus
from tests.support import dicom, pictures
from tests.support.attaching import complaints
from tests.support.memory_orthanc import MemoryOrthanc

STUDY = OrthancId(dicom.ids(dicom.instance("p")).study)
NOON = datetime(2026, 12, 1, 12, 30, 15, tzinfo=UTC)
KINDS = {
    "report.pdf": pictures.PDF,
    "odd.pdf": pictures.PDF + b"\n",
    "scan.png": pictures.picture()[0],
    "bone.stl": pictures.stl(2),
    "notes.txt": pictures.TEXT,
}


@pytest.fixture
def orthanc() -> MemoryOrthanc:
    """An Orthanc with one study."""
    orthanc = MemoryOrthanc()
    orthanc.store(dicom.instance("p"))
    return orthanc


def attach(orthanc: MemoryOrthanc, name: str, content: bytes, user: str = "alice") -> pydicom.Dataset:
    """Attach a file, and return the instance that was made of it."""
    view = memoryview(content)
    attacher = Attacher(orthanc, orthanc, lambda: NOON)
    made = attacher.attach(STUDY, Attachment(name, view, detect(name, view), user))
    return pydicom.dcmread(io.BytesIO(orthanc.files[made]))


@pytest.mark.packages
@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"scan.png"}))  # whose pixels a real Orthanc describes
def test_it_conforms(orthanc: MemoryOrthanc, name: str, tmp_path: Path) -> None:
    """Another program finds nothing wrong with what was made, by the tables of the standard."""
    made = attach(orthanc, name, KINDS[name])
    assert complaints(orthanc.files[OrthancId(_instance_of(orthanc, made))], tmp_path) == []


def _instance_of(orthanc: MemoryOrthanc, made: pydicom.Dataset) -> str:
    return next(one for one, file in orthanc.files.items() if str(made.SOPInstanceUID).encode() in file)


def test_whose_and_when(orthanc: MemoryOrthanc) -> None:
    """It has the study's own patient, the file's name, the time and the user."""
    made = attach(orthanc, "Arztbrief Müller.pdf", pictures.PDF, "a^l=i\\ce\n")
    assert (made.PatientID, str(made.PatientName), made.PatientBirthDate) == ("p", "Doe^p", "19700101")
    assert made.StudyInstanceUID == pydicom.dcmread(io.BytesIO(dicom.instance("p"))).StudyInstanceUID
    assert made.DocumentTitle == made.SeriesDescription == "Arztbrief Müller"
    assert (made.ContentDate, made.ContentTime, made.SeriesDate) == ("20261201", "123015", "20261201")
    assert str(made.OperatorsName) == "a l i ce"
    assert "OperatorsName" not in attach(orthanc, "x.pdf", pictures.pdf(1), "")
    assert made.BurnedInAnnotation == "YES"


@pytest.mark.parametrize("length", [0, 1])
def test_document_is_unchanged(orthanc: MemoryOrthanc, length: int) -> None:
    """A document has the bytes of the file; one of odd length is padded, and its length says so."""
    content = pictures.PDF + b"\n" * length
    made = attach(orthanc, "report.pdf", content)
    assert made.EncapsulatedDocument[: made.EncapsulatedDocumentLength] == content
    assert len(made.EncapsulatedDocument) % 2 == 0


def test_it_is_attached_once(orthanc: MemoryOrthanc) -> None:
    """The same bytes are attached once, by whatever name; the same bytes in another study are another document."""
    first, again = (attach(orthanc, name, pictures.PDF) for name in ("a.pdf", "b.pdf"))
    assert first.SOPInstanceUID == again.SOPInstanceUID
    assert len(orthanc.files) == 2
    other = OrthancId(orthanc.store(dicom.instance("q")).id)
    attachment = Attachment("a.pdf", memoryview(pictures.PDF), AttachmentKind.PDF)
    made = Attacher(orthanc, orthanc).attach(OrthancId(dicom.ids(dicom.instance("q")).study), attachment)
    assert made not in (other, _instance_of(orthanc, first))
    assert len(orthanc.files) == 4


def test_series_numbers_go_on(orthanc: MemoryOrthanc) -> None:
    """An attachment's series has a number after those of the study."""
    assert [attach(orthanc, "a.pdf", pictures.pdf(one)).SeriesNumber for one in range(2)] == [2, 3]


def test_study_that_is_gone(orthanc: MemoryOrthanc) -> None:
    """Nothing is stored for a study that does not exist any more: it would come back to life."""
    orthanc.delete(Level.STUDY, STUDY)
    with pytest.raises(UnknownResource):
        attach(orthanc, "report.pdf", pictures.PDF)
    assert not orthanc.files


def test_study_whose_identifiers_do_not_lead_to_it(orthanc: MemoryOrthanc) -> None:
    """Nothing is stored if Orthanc would put it into another study than it was dropped on."""
    orthanc.rename(STUDY, {"PatientID": "somebody else"})
    with pytest.raises(Refused, match="identifiers"):
        attach(orthanc, "report.pdf", pictures.PDF)
    assert len(orthanc.files) == 1


def test_values_that_break_the_rules(orthanc: MemoryOrthanc) -> None:
    """What the study says is written as it is, even if no such date or name is allowed."""
    orthanc.rename(STUDY, {"PatientBirthDate": "around 1970", "PatientName": "山田^太郎=やまだ"})
    made = attach(orthanc, "report.pdf", pictures.PDF)
    assert (made.PatientBirthDate, str(made.PatientName)) == ("around 1970", "山田^太郎=やまだ")


@pytest.mark.parametrize("status", [StoreStatus.FILTERED_OUT, StoreStatus.FAILURE])
def test_orthanc_does_not_want_it(orthanc: MemoryOrthanc, status: StoreStatus) -> None:
    """That a filter refuses it is told."""
    orthanc.answer = status
    with pytest.raises(Refused):
        attach(orthanc, "report.pdf", pictures.PDF)


def test_orthanc_does_not_answer(orthanc: MemoryOrthanc) -> None:
    """If Orthanc cannot be asked, nothing is acknowledged."""
    orthanc.failure = Unavailable("gone")
    with pytest.raises(Unavailable):
        attach(orthanc, "report.pdf", pictures.PDF)


REFUSED: dict[str, tuple[str, bytes]] = {
    "no PDF": ("x.pdf", b"<html>"),
    "cut PDF": ("x.pdf", pictures.PDF[:-10]),
    "encrypted PDF": ("x.pdf", pictures.PDF.replace(b"<<>>\nstart", b"<< /Encrypt 7 0 R >>\nstart")),
    "picture named PDF": ("x.pdf", pictures.picture()[0]),
    "PDF named picture": ("x.png", pictures.PDF),
    "Office": ("x.docx", b"PK\x03\x04\0\0"),
    "web page": ("x.html", b"<html></html>"),
    "movie": ("x", bytes(range(256))),
    "Latin-1": ("x.txt", "Grüße".encode("latin-1")),
    "controls": ("x.txt", b"a\x9b\xc2\x9bm".decode("latin-1").encode()),
    "right to left": ("x.txt", "שלום".encode()),
    "no glyphs": ("x.txt", "所見".encode()),
    "large text": ("x.txt", b"a" * ((1 << 20) + 1)),
    "ASCII STL": ("x.stl", b"solid x\nfacet normal 0 0 1\nouter loop\n"),
    "cut PNG": ("x.png", pictures.picture()[0][:-20]),
    "damaged PNG": ("x.png", pictures.picture()[0].replace(b"IDAT", b"IDAT\xff")),
    "palette": (
        "x.png",
        pictures.png([b"\0"], columns=1, colour=pictures.PALETTE, extra=pictures.chunk(b"PLTE", b"abc")),
    ),
    "one bit": ("x.png", pictures.png([b"\x80"], columns=1, colour=pictures.GREY, bits=1)),
    "48 bits": ("x.png", pictures.png([bytes(6)], columns=1, bits=16)),
    "transparent": ("x.png", pictures.png([b"abc\xfe"], columns=1, colour=pictures.RGBA)),
    "transparent colour": ("x.png", pictures.png([b"abc"], columns=1, extra=pictures.chunk(b"tRNS", bytes(6)))),
    "too few rows": ("x.png", pictures.png([b"abc"], columns=1).replace(b"\0\0\0\1\0\0\0\1", b"\0\0\0\1\0\0\0\2", 1)),
    "JPEG header": ("x.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(orthanc: MemoryOrthanc, case: str) -> None:
    """What cannot be attached is refused, and nothing is stored."""
    with pytest.raises(Refused) as refused:
        attach(orthanc, *REFUSED[case])
    assert refused.value.reason.endswith((".", "not."))
    assert len(orthanc.files) == 1


@given(st.binary(max_size=300), st.sampled_from(["x.pdf", "x.png", "x.jpg", "x.stl", "x.txt", "x"]))
def test_garbage(content: bytes, name: str) -> None:
    """Whatever the bytes are, they are refused or attached, without another error."""
    orthanc = MemoryOrthanc()
    orthanc.store(dicom.instance("p"))
    prefix = {"x.png": b"\x89PNG\r\n\x1a\n", "x.jpg": b"\xff\xd8\xff", "x.pdf": b"%PDF-1"}.get(name, b"")
    try:
        attach(orthanc, name, prefix + content)
    except Refused:
        assert len(orthanc.files) == 1


def _filtered(rows: list[bytes], pixel: int) -> dict[int, list[bytes]]:
    """Return rows as each of PNG's filters leaves them (W3C, Portable Network Graphics §9.2)."""

    def paeth(a: int, b: int, c: int) -> int:
        return min((a, b, c), key=lambda one: (abs(a + b - c - one), (a, b, c).index(one)))

    def row(kind: int, line: bytes, above: bytes) -> bytes:
        left = bytes(pixel) + line[:-pixel]
        corner = bytes(pixel) + above[:-pixel]
        guesses: dict[int, Any] = {
            0: [0] * len(line),
            1: left,
            2: above,
            3: [(a + b) // 2 for a, b in zip(left, above, strict=True)],
            4: [paeth(a, b, c) for a, b, c in zip(left, above, corner, strict=True)],
        }
        return bytes((one - guess) % 256 for one, guess in zip(line, guesses[kind], strict=True))

    above = [bytes(len(rows[0])), *rows]
    return {kind: [row(kind, *lines) for lines in zip(rows, above, strict=False)] for kind in range(5)}


@given(st.lists(st.binary(min_size=12, max_size=12), min_size=1, max_size=4), st.data())
def test_opaque_images(pixels: list[bytes], data: st.DataObject) -> None:
    """An image with an alpha channel is taken if it is opaque, whichever filters it has, and refused otherwise."""
    rows = [b"".join(row[at : at + 3] + b"\xff" for at in range(0, 12, 3)) for row in pixels]
    filters = data.draw(st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows)))
    by_filter = _filtered(rows, 4)
    packed = [by_filter[kind][number] for number, kind in enumerate(filters)]
    image = pictures.png(packed, columns=4, colour=pictures.RGBA, filters=filters)
    assert read_png(memoryview(image)).samples == 3
    at = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 3)) * 4 + 3
    rows[at[0]] = rows[at[0]][: at[1]] + b"\xfe" + rows[at[0]][at[1] + 1 :]
    by_filter = _filtered(rows, 4)
    packed = [by_filter[kind][number] for number, kind in enumerate(filters)]
    with pytest.raises(Refused, match="transparen"):
        read_png(memoryview(pictures.png(packed, columns=4, colour=pictures.RGBA, filters=filters)))


def test_bomb_is_not_unpacked() -> None:
    """A PNG that unpacks to more than its header says is refused without unpacking all of it."""
    image = pictures.png([b"abc"], columns=1)
    packed = zlib.compress(bytes(200_000_000), 9)
    start = image.index(b"IDAT") - 4
    with pytest.raises(Refused):
        read_png(memoryview(image[:start] + pictures.chunk(b"IDAT", packed) + pictures.chunk(b"IEND", b"")))


@pytest.mark.packages
@pytest.mark.parametrize("options", [(), ("-sample", "1x1"), ("-grayscale",), ("-rgb",), ("-progressive",)])
def test_jpeg_headers(options: tuple[str, ...]) -> None:
    """The headers of libjpeg's images are understood; bytes behind the image are left out."""
    content = pictures.photograph(*options)
    image = read_jpeg(memoryview(content + b"trailer of a camera"))
    assert (image.rows, image.columns, image.length) == (48, 64, len(content))
    assert image.samples == (1 if "-grayscale" in options else 3)
    assert image.photometric == {"-grayscale": "MONOCHROME2", "-rgb": "RGB"}.get("".join(options), "YBR_FULL_422")
    assert image.syntax == ("" if "-progressive" in options else BASELINE)


@pytest.mark.packages
def test_jpeg_conforms(orthanc: MemoryOrthanc, tmp_path: Path) -> None:
    """A JPEG's instance conforms to its IOD, and another program decodes the same pixels from it."""
    content = pictures.photograph()
    made = attach(orthanc, "photo.jpg", content)
    file = orthanc.files[OrthancId(_instance_of(orthanc, made))]
    assert complaints(file, tmp_path) == []
    picture = tmp_path / "picture.ppm"
    subprocess.run(["dcmj2pnm", "--write-raw-pnm", tmp_path / "checked.dcm", picture], check=True)
    assert picture.read_bytes().endswith(pictures.decoded(content))


TEXTS = {
    "Latin": "Grüße \u2013 20 € \u201cquoted\u201d\n\tindented\x0cnext\n",
    "Cyrillic": "Привет, мир. Καλημέρα.\n" * 70,
    "long lines": "word " * 100 + "x" * 200,
    "empty lines": "\n\n\n",
    "wide": "a b" + unicodedata.lookup("EM SPACE") + "ж",
}


@pytest.mark.packages
@pytest.mark.parametrize("name", TEXTS)
def test_text(name: str, tmp_path: Path) -> None:
    """Another program reads the same words from the PDF that is made of a text."""
    file = tmp_path / "text.pdf"
    made = text_to_pdf(memoryview(TEXTS[name].encode()))
    check_pdf(memoryview(made))
    file.write_bytes(made)
    read = subprocess.run(["pdftotext", file, "-"], capture_output=True, text=True, check=True)
    assert read.stderr == ""
    assert "".join(read.stdout.split()) == "".join(TEXTS[name].split())


def test_without_a_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the font is missing, Latin texts are attached all the same, and the reason for the others names it."""
    monkeypatch.setattr(font, "_PLACES", ())
    font.installed_font.cache_clear()
    try:
        assert text_to_pdf(memoryview("Grüße".encode()))
        with pytest.raises(Refused, match="DejaVu Sans Mono"):
            text_to_pdf(memoryview("Привет".encode()))
    finally:
        font.installed_font.cache_clear()


def test_utf16() -> None:
    """A text in UTF-16 says so by its first bytes, as Windows writes it."""
    assert text_to_pdf(memoryview("Grüße".encode("utf-16"))) == text_to_pdf(memoryview("Grüße".encode()))
