"""The folder that imports."""

import gc
import hashlib
import io
import logging
import os
import threading
import time
import weakref
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path as DiskPath

import pydicom.data
import pytest

from davfs.entry import Entry, Path
from davfs.errors import (
    AlreadyExists,
    BadFile,
    BadName,
    Busy,
    Conflict,
    Forbidden,
    IsAFolder,
    NoSpace,
    NotAFolder,
    NotFound,
    OrthancError,
    ParentMissing,
    PathError,
    Rejected,
    StorageFull,
    Unavailable,
)
from davfs.filesystem.area import Area, Deletable, Writable
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.queue import ImportQueue
from davfs.imports.spool import Spool
from davfs.orthanc import Orthanc, StoreStatus
from tests.support.memory_orthanc import MemoryOrthanc, identify

TEST_FILES = DiskPath(str(pydicom.data.get_testdata_file("CT_small.dcm"))).parent
CT = (TEST_FILES / "CT_small.dcm").read_bytes()
MR = (TEST_FILES / "MR_small.dcm").read_bytes()
NO_PREAMBLE = CT[336:]  # the data set alone
NEARLY = NO_PREAMBLE[:60].ljust(400, b"\0")
DICOMDIR = (TEST_FILES / "dicomdirtests" / "DICOMDIR").read_bytes()
BROKEN = CT[:132] + b"garbage" * 20
CHANGED = CT[:-1] + bytes([CT[-1] ^ 1])


@pytest.fixture
def orthanc() -> MemoryOrthanc:
    """An empty Orthanc."""
    return MemoryOrthanc()


@pytest.fixture
def spool(tmp_path: DiskPath) -> Spool:
    """A spool of a megabyte."""
    return Spool(tmp_path, maximum_size=1 << 20, maximum_age=86400)


@pytest.fixture
def queue() -> Iterator[ImportQueue]:
    """A queue that loses its patience soon."""
    queue = ImportQueue(workers=1, patience=0.5)
    yield queue
    assert queue.stop(10)


@pytest.fixture
def inbox(orthanc: MemoryOrthanc, spool: Spool, queue: ImportQueue) -> Inbox:
    """An inbox that takes uploads."""
    return Inbox(orthanc, spool, queue, Importer(orthanc))


def names(inbox: Inbox, path: Path = ()) -> list[str]:
    """List a folder."""
    return [entry.name for entry in inbox.list(path)]


def content(inbox: Inbox, path: Path, start: int = 0, stop: int | None = None) -> bytes:
    """Read a file, and check that its entry tells its size."""
    with inbox.read(path) as opened:
        assert opened.entry.size == sum(map(len, opened.buffers()))
        return b"".join(opened.buffers(start, stop))


def zipped(members: dict[str, bytes]) -> bytes:
    """Make a ZIP."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_it_is_an_area_that_can_be_written_and_emptied(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """The drive finds its powers by their Protocols."""
    area: Area = inbox
    server: Orthanc = orthanc
    assert isinstance(area, Writable)
    assert isinstance(area, Deletable)
    assert server


def test_a_dicom_file_is_imported_and_stays_listed(inbox: Inbox, orthanc: MemoryOrthanc, tmp_path: DiskPath) -> None:
    """When the write returns Orthanc has it; name, size and bytes remain, without a second copy."""
    entry = inbox.write(("a.bin",), memoryview(CT))
    assert orthanc.files == {identify(CT): CT}
    assert (entry.name, entry.size, entry.media_type) == ("a.bin", len(CT), "application/dicom")
    assert (entry.resource, identify(CT) in entry.etag) == (identify(CT), True)
    assert inbox.stat(("a.bin",)) == entry == next(iter(inbox.list(())))
    assert content(inbox, ("a.bin",)) == CT
    assert content(inbox, ("a.bin",), 128, 132) == b"DICM"
    assert (tmp_path / "files" / "a.bin").is_symlink()


def test_files_without_preamble_are_imported_if_orthanc_can_read_them(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """What only resembles them stays an ordinary file, and is no error."""
    assert inbox.write(("a",), NO_PREAMBLE).media_type == "application/dicom"
    assert set(orthanc.files) == {identify(NO_PREAMBLE)}
    assert inbox.write(("b",), NEARLY).media_type == "application/octet-stream"
    assert orthanc.uploads == 2
    assert content(inbox, ("b",)) == NEARLY
    assert names(inbox) == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (("empty.dcm",), b""),
        (("notes.txt",), b"text"),
        (("DICOMDIR",), DICOMDIR),
        (("._CT.dcm",), CT),
        (("Thumbs.db",), CT),
        (("docs.zip",), zipped({"a": b"text"})),
        (("damaged.zip",), zipped({"a": CT})[:-30]),
    ],
)
def test_everything_else_is_an_ordinary_file(inbox: Inbox, orthanc: MemoryOrthanc, path: Path, data: bytes) -> None:
    """It is kept byte for byte, and never imported."""
    entry = inbox.write(path, data)
    assert inbox.stat(path) == entry
    assert entry.size == len(data)
    assert content(inbox, path) == data
    assert orthanc.uploads == 0


def test_finder_and_explorer_write_twice(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """First an empty file, then the content into its place."""
    assert inbox.write(("a.dcm",), b"").size == 0
    assert inbox.stat(("a.dcm",)).size == 0
    assert inbox.write(("a.dcm",), CT).size == len(CT)
    assert inbox.write(("a.dcm",), CT).size == len(CT)
    assert list(orthanc.files.values()) == [CT]
    inbox.write(("a.dcm",), b"text now")
    assert content(inbox, ("a.dcm",)) == b"text now"


def test_a_zip_is_imported_and_stays_itself(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Orthanc cannot give its bytes back."""
    data = zipped({"a/1": CT, "a/2": MR, "readme.txt": b"text"})
    assert inbox.write(("study.zip",), data).size == len(data)
    assert set(orthanc.files) == {identify(CT), identify(MR)}
    assert content(inbox, ("study.zip",)) == data


def test_folders_can_be_made_and_removed(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Deleting what was imported deletes no image."""
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
    """What Orthanc does not have any more is not there."""
    inbox.write(("a.dcm",), CT)
    orthanc.files.clear()
    with pytest.raises(NotFound):
        look(inbox, ("a.dcm",))
    assert names(inbox) == []


def test_a_receipt_stays_while_orthanc_cannot_answer(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to know is not to be gone."""
    inbox.write(("a.dcm",), CT)

    def fail(*_: object) -> None:
        raise Unavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryOrthanc, "instance_size", fail)
        with pytest.raises(Unavailable):
            inbox.stat(("a.dcm",))
    assert content(inbox, ("a.dcm",)) == CT


def test_the_size_is_what_orthanc_serves_now(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Orthanc may have overwritten or transcoded the instance."""
    inbox.write(("a.dcm",), CT)
    orthanc.files[identify(CT)] = CT[:2000]
    assert inbox.stat(("a.dcm",)).size == 2000
    assert content(inbox, ("a.dcm",)) == CT[:2000]


@pytest.mark.parametrize(
    ("error", "answer", "reason"),
    [
        (Rejected, StoreStatus.FILTERED_OUT, "filter"),
        (Rejected, StoreStatus.FAILURE, "failed to store"),
        (Rejected, BadFile("bad"), "cannot read it"),
        (NoSpace, StorageFull("full"), "no room"),
    ],
)
def test_a_refusal_is_an_error_and_keeps_the_file(
    inbox: Inbox, orthanc: MemoryOrthanc, error: type[PathError], answer: StoreStatus | OrthancError, reason: str
) -> None:
    """The file lies in rejected/, with the reason beside it, and not where it was written."""
    inbox.make_folder(("cd",))
    if isinstance(answer, StoreStatus):
        orthanc.answer = answer
    else:
        orthanc.failure = answer
    with pytest.raises(error, match=reason) as caught:
        inbox.write(("cd", "a.dcm"), CT)
    assert caught.value.path == ("cd", "a.dcm")
    assert names(inbox) == ["cd", "rejected"]
    assert names(inbox, ("cd",)) == []
    assert names(inbox, ("rejected",)) == ["a.dcm", "a.dcm.txt"]
    assert content(inbox, ("rejected", "a.dcm")) == CT
    text = content(inbox, ("rejected", "a.dcm.txt")).decode()
    assert reason in text
    assert "cd/a.dcm" in text


def test_a_contradiction_is_a_conflict(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Orthanc's own file stays as it is."""
    inbox.write(("a.dcm",), CT)
    with pytest.raises(Conflict, match="different file"):
        inbox.write(("b.dcm",), CHANGED)
    assert orthanc.files == {identify(CT): CT}
    assert content(inbox, ("rejected", "b.dcm")) == CHANGED


def test_a_zip_with_a_refused_member_is_rejected(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    """The text names the members; neither the error nor the log does."""
    caplog.set_level(logging.DEBUG)
    data = zipped({"Doe/1": CT, "Doe/2": BROKEN})
    with pytest.raises(Rejected, match="1 of the 2") as caught:
        inbox.write(("study.zip",), data)
    assert content(inbox, ("rejected", "study.zip")) == data
    assert b"Doe/2: " in content(inbox, ("rejected", "study.zip.txt"))
    assert "Doe" not in str(caught.value) + caplog.text
    assert names(inbox) == ["rejected"]


def test_refused_files_of_one_name_are_numbered(inbox: Inbox) -> None:
    """None replaces another; names that are as long as can be are shortened, suffix and all."""
    for _ in range(3):
        with pytest.raises(Rejected):
            inbox.write(("a.dcm",), BROKEN)
    assert [name for name in names(inbox, ("rejected",)) if name.endswith("dcm")] == [
        "a (2).dcm",
        "a (3).dcm",
        "a.dcm",
    ]
    long = "é" * 125 + ".dcm"
    for _ in range(2):
        with pytest.raises(Rejected):
            inbox.write((long,), BROKEN)
    assert len(names(inbox, ("rejected",))) == 10
    assert all(len(name.encode()) <= 255 for name in names(inbox, ("rejected",)))


@pytest.mark.parametrize("name", ["x" * 255, "." + "x" * 254, "a." + "x" * 253, "山" * 85, "x" * 240 + ". x", "a.txt"])
def test_refused_files_of_any_name_are_kept(inbox: Inbox, name: str) -> None:
    """However the name has to be cut."""
    for count in (2, 4):
        with pytest.raises(Rejected):
            inbox.write((name,), BROKEN)
        assert len(names(inbox, ("rejected",))) == count


def test_refused_files_of_one_name_do_not_overwrite_each_other(inbox: Inbox) -> None:
    """Not even at the same time."""

    def refuse(number: int) -> None:
        with pytest.raises(Rejected):
            inbox.write(("a.dcm",), BROKEN + bytes([number]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(refuse, range(4)))
    files = [name for name in names(inbox, ("rejected",)) if not name.endswith(".txt")]
    assert {content(inbox, ("rejected", name))[-1] for name in files} == {0, 1, 2, 3}


def test_an_expired_refusal_does_not_block_its_name(inbox: Inbox, tmp_path: DiskPath) -> None:
    """What is not listed any more, but not yet swept, gives way to the next refusal."""
    for number in range(2):
        with pytest.raises(Rejected):
            inbox.write(("a.dcm",), BROKEN + bytes([number]))
        assert content(inbox, ("rejected", "a.dcm"))[-1] == number
        for name in ("a.dcm", "a.dcm.txt"):
            os.utime(tmp_path / "files" / "rejected" / name, (0, 0))


def test_rejected_is_there_only_with_something_in_it(inbox: Inbox) -> None:
    """It can be read and emptied, and then it is gone."""
    with pytest.raises(Rejected):
        inbox.write(("a.dcm",), BROKEN)
    inbox.delete(("rejected", "a.dcm"))
    assert names(inbox, ("rejected",)) == ["a.dcm.txt"]
    inbox.delete(("rejected", "a.dcm.txt"))
    assert names(inbox) == []
    for act in (inbox.stat, inbox.list, inbox.delete):
        with pytest.raises(NotFound):
            act(("rejected",))
    with pytest.raises(Rejected):
        inbox.write(("a.dcm",), BROKEN)
    inbox.delete(("rejected",))
    assert names(inbox) == []


def test_a_full_spool_does_not_hide_the_refusal(
    orthanc: MemoryOrthanc, queue: ImportQueue, tmp_path: DiskPath, caplog: pytest.LogCaptureFixture
) -> None:
    """The error tells what Orthanc said, though the file cannot be kept; the log names no file."""
    inbox = Inbox(orthanc, Spool(tmp_path, maximum_size=10, maximum_age=86400), queue, Importer(orthanc))
    with pytest.raises(Rejected, match="cannot read it"):
        inbox.write(("doe.dcm",), BROKEN)
    assert names(inbox) == []
    assert "NoSpace" in caplog.text
    assert "doe" not in caplog.text
    with pytest.raises(NoSpace):
        inbox.write(("a.txt",), b"more than ten bytes")
    with pytest.raises(NoSpace):
        inbox.write(("a.zip",), zipped({"1": CT}))
    assert orthanc.files == {}
    assert inbox.write(("a.dcm",), CT).size == len(CT)


def test_nothing_is_kept_while_orthanc_cannot_answer(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """The client tries again; nothing was acknowledged, and nothing refused."""
    orthanc.failure = Unavailable("down")
    with pytest.raises(Unavailable):
        inbox.write(("a.dcm",), CT)
    with pytest.raises(Unavailable):
        inbox.write(("a.zip",), zipped({"1": CT}))
    assert names(inbox) == []


def test_a_busy_queue_refuses_and_keeps_nothing(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """While the only worker is held up, others are told to come back; ordinary files need no worker."""
    orthanc.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(inbox.write, ("a.dcm",), CT)
        while not orthanc.uploads:
            time.sleep(0.001)
        with pytest.raises(Busy):
            inbox.write(("b.dcm",), MR)
        inbox.write(("c.txt",), b"text")
        orthanc.gate.set()
        first.result(10)
    assert names(inbox) == ["a.dcm", "c.txt"]
    assert orthanc.uploads == 1


@pytest.mark.parametrize(
    ("error", "path"),
    [(ParentMissing, ("x", "a")), (ParentMissing, ("file", "a")), (IsAFolder, ("folder",)), (BadName, ("a.",))],
)
@pytest.mark.parametrize("data", [CT, NO_PREAMBLE, zipped({"1": CT}), b"text"])
def test_what_cannot_be_kept_is_not_imported(
    inbox: Inbox, orthanc: MemoryOrthanc, error: type[PathError], path: Path, data: bytes
) -> None:
    """The path is checked before Orthanc sees anything."""
    inbox.make_folder(("folder",))
    inbox.write(("file",), b"")
    with pytest.raises(error):
        inbox.write(path, data)
    assert orthanc.uploads == 0


def test_what_is_forbidden_is_forbidden(inbox: Inbox) -> None:
    """The inbox itself, and writing into rejected/."""
    with pytest.raises(Forbidden):
        inbox.write((), CT)
    with pytest.raises(Forbidden):
        inbox.delete(())
    for path in (("rejected",), ("rejected", "a"), ("rejected", "a", "b")):
        with pytest.raises(Forbidden):
            inbox.write(path, CT)
        with pytest.raises(Forbidden):
            inbox.make_folder(path)
    with pytest.raises(AlreadyExists):
        inbox.make_folder(())
    inbox.write(("a",), b"")
    with pytest.raises(NotAFolder):
        inbox.list(("a",))
    assert inbox.stat(()).is_folder


def test_without_uploads_the_inbox_can_only_be_read(
    inbox: Inbox, orthanc: MemoryOrthanc, spool: Spool, queue: ImportQueue
) -> None:
    """AllowUpload false turns every change away."""
    inbox.write(("a.dcm",), CT)
    readonly = Inbox(orthanc, spool, queue, Importer(orthanc), allow_upload=False)
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


def test_the_import_runs_on_a_worker_without_a_copy(
    orthanc: MemoryOrthanc, spool: Spool, queue: ImportQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orthanc is handed the caller's own memory, on a thread of the queue."""
    seen: list[tuple[str, object]] = []
    genuine = MemoryOrthanc.store

    def store(self: MemoryOrthanc, data: memoryview) -> object:
        seen.append((threading.current_thread().name, data.obj))
        return genuine(self, data)

    monkeypatch.setattr(MemoryOrthanc, "store", store)
    Inbox(orthanc, spool, queue, Importer(orthanc)).write(("a",), memoryview(CT))
    assert seen[0][0] == "davfs-import-1"
    assert seen[0][1] is CT


class Memory(bytearray):
    """A caller's memory, which can be referred to weakly."""


@pytest.mark.parametrize("data", [CT, BROKEN, CHANGED, zipped({"1": CT}), zipped({"1": BROKEN}), b"text"])
def test_nothing_keeps_the_callers_memory(inbox: Inbox, data: bytes) -> None:
    """Neither a success nor an error leaves a circle behind that only the garbage collector would break."""
    inbox.write(("a",), CT)
    gc.disable()
    try:
        memory = Memory(data)
        held = weakref.ref(memory)
        with suppress(PathError):
            inbox.write(("b",), memoryview(memory))
        del memory
        deadline = time.monotonic() + 5
        while held() is not None and time.monotonic() < deadline:  # the worker may still be about to let go
            time.sleep(0.001)
        assert held() is None
    finally:
        gc.enable()


def test_many_clients_import_at_once(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Different files under different names all arrive."""
    files = [path.read_bytes() for path in (TEST_FILES / "dicomdirtests").rglob("IM0000*")][:12]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda each: inbox.write((hashlib.sha1(each).hexdigest(),), each), files))  # noqa: S324  a name
    assert len(names(inbox)) == len(files)
    assert set(orthanc.files) == set(map(identify, files))
