"""Tests of uploads that come in pieces."""

import gc
import mmap
import os
import signal
import subprocess
import sys
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path as DiskPath

import pytest

from davfs.entry import Entry, Path
from davfs.errors import (
    BadName,
    Busy,
    Conflict,
    Forbidden,
    IsAFolder,
    NoSpace,
    ParentMissing,
    PathError,
    Rejected,
    Unavailable,
)
from davfs.filesystem.area import AcceptsUploads, HasQuota
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.spool.spool import Spool
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CHANGED, CT, MR, NO_PREAMBLE, TEST_FILES, content, names
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.spool import incoming
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes, inbox = inboxes.orthanc, inboxes.spool, inboxes.lanes, inboxes.inbox

BLOCK = 10_000


def send(inbox: Inbox, path: Path, data: bytes, *, sized: bool = True) -> Entry:
    """Upload a file in blocks."""
    with inbox.receive(path, len(data) if sized else None) as upload:
        for start in range(0, len(data), BLOCK):
            upload.write(memoryview(data)[start : start + BLOCK])
        return upload.finish()


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("data", [CT, NO_PREAMBLE, zipped({"1": CT}), b"text", b""])
def test_what_comes_in_pieces_is_taken_like_what_comes_at_once(
    inbox: Inbox,
    orthanc: MemoryOrthanc,
    spool: Spool,
    data: bytes,
    sized: bool,  # noqa: FBT001  pytest's own form
) -> None:
    """DICOM and ZIPs are imported, and all else is an ordinary file."""
    sent = send(inbox, ("a.bin",), data, sized=sized)
    assert (sent.name, sent.size) == ("a.bin", len(data))
    assert inbox.stat(("a.bin",)) == sent
    assert content(inbox, ("a.bin",)) == data
    assert incoming(spool) == []
    uploads, used = orthanc.uploads, spool.used
    written = inbox.write(("a.bin",), data)
    assert (written.media_type, written.resource) == (sent.media_type, sent.resource)
    assert (orthanc.uploads, spool.used) == (2 * uploads, used)


def test_it_has_the_powers_that_doors_ask_for(inbox: Inbox) -> None:
    """The inbox and its uploads implement the Protocols."""
    assert isinstance(inbox, AcceptsUploads)
    assert isinstance(inbox, HasQuota)
    assert inbox.takes_files(())
    assert inbox.takes_files(("cd",))
    assert not inbox.takes_files(("rejected",))


def test_nothing_is_there_before_the_end(inbox: Inbox, orthanc: MemoryOrthanc, spool: Spool) -> None:
    """An unfinished upload is not visible, and an aborted one never becomes so."""
    with inbox.receive(("a.dcm",)) as upload:
        upload.write(CT[:20_000])
        assert names(inbox) == []
    assert (names(inbox), incoming(spool)) == ([], [])
    assert (orthanc.uploads, spool.used) == (0, 0)


@pytest.mark.parametrize(
    ("error", "path", "size"),
    [
        (Forbidden, (), 0),
        (Forbidden, ("rejected", "a"), 0),
        (BadName, ("a.",), 0),
        (ParentMissing, ("x", "a"), None),
        (IsAFolder, ("folder",), 0),
        (NoSpace, ("a",), (1 << 20) + 1),
    ],
)
def test_what_cannot_be_taken_is_told_before_the_body(
    inbox: Inbox, spool: Spool, error: type[PathError], path: Path, size: int | None
) -> None:
    """An impossible upload is refused before its body is sent."""
    inbox.make_folder(("folder",))
    with pytest.raises(error):
        inbox.receive(path, size)
    assert incoming(spool) == []


def test_without_uploads_nothing_is_taken(orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes) -> None:
    """With AllowUpload false, uploads are refused."""
    readonly = Inbox(orthanc, spool, lanes, Importer(orthanc), allow_upload=False)
    with pytest.raises(Forbidden):
        readonly.receive(("a",), 0)
    assert not readonly.takes_files(())


@pytest.mark.parametrize(
    ("error", "data"), [(Rejected, BROKEN), (Conflict, CHANGED), (Rejected, zipped({"1": CT, "2": BROKEN}))]
)
def test_what_is_refused_goes_to_rejected(inbox: Inbox, spool: Spool, error: type[PathError], data: bytes) -> None:
    """A refused upload is moved to rejected/ with the reason beside it, without writing it a second time."""
    inbox.write(("ct.dcm",), CT)
    with inbox.receive(("a.dcm",), len(data)) as upload:
        upload.write(data)
        (on_its_way,) = incoming(spool)
        inode = on_its_way.stat().st_ino
        with pytest.raises(error) as caught:
            upload.finish()
    assert caught.value.path == ("a.dcm",)
    assert names(inbox, ("rejected",)) == ["a.dcm", "a.dcm.txt"]
    assert content(inbox, ("rejected", "a.dcm")) == data
    assert (spool._disk.files / "rejected" / "a.dcm").stat().st_ino == inode
    assert incoming(spool) == []
    assert spool.used == sum(path.stat().st_size for path in (spool._disk.files / "rejected").iterdir())


def test_nothing_is_kept_where_nothing_could_be_imported(inbox: Inbox, orthanc: MemoryOrthanc, spool: Spool) -> None:
    """If Orthanc is down or the queue is busy, the upload fails and nothing is kept."""
    orthanc.failure = Unavailable("down")
    with pytest.raises(Unavailable):
        send(inbox, ("a.dcm",), CT)
    orthanc.failure = None
    orthanc.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        uploads = orthanc.uploads
        first = pool.submit(send, inbox, ("a.dcm",), CT)
        while orthanc.uploads == uploads:
            time.sleep(0.001)
        with pytest.raises(Busy):
            send(inbox, ("b.dcm",), MR)
        orthanc.gate.set()
        first.result(10)
    assert names(inbox) == ["a.dcm"]
    assert (incoming(spool), spool.used) == ([], 0)


def test_many_uploads_finish_at_once(inbox: Inbox, orthanc: MemoryOrthanc, spool: Spool) -> None:
    """Concurrent uploads succeed, with different names and with the same name."""
    files = [path.read_bytes() for path in (TEST_FILES / "dicomdirtests").rglob("IM0000*")][:12]
    texts = [bytes([number]) * 30_000 for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        sent = [pool.submit(send, inbox, (f"{number}.dcm",), data) for number, data in enumerate(files)]
        sent += [pool.submit(send, inbox, ("same",), data, sized=False) for data in texts]
        for each in sent:
            each.result(30)
    assert set(orthanc.files) == set(map(identify, files))
    assert len(names(inbox)) == 13
    assert content(inbox, ("same",)) in texts
    assert (incoming(spool), spool.used) == ([], 30_000)


class Map:
    """Counts the maps of files that are still held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held: list[weakref.ref[object]] = []
        genuine = mmap.mmap

        class Mapped(genuine):  # type: ignore[misc,valid-type]  # a class that can be referred to weakly
            pass

        def make(*arguments: int, **options: int) -> object:
            made = Mapped(*arguments, **options)
            self.held.append(weakref.ref(made))
            return made

        monkeypatch.setattr(mmap, "mmap", make)


@pytest.mark.parametrize("data", [CT, BROKEN, CHANGED, zipped({"1": CT}), zipped({"1": BROKEN}), b"text"])
def test_nothing_keeps_the_map_of_a_file(inbox: Inbox, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory map of an upload is released without the garbage collector, after a success and after an error."""
    inbox.write(("a",), CT)
    maps = Map(monkeypatch)
    gc.disable()
    try:
        with suppress(PathError):
            send(inbox, ("b",), data)
        deadline = time.monotonic() + 5
        while any(held() is not None for held in maps.held) and time.monotonic() < deadline:
            time.sleep(0.001)  # the worker may still be about to let go
        assert [held() for held in maps.held] == [None]
    finally:
        gc.enable()


def test_the_room_is_that_of_the_quota_or_of_the_disk(
    inbox: Inbox, orthanc: MemoryOrthanc, lanes: Lanes, tmp_path: DiskPath
) -> None:
    """The free space is the lesser of quota and disk; unfinished uploads count, and receipts do not."""
    inbox.write(("a",), bytes(1000))
    inbox.write(("a.dcm",), CT)
    assert (inbox.quota().used, inbox.quota().available) == (1000, (1 << 20) - 1000)
    with inbox.receive(("b",), 500) as upload:
        upload.write(bytes(500))
        assert (inbox.quota().used, inbox.quota().available) == (1500, (1 << 20) - 1500)
    endless = Inbox(orthanc, Spool(tmp_path / "x", maximum_size=0, maximum_age=0), lanes, Importer(orthanc))
    found = os.statvfs(tmp_path)
    available = endless.quota().available
    assert available is not None
    assert 0 < available <= found.f_blocks * found.f_frsize
    huge = Inbox(orthanc, Spool(tmp_path / "y", maximum_size=1 << 60, maximum_age=0), lanes, Importer(orthanc))
    assert (huge.quota().available or 0) <= found.f_blocks * found.f_frsize


START = """
import sys
from pathlib import Path
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.spool.spool import Spool
from tests.support.memory_orthanc import MemoryOrthanc

orthanc, lanes = MemoryOrthanc(), Lanes(workers=1)
spool = Spool(Path(sys.argv[1]), maximum_size=0, maximum_age=0)
inbox = Inbox(orthanc, spool, lanes, Importer(orthanc))
"""


def python(tmp_path: DiskPath, code: str) -> "subprocess.Popen[str]":
    """Start a process with an inbox of its own."""
    command = [sys.executable, "-c", START + code, str(tmp_path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=DiskPath(__file__).parents[2])


def test_a_large_file_goes_through_little_memory(tmp_path: DiskPath) -> None:
    """An upload of 300 MB needs the memory of the current block only."""
    code = """
from resource import RUSAGE_SELF, getrusage

block = bytes(1 << 20)
with inbox.receive(("warm",)) as upload:
    upload.write(block)
    upload.finish()
before = getrusage(RUSAGE_SELF).ru_maxrss
with inbox.receive(("large",)) as upload:
    for _ in range(300):
        upload.write(block)
    assert upload.finish().size == 300 << 20
inbox.move(("large",), ("moved",), replace=False)
inbox.copy(("moved",), ("copy",), replace=False)
print(getrusage(RUSAGE_SELF).ru_maxrss - before)
"""
    with python(tmp_path, code) as process:
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert int(out) < 16 << 10  # KB


@pytest.mark.parametrize("after", [5, 17, 40, 80])
def test_a_process_that_is_killed_loses_nothing_that_it_acknowledged(tmp_path: DiskPath, after: int) -> None:
    """After a kill, every acknowledged file exists at the next start, and no other file does."""
    code = """
import os
import time
from threading import Thread

def work(who):
    number = 0
    while True:
        number += 1
        name = f"{who}-{number}"
        data = name.encode() * 3000
        with inbox.receive((f"{name}.tmp",), len(data) if number % 2 else None) as upload:
            upload.write(data[:10])
            upload.write(data[10:])
            upload.finish()
        inbox.make_folder((name,))
        inbox.move((f"{name}.tmp",), (name,), replace=True)
        inbox.copy((name,), (f"{who}-last",), replace=True)
        os.write(1, name.encode() + bytes([10]))

for who in "ab":
    Thread(target=work, args=who, daemon=True).start()
time.sleep(60)
"""
    with python(tmp_path, code) as process:
        assert process.stdout
        acknowledged = [process.stdout.readline().strip() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().split("\n")[:-1]
    spool = Spool(tmp_path, maximum_size=0, maximum_age=0)
    for name in filter(None, acknowledged):
        with spool.open((name,)) as opened:
            assert b"".join(opened.buffers()) == name.encode() * 3000
    for who in {name[0] for name in acknowledged if name}:
        with spool.open((f"{who}-last",)) as opened:
            assert opened.entry.size
    assert incoming(spool) == list(spool.scratch.iterdir()) == []
    files = [path.stat() for path in (tmp_path / "files").iterdir() if path.is_file()]
    assert spool.used == sum({status.st_ino: status.st_size for status in files}.values())
