"""Tests of the inbox: uploads, receipts and deletions."""

from collections.abc import Callable
from pathlib import Path as DiskPath
from unittest.mock import patch

import pytest

from davfs.entry import Entry, Path
from davfs.errors import Forbidden, NotFound, Rejected, Unavailable
from davfs.filesystem.area import Area, Deletable, Writable
from davfs.filesystem.inbox import Inbox
from davfs.imports import upload
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.imports.sniff import FileType
from davfs.orthanc import Orthanc  # noqa: TC001  only a local annotation
from davfs.spool.spool import Spool
from tests.support import inbox as inboxes
from tests.support.inbox import CT, MR, NO_PREAMBLE, TEST_FILES, content, names
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.zips import zipped

NEARLY = NO_PREAMBLE[:60].ljust(400, b"\0")
DICOMDIR = (TEST_FILES / "dicomdirtests" / "DICOMDIR").read_bytes()

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes, inbox = inboxes.orthanc, inboxes.spool, inboxes.lanes, inboxes.inbox


def test_inbox_implements_the_protocols_of_an_area(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """The inbox implements the Protocols of an area that can be written and deleted from."""
    area: Area = inbox
    server: Orthanc = orthanc
    assert isinstance(area, Writable)
    assert isinstance(area, Deletable)
    assert server


def test_a_dicom_file_is_imported_and_stays_listed(inbox: Inbox, orthanc: MemoryOrthanc, tmp_path: DiskPath) -> None:
    """When a write returns, Orthanc has the image; name, size and bytes stay readable without a second copy."""
    entry = inbox.write(("a.bin",), memoryview(CT))
    assert orthanc.files == {identify(CT): CT}
    assert (entry.name, entry.size, entry.media_type) == ("a.bin", len(CT), "application/dicom")
    assert (entry.resource, bool(entry.etag)) == (identify(CT), True)
    assert inbox.stat(("a.bin",)) == entry == next(iter(inbox.list(())))
    assert content(inbox, ("a.bin",)) == CT
    assert content(inbox, ("a.bin",), 128, 132) == b"DICM"
    assert (tmp_path / "files" / "a.bin").is_symlink()


def test_what_was_stored_is_asked_for_once(orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes) -> None:
    """An unaltered upload needs one request to Orthanc for its entry."""
    inbox = Inbox(orthanc, spool, lanes, Importer(orthanc, may_alter=False))
    with (
        patch.object(orthanc, "instance", wraps=orthanc.instance) as asked,
        patch.object(orthanc, "instances") as others,
    ):
        entry = inbox.write(("a.bin",), CT)
    assert (asked.call_count, others.call_count) == (1, 0)
    assert inbox.stat(("a.bin",)) == entry


def test_files_without_preamble_are_imported_if_orthanc_can_read_them(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """A file that resembles DICOM without a preamble is imported, or refused if Orthanc cannot read it."""
    assert inbox.write(("a",), NO_PREAMBLE).media_type == "application/dicom"
    assert set(orthanc.files) == {identify(NO_PREAMBLE)}
    with pytest.raises(Rejected):
        inbox.write(("b",), NEARLY)
    assert orthanc.uploads == 2
    assert content(inbox, ("rejected", "b")) == NEARLY
    assert names(inbox) == ["a", "rejected"]


def test_what_is_hardly_dicom_may_be_an_ordinary_file(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Orthanc is asked about files that could be anything; one that it cannot read is an ordinary file."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(upload, "sniff", lambda _: FileType.UNLIKELY_DICOM)
        assert inbox.write(("c",), b"text").media_type == "application/octet-stream"
        assert orthanc.uploads == 1
        assert inbox.write(("d",), CT).media_type == "application/dicom"
    assert names(inbox) == ["c", "d"]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (("empty.dcm",), b""),
        (("notes.txt",), b"text"),
        (("DICOMDIR",), DICOMDIR),
        (("._CT.dcm",), CT),
        (("Thumbs.db",), CT),
        (("docs.zip",), zipped({"a": b"text"})),
        (("damaged.zip",), zipped({"a.txt": b"text"})[:-30]),
    ],
)
def test_everything_else_is_an_ordinary_file(inbox: Inbox, orthanc: MemoryOrthanc, path: Path, data: bytes) -> None:
    """A file that is neither DICOM nor a ZIP is kept byte for byte, and never imported."""
    entry = inbox.write(path, data)
    assert inbox.stat(path) == entry
    assert entry.size == len(data)
    assert content(inbox, path) == data
    assert orthanc.uploads == 0


def test_finder_and_explorer_write_twice(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """An empty file that is then replaced by its content ends as the content."""
    assert inbox.write(("a.dcm",), b"").size == 0
    assert inbox.stat(("a.dcm",)).size == 0
    assert inbox.write(("a.dcm",), CT).size == len(CT)
    assert inbox.write(("a.dcm",), CT).size == len(CT)
    assert list(orthanc.files.values()) == [CT]
    inbox.write(("a.dcm",), b"text now")
    assert content(inbox, ("a.dcm",)) == b"text now"


def test_a_zip_is_imported_and_stays_itself(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """The images in a ZIP are imported, and the ZIP is kept, since Orthanc cannot give its bytes back."""
    data = zipped({"a/1": CT, "a/2": MR, "readme.txt": b"text"})
    assert inbox.write(("study.zip",), data).size == len(data)
    assert set(orthanc.files) == {identify(CT), identify(MR)}
    assert content(inbox, ("study.zip",)) == data


def test_folders_can_be_made_and_removed(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Folders can be created and removed; deleting an imported file deletes no image."""
    inbox.make_folder(("cd",))
    inbox.make_folder(("cd", "images"))
    inbox.write(("cd", "images", "1"), CT)
    inbox.write(("cd", "images", "2"), MR)
    assert names(inbox, ("cd",)) == ["images"]
    assert inbox.delete(("cd", "images", "1")) == ""
    assert inbox.delete(("cd",)) == ""
    assert names(inbox) == []
    assert set(orthanc.files) == {identify(CT), identify(MR)}


@pytest.mark.parametrize("look", [Inbox.stat, content])
def test_a_receipt_goes_with_its_instance(
    inbox: Inbox, orthanc: MemoryOrthanc, look: Callable[[Inbox, Path], Entry | bytes]
) -> None:
    """A receipt whose image is not in Orthanc any more does not exist."""
    inbox.write(("a.dcm",), CT)
    orthanc.files.clear()
    with pytest.raises(NotFound):
        look(inbox, ("a.dcm",))
    assert names(inbox) == []


def test_a_receipt_stays_while_orthanc_cannot_answer(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Orthanc does not answer, receipts are kept."""
    inbox.write(("a.dcm",), CT)

    def fail(*_: object) -> None:
        raise Unavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryOrthanc, "instances", fail)
        with pytest.raises(Unavailable):
            inbox.stat(("a.dcm",))
    assert content(inbox, ("a.dcm",)) == CT


def test_the_size_is_what_orthanc_serves_now(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """The size of a receipt is that of the instance in Orthanc, which may have overwritten or transcoded it."""
    inbox.write(("a.dcm",), CT)
    orthanc.files[identify(CT)] = CT[:2000]
    assert inbox.stat(("a.dcm",)).size == 2000
    assert content(inbox, ("a.dcm",)) == CT[:2000]


def test_without_uploads_the_inbox_can_only_be_read(
    inbox: Inbox, orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes
) -> None:
    """With AllowUpload false every change is refused."""
    inbox.write(("a.dcm",), CT)
    readonly = Inbox(orthanc, spool, lanes, Importer(orthanc), allow_upload=False)
    acts: list[Callable[[], object]] = [
        lambda: readonly.write(("b",), b""),
        lambda: readonly.make_folder(("b",)),
        lambda: readonly.delete(("a.dcm",)),
        lambda: readonly.delete(()),
    ]
    for act in acts:
        with pytest.raises(Forbidden):
            act()
    assert content(readonly, ("a.dcm",)) == CT
