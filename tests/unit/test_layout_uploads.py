"""Files that are written into folders of layouts, over an Orthanc in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as DiskPath

import pytest

from davfs.attachments.agreement import check_agreement, identity_of
from davfs.attachments.attacher import Attacher
from davfs.derived.files import DerivedFiles
from davfs.entry import Path
from davfs.errors import (
    BadName,
    Busy,
    Contradiction,
    Forbidden,
    NoSpace,
    NotFound,
    Rejected,
    Unavailable,
    UploadTooLarge,
)
from davfs.filesystem import beside, layout_uploads
from davfs.filesystem.layout_area import LayoutArea
from davfs.filesystem.layout_uploads import LayoutUploads
from davfs.filesystem.temporary_names import is_temporary
from davfs.filesystem.tree import Tree
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.layout import load_text
from davfs.orthanc import Level, OrthancId, Resource
from davfs.spool.spool import Spool
from tests.support import dicom, inbox, layouts, pictures
from tests.support.layouts import Show, Shown

# pytest finds fixtures by the names in a module.
show, lanes = layouts.show, inbox.lanes

LAYOUT = """
title = "all"
[[level]]
patient = "{PatientID}"
[[level]]
study = "{StudyDescription}"
[[level]]
series = "{SeriesNumber} {Modality} {SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
STUDY = ("p", "Study 1")


@dataclass
class Opened:
    """A layout into which files can be written."""

    shown: Shown
    spool: Spool
    area: LayoutArea
    uploads: LayoutUploads
    refused: list[Path]

    def names(self, *path: str) -> list[str]:
        """List a folder."""
        return [entry.name for entry in self.area.list(path)]

    def content(self, *path: str) -> bytes:
        """Read a file."""
        with self.area.read(path) as file:
            return b"".join(file.buffers())


@pytest.fixture
def opened(show: Show, tmp_path: DiskPath, lanes: Lanes) -> Iterator[Opened]:
    """A layout with one study."""
    shown = show(LAYOUT).add("p")
    spool = Spool(tmp_path / "spool", maximum_size=1 << 20, maximum_age=86400)
    refused: list[Path] = []
    attacher = Attacher(shown.orthanc, shown.orthanc)
    uploads = LayoutUploads(shown.orthanc, spool, lanes, Importer(shown.orthanc), attacher, refused=refused.append)
    layout = load_text(LAYOUT, "test.toml")
    since = datetime(2024, 1, 1, tzinfo=UTC)
    tree = Tree(layout, shown.catalog, shown.orthanc, None, since, DerivedFiles(shown.orthanc))
    yield Opened(shown, spool, LayoutArea(tree, shown.catalog, uploads=uploads), uploads, refused)
    spool.close()


def test_upload_in_pieces(opened: Opened) -> None:
    """An upload that comes in pieces is attached when it is complete, and not before."""
    path = (*STUDY, "report.pdf")
    with opened.area.receive(path, None, user="alice") as upload:
        upload.write(pictures.PDF[:10])
        upload.write(pictures.PDF[10:])
        assert len(opened.shown.orthanc.files) == 1
        entry = upload.finish()
    assert (entry.name, entry.size, entry.media_type) == ("report.pdf", len(pictures.PDF), "application/pdf")
    assert opened.content(*path) == pictures.PDF
    assert set(opened.names(*STUDY)) == {"1 CT Series 1", "2 DOC report", "report.pdf"}


def test_upload_that_ends_early(opened: Opened) -> None:
    """An upload that is given up leaves nothing behind."""
    with opened.area.receive((*STUDY, "report.pdf"), None) as upload:
        upload.write(pictures.PDF)
    assert opened.names(*STUDY) == ["1 CT Series 1"]
    assert len(opened.shown.orthanc.files) == 1


def test_too_large(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large is told so, and lies in rejected/ with the reason."""
    monkeypatch.setattr(layout_uploads, "LARGEST", 10)
    with pytest.raises(UploadTooLarge):
        opened.area.write((*STUDY, "report.pdf"), pictures.PDF)
    assert opened.refused == [("all", *STUDY, "report.pdf")]
    assert [each.entry.name for each in opened.spool.list(("rejected",))] == ["report.pdf", "report.pdf.txt"]


def test_files_beside_images_are_shown_for_an_hour(opened: Opened) -> None:
    """What was written is listed for an hour; then its DICOM remains, and the file takes no space any more."""
    for name, content in {"report.pdf": pictures.PDF, "._report.pdf": b"\0"}.items():
        opened.area.write((*STUDY, name), content)
    assert {"report.pdf", "._report.pdf"} <= set(opened.names(*STUDY))
    opened.uploads.beside._now = lambda: datetime.now(UTC).timestamp() + beside.SHOWN_SECONDS
    assert opened.names(*STUDY) == ["1 CT Series 1", "2 DOC report"]
    with pytest.raises(NotFound):
        opened.area.stat((*STUDY, "report.pdf"))
    assert opened.spool.used == 0


def test_original_that_made_room(opened: Opened) -> None:
    """Where the inbox needs the room of an attachment's file, the file is not shown as its DICOM instead."""
    opened.area.write((*STUDY, "report.pdf"), pictures.PDF)
    with opened.spool.receive(("big",), 1 << 20) as upload:
        upload.write(bytes((1 << 20) - 10))
        upload.keep(("big",))
    assert "report.pdf" not in opened.names(*STUDY)
    assert "2 DOC report" in opened.names(*STUDY)


def test_full_inbox(opened: Opened) -> None:
    """Without room in the inbox an upload is refused before it is read."""
    with pytest.raises(NoSpace):
        opened.area.receive((*STUDY, "report.pdf"), 1 << 30)


def test_orthanc_that_does_not_answer(opened: Opened) -> None:
    """Nothing is acknowledged or kept while Orthanc cannot be asked."""
    opened.shown.orthanc.failure = Unavailable("gone")
    with pytest.raises(Unavailable):
        opened.area.write((*STUDY, "report.pdf"), pictures.PDF)
    assert opened.names(*STUDY) == ["1 CT Series 1"]
    assert not opened.refused


def test_router(opened: Opened) -> None:
    """Where Orthanc deletes what it has stored, an upload is a success all the same."""
    opened.shown.orthanc.deletes = True
    entry = opened.area.write((*STUDY, "report.pdf"), pictures.PDF)
    assert (entry.name, entry.size) == ("report.pdf", len(pictures.PDF))


@pytest.mark.parametrize("error", [Unavailable("the database is gone"), OSError(5, "the disk is gone")])
def test_inbox_that_cannot_be_read(opened: Opened, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the inbox cannot be read, the images are shown all the same."""
    opened.area.write((*STUDY, "report.pdf"), pictures.PDF)

    def fail(*_: object) -> None:
        raise error

    for method in ("list", "stat", "delete"):
        monkeypatch.setattr(opened.spool, method, fail)
    assert opened.names(*STUDY) == ["1 CT Series 1", "2 DOC report"]
    assert opened.names() == ["p"]
    assert opened.area.stat((*STUDY, "1 CT Series 1")).is_folder
    with pytest.raises(NotFound):
        opened.area.stat((*STUDY, "report.pdf"))


def test_busy(opened: Opened, lanes: Lanes) -> None:
    """Nothing is stored if no worker is free in time."""
    lanes.refuse()
    with pytest.raises((Busy, Unavailable)):
        opened.area.write((*STUDY, "report.pdf"), pictures.PDF)
    assert len(opened.shown.orthanc.files) == 1


@pytest.mark.parametrize("name", ["a.", "a/b", "a\0b", "x" * 300, "a\ud800"])
def test_impossible_names(opened: Opened, name: str) -> None:
    """A name that no file can have is refused, whatever the content is."""
    for content in (pictures.PDF, b"", b"\x89\x01"):
        with pytest.raises(BadName):
            opened.area.write((*STUDY, name), content)


def test_attached_file_is_renamed_in_its_study(opened: Opened) -> None:
    """An attached file can be renamed where it is, and stays in its study."""
    opened.shown.add("p", 2)
    opened.area.write((*STUDY, "report.pdf"), pictures.PDF)
    opened.area.move((*STUDY, "report.pdf"), (*STUDY, "letter.pdf"), replace=False)
    assert opened.content(*STUDY, "letter.pdf") == pictures.PDF
    assert "report.pdf" not in opened.names(*STUDY)
    with pytest.raises(Forbidden):
        opened.area.move((*STUDY, "letter.pdf"), ("p", "Study 2", "letter.pdf"), replace=False)
    with pytest.raises(Forbidden):
        opened.area.move((*STUDY, "letter.pdf"), (*STUDY, "1 CT Series 1"), replace=True)
    with pytest.raises(Forbidden):
        opened.area.move((*STUDY, "1 CT Series 1"), (*STUDY, "2"), replace=True)
    assert len(opened.shown.orthanc.files) == 3


def test_temporary_file_is_attached_to_the_study_that_it_is_moved_to(opened: Opened) -> None:
    """A temporary file belongs to no study: it is attached where it gets an ordinary name."""
    opened.shown.add("p", 2)
    opened.area.write((*STUDY, ".tmp1"), pictures.PDF)
    opened.area.move((*STUDY, ".tmp1"), ("p", "Study 2", "report.pdf"), replace=False)
    assert set(opened.names("p", "Study 2")) == {"1 CT Series 1", "2 DOC report", "report.pdf"}
    assert opened.names(*STUDY) == ["1 CT Series 1"]


def test_temporary_file_that_cannot_be_attached(opened: Opened) -> None:
    """A temporary file that is refused under its ordinary name stays, and lies in rejected/ too."""
    opened.area.write((*STUDY, ".tmp1"), b"PK\3\4 Office")
    with pytest.raises(Rejected):
        opened.area.move((*STUDY, ".tmp1"), (*STUDY, "letter.docx"), replace=False)
    assert ".tmp1" in opened.names(*STUDY)
    assert "letter.docx" in [each.entry.name for each in opened.spool.list(("rejected",))]


TEMPORARY = [
    "._x",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "~$x.docx",
    "~WRD1.tmp",
    "x.pdf~",
    ".x.swp",
    "x.part",
    "4913",
]


def test_names_of_temporary_files() -> None:
    """Names of temporary files are known in any case; those of documents are not taken for them."""
    assert all(is_temporary(name) and is_temporary(name.upper()) for name in TEMPORARY)
    assert not any(map(is_temporary, ["report.pdf", "~x.pdf", "x.template.pdf", "tmp", "4913.pdf", "a~1.pdf"]))


AGREEING = [
    ({"PatientName": "DOE^P"}, {"PatientName": "Doe^p^^"}),
    ({"PatientName": "Doe^p=山田"}, {"PatientName": "Doe^p"}),
    ({"PatientName": "Doe^p"}, {"PatientName": ""}),
    ({"PatientBirthDate": "19700101"}, {"PatientBirthDate": ""}),
    ({"PatientBirthDate": "1970.01.01"}, {"PatientBirthDate": "1970 01 01"}),
]
CONTRADICTING = [
    ({"PatientName": "Doe^p"}, {"PatientName": "Doe^q"}),
    ({"PatientName": "Doe^p=山田"}, {"PatientName": "Doe^p=山川"}),
    ({"PatientBirthDate": "19700101"}, {"PatientBirthDate": "19710101"}),
    ({"PatientSex": "F"}, {"PatientSex": "M"}),
]


def _check(own: dict[str, str], shown: dict[str, str]) -> None:
    tags = {"SpecificCharacterSet": "ISO_IR 192"} | own
    content = dicom.instance("p", tags=tags)
    ids = dicom.ids(content)
    study = Resource(OrthancId(ids.study), Level.STUDY, OrthancId(ids.patient), {}, None, patient=shown)
    check_agreement(identity_of(memoryview(content)), Level.STUDY, study.id, [study])


@pytest.mark.parametrize(("own", "shown"), AGREEING)
def test_it_agrees(own: dict[str, str], shown: dict[str, str]) -> None:
    """Case, blanks, missing values and missing ways to write a name make nobody another person."""
    _check(own, shown)


@pytest.mark.parametrize(("own", "shown"), CONTRADICTING)
def test_it_contradicts(own: dict[str, str], shown: dict[str, str]) -> None:
    """Another name, birth date or sex is another person, whatever the identifiers say."""
    with pytest.raises(Contradiction, match="inbox/"):
        _check(own, shown)


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192", "ISO_IR 144", "ISO 2022 IR 100", ""])
def test_identifiers_of_any_character_set(charset: str) -> None:
    """Orthanc's ids are computed from a file as Orthanc does it, whatever its character set is."""
    name = "Иванов^Иван" if charset == "ISO_IR 144" else "Müller^Änne"
    tags = {"PatientName": name} | ({"SpecificCharacterSet": charset} if charset else {})
    content = dicom.instance("p", tags=tags)
    identity = identity_of(memoryview(content))
    assert identity.id(Level.INSTANCE) == dicom.ids(content).instance
    assert identity.id(Level.SERIES) == dicom.ids(content).series
    assert not charset or identity.tags["PatientName"] == name


def test_missing_identifiers() -> None:
    """A file without a patient's attributes has empty ones."""
    content = dicom.instance("", tags={"PatientName": ""})
    assert identity_of(memoryview(content)).tags["PatientName"] == ""
