"""Tests of the progress of a ZIP's import, and of its interruption."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from davfs.entry import Entry, Path
from davfs.errors import Forbidden, NotFound, ParentMissing, Refused, Unavailable
from davfs.filesystem.inbox import Inbox
from davfs.imports import progress as module
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.imports.progress import Progress
from davfs.imports.zip_import import ZipImporter
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CT, MR, content, names
from tests.support.memory_orthanc import MemoryOrthanc
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes, inbox = inboxes.orthanc, inboxes.spool, inboxes.lanes, inboxes.inbox

SOON = 10.0
ZIP = zipped({"1": CT, "2": b"no DICOM", "3": MR})
TOLD = "a.zip.progress.txt"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress file is shown from the start."""
    monkeypatch.setattr(module, "_QUICK", -1.0)


@contextmanager
def importing(inbox: Inbox, orthanc: MemoryOrthanc, path: Path = ("a.zip",)) -> Iterator[Future[Entry]]:
    """Import a ZIP on another thread; in the block, Orthanc takes its time over the first member."""
    orthanc.gate.clear()
    uploads = orthanc.uploads
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(inbox.write, path, ZIP)
        try:
            deadline = time.monotonic() + SOON
            while orthanc.uploads == uploads:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            yield upload
        finally:
            orthanc.gate.set()


def test_progress_file(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """A readable progress file is listed beside a ZIP until its import ends."""
    with importing(inbox, orthanc) as upload:
        assert names(inbox) == [TOLD]
        entry = inbox.stat((TOLD,))
        assert (entry.size, entry.media_type) == (600, "text/plain")
        text = content(inbox, (TOLD,)).decode()
        assert text.startswith("a.zip is being imported.\n\n0 of 3 files are done:\n")
        orthanc.gate.set()
        assert upload.result(SOON).name == "a.zip"
    assert names(inbox) == ["a.zip"]
    with pytest.raises(NotFound):
        inbox.stat((TOLD,))


def test_nobody_is_told_of_a_quick_import(
    inbox: Inbox, orthanc: MemoryOrthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No progress file is shown within the first second."""
    monkeypatch.setattr(module, "_QUICK", 60.0)
    with importing(inbox, orthanc):
        assert names(inbox) == []
        with pytest.raises(NotFound):
            inbox.read((TOLD,))


def test_a_real_file_goes_first(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """A real file of this name is shown instead."""
    with importing(inbox, orthanc):
        inbox.write((TOLD,), b"mine")
        assert names(inbox) == [TOLD]
        assert content(inbox, (TOLD,)) == b"mine"
        inbox.delete((TOLD,))
        assert inbox.stat((TOLD,)).size == 600


def test_it_can_be_put_away(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """The progress file can be deleted with all others of a folder, which changes nothing in the import."""
    with importing(inbox, orthanc) as upload:
        assert inbox.delete((TOLD,)) == ""
        assert names(inbox) == []
        with pytest.raises(NotFound):
            inbox.delete((TOLD,))
        orthanc.gate.set()
        upload.result(SOON)
    assert names(inbox) == ["a.zip"]


def test_it_can_be_neither_moved_nor_copied(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """There is nothing on the disk."""
    with importing(inbox, orthanc):
        for change in (inbox.move, inbox.copy):
            with pytest.raises(Forbidden):
                change((TOLD,), ("b.txt",), replace=True)


def test_a_folder_that_is_renamed_copied_or_deleted_meanwhile(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """The ZIP has no place any more then, and is told so; its images are in Orthanc."""
    for change in (
        lambda: inbox.move(("folder",), ("other",), replace=False),
        lambda: inbox.delete(("folder",)),
    ):
        inbox.make_folder(("folder",))
        with importing(inbox, orthanc, ("folder", "a.zip")) as upload:
            assert names(inbox, ("folder",)) == [TOLD]
            inbox.copy(("folder",), ("copy",), replace=True)
            assert names(inbox, ("copy",)) == []
            change()
            with pytest.raises(NotFound):
                inbox.stat(("folder", TOLD))
            orthanc.gate.set()
            with pytest.raises(ParentMissing):
                upload.result(SOON)
        assert len(orthanc.files) == 2


def test_the_text_counts(orthanc: MemoryOrthanc) -> None:
    """Members are imported, refused or no DICOM; the text has one length, whatever the name."""
    progress = Progress()
    with pytest.raises(Refused):
        ZipImporter(Importer(orthanc)).import_zip(zipped({"1": CT, "2": BROKEN, "3": b"", "4": MR, "5": CT}), progress)
    assert (progress.total, progress.imported, progress.refused, progress.ignored) == (5, 3, 1, 1)
    assert "5 of 5 files are done:\n3 are imported, 1 are refused, 1 are no DICOM." in progress.text("a").decode()
    assert {len(progress.text(name)) for name in ("a", "日本" * 60, "x" * 240)} == {600}
    assert "waits" in Progress().text("a").decode()


def test_a_zip_that_waits_says_so(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """The progress file of a ZIP that waits for another ZIP says so."""
    with importing(inbox, orthanc), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(inbox.write, ("b.zip",), ZIP)
        deadline = time.monotonic() + SOON
        while "b.zip.progress.txt" not in names(inbox):
            assert time.monotonic() < deadline
        assert b"waits" in content(inbox, ("b.zip.progress.txt",))
        orthanc.gate.set()
        waiting.result(SOON)


def test_an_import_ends_where_the_drive_stops(inbox: Inbox, orthanc: MemoryOrthanc, lanes: Lanes) -> None:
    """After the member that Orthanc has already been given; the client is told to come back, and nothing is kept."""
    with importing(inbox, orthanc) as upload:
        lanes.zips.refuse()
        orthanc.gate.set()
        with pytest.raises(Unavailable, match="1 of the ZIP's 3 files were imported"):
            upload.result(SOON)
    assert len(orthanc.files) == 1
    assert names(inbox) == []


def test_a_large_member_ends_where_the_drive_stops(orthanc: MemoryOrthanc) -> None:
    """While it is being unpacked."""
    stopping = iter([False, False, True])  # asked before the ZIP, before the member, and in it
    progress = Progress(lambda: next(stopping))
    with pytest.raises(Unavailable):
        ZipImporter(Importer(orthanc)).import_zip(zipped({"1": CT + bytes(1 << 20)}), progress)
    assert not orthanc.uploads
