"""The inbox's folder on disk."""

import math
import os
import random
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path as DiskPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.entry import Kind, Path
from davfs.errors import (
    AlreadyExists,
    BadName,
    Busy,
    IsAFolder,
    NoSpace,
    NotAFolder,
    NotFound,
    ParentMissing,
    PathError,
)
from davfs.imports import spool as module
from davfs.imports.items import Receipt, is_name
from davfs.imports.spool import Spool
from davfs.imports.sweeper import Sweeper
from davfs.orthanc import OrthancId

RECEIPT = Receipt(OrthancId("01234567-89abcdef-01234567-89abcdef-01234567"), 39206)
DAY = 86400.0


class Clock:
    """The real time, and what was added to it."""

    ahead = 0.0

    def __call__(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    """A clock that can be put forward."""
    return Clock()


@pytest.fixture
def spool(tmp_path: DiskPath, clock: Clock) -> Spool:
    """A spool of 1000 bytes and one day."""
    return Spool(tmp_path, maximum_size=1000, maximum_age=DAY, now=clock)


def names(spool: Spool, path: Path = ()) -> list[str]:
    """List a folder."""
    return [item.entry.name for item in spool.list(path)]


def content(spool: Spool, path: Path, start: int = 0, stop: int | None = None) -> bytes:
    """Read a file."""
    with spool.open(path) as opened:
        return b"".join(opened.buffers(start, stop))


def test_a_file_is_kept_as_it_was_written(spool: Spool) -> None:
    """Bytes, size, date and type come back; another content has another ETag."""
    before = time.time()
    written = spool.write(("a.txt",), memoryview(b"hello")).entry
    assert spool.stat(("a.txt",)).entry == written
    assert spool.list(())[0].entry == written
    assert (written.name, written.kind, written.size, written.media_type) == ("a.txt", Kind.FILE, 5, "text/plain")
    assert before - 1 <= written.modified.timestamp() <= time.time() + 1
    assert written.modified.tzinfo is not None
    assert content(spool, ("a.txt",)) == b"hello"
    again = spool.write(("a.txt",), b"HELLO").entry
    assert again.etag != written.etag
    assert content(spool, ("a.txt",)) == b"HELLO"


def test_a_file_is_read_by_range_and_in_blocks(tmp_path: DiskPath) -> None:
    """Large files come in several buffers; ranges may reach beyond the end."""
    spool = Spool(tmp_path, maximum_size=0, maximum_age=DAY)
    data = os.urandom((2 << 20) + 17)
    spool.write(("a",), data)
    with spool.open(("a",)) as opened:
        assert len(list(opened.buffers())) == 3
        assert opened.entry.size == len(data)
    assert content(spool, ("a",)) == data
    assert content(spool, ("a",), 5, 9) == data[5:9]
    assert content(spool, ("a",), len(data) - 3, len(data) + 100) == data[-3:]


def test_an_open_file_outlives_its_name(spool: Spool) -> None:
    """A reader keeps what it opened; a file that is closed cannot be read by mistake."""
    spool.write(("a",), b"old")
    with spool.open(("a",)) as opened:
        spool.write(("a",), b"newer")
        assert b"".join(opened.buffers()) == b"old"
        spool.delete(("a",))
        assert b"".join(opened.buffers()) == b"old"
    with pytest.raises(ValueError, match="closed"):
        list(opened.buffers())


def test_media_types_go_by_the_name(spool: Spool) -> None:
    """What is not known, or is packed, is a stream of bytes."""
    types = {name: spool.write((name,), b"").entry.media_type for name in ("a.pdf", "a", "a.tar.gz", "a.zip")}
    assert types["a.pdf"] == "application/pdf"
    assert types["a.zip"] == "application/zip"
    assert types["a"] == types["a.tar.gz"] == "application/octet-stream"


def test_folders_can_be_made_filled_and_removed(spool: Spool) -> None:
    """They nest, and go with all that is in them."""
    spool.make_folder(("a",))
    spool.make_folder(("a", "b"))
    spool.write(("a", "b", "c"), b"1")
    spool.put_receipt(("a", "d"), RECEIPT)
    assert names(spool, ("a",)) == ["b", "d"]
    assert spool.stat(("a", "b")).entry.is_folder
    spool.delete(("a",))
    assert names(spool) == []


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (NotFound, lambda spool: spool.stat(("x",))),
        (NotFound, lambda spool: spool.stat(("file", "x"))),
        (NotFound, lambda spool: spool.list(("x",))),
        (NotFound, lambda spool: content(spool, ("x",))),
        (NotFound, lambda spool: spool.delete(("x",))),
        (NotFound, lambda spool: spool.delete(("file", "x"))),
        (NotFound, lambda spool: content(spool, ("receipt",))),
        (NotAFolder, lambda spool: spool.list(("file",))),
        (NotAFolder, lambda spool: spool.list(("receipt",))),
        (IsAFolder, lambda spool: content(spool, ("folder",))),
        (IsAFolder, lambda spool: spool.write(("folder",), b"")),
        (IsAFolder, lambda spool: spool.put_receipt(("folder",), RECEIPT)),
        (ParentMissing, lambda spool: spool.write(("x", "y"), b"")),
        (ParentMissing, lambda spool: spool.write(("file", "y"), b"")),
        (ParentMissing, lambda spool: spool.put_receipt(("receipt", "y"), RECEIPT)),
        (ParentMissing, lambda spool: spool.make_folder(("x", "y"))),
        (ParentMissing, lambda spool: spool.make_folder(("file", "y"))),
        (AlreadyExists, lambda spool: spool.make_folder(("folder",))),
        (AlreadyExists, lambda spool: spool.make_folder(("file",))),
        (AlreadyExists, lambda spool: spool.make_folder(("receipt",))),
        (AlreadyExists, lambda spool: spool.write(("file",), b"", replace=False)),
        (AlreadyExists, lambda spool: spool.write(("receipt",), b"", replace=False)),
        (BadName, lambda spool: spool.write(("..", "y"), b"")),
        (BadName, lambda spool: spool.make_folder(("a/b",))),
        (BadName, lambda spool: spool.put_receipt(("folder", "x."), RECEIPT)),
        (BadName, lambda spool: spool.make_folder(("a",) * 65)),
    ],
)
def test_what_cannot_be_done_is_an_error(spool: Spool, error: type[PathError], act: Callable[[Spool], object]) -> None:
    """Each error has its class, carries the path, and changes nothing."""
    spool.make_folder(("folder",))
    spool.write(("file",), b"1")
    spool.put_receipt(("receipt",), RECEIPT)
    before = [spool.stat((name,)) for name in names(spool)]
    with pytest.raises(error) as caught:
        act(spool)
    assert type(caught.value) is error
    assert caught.value.path
    assert spool.list(()) == before
    assert list(spool._disk._incoming.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a\0",
        "a\n",
        "a\x7f",
        "a\x85",
        "\ud800",
        "a\ufffe",
        "\uffff",
        "x" * 256,
        "a.",
        "é" * 128,
        "e\N{COMBINING ACUTE ACCENT}",
        "...",
        "/etc",
    ],
)
def test_names_that_cannot_be_kept_or_shown_are_refused(spool: Spool, name: str) -> None:
    """Writing them is a bad name, reading them finds nothing."""
    assert not is_name(name)
    with pytest.raises(BadName):
        spool.write((name,), b"")
    with pytest.raises(BadName):
        spool.make_folder((name, "b"))
    for read in (spool.stat, spool.list, spool.delete, lambda path: content(spool, path)):
        with pytest.raises(NotFound):
            read((name,))


@pytest.mark.parametrize(
    "name", ["a", ".a", "..a", "x" * 255, "é" * 127, " a", "a ", "山", "\N{GRINNING FACE}", "a:b", "~"]
)
def test_unusual_names_are_kept(spool: Spool, name: str) -> None:
    """Everything else can be written, listed and read."""
    spool.write((name,), b"1")
    assert names(spool) == [name]
    assert content(spool, (name,)) == b"1"


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_a_name_is_fit_for_the_disk_or_refused(name: str) -> None:
    """No text makes the check itself fail, or lets a separator through."""
    assert not (
        is_name(name) and (name in ("", ".", "..") or set(name) & set("/\\\0\n") or len(os.fsencode(name)) > 255)
    )


def test_the_deepest_path_is_bounded(spool: Spool) -> None:
    """64 levels can be made, and emptied again."""
    for depth in range(1, 65):
        spool.make_folder(("d",) * depth)
    with pytest.raises(BadName):
        spool.write(("d",) * 65, b"")
    spool.delete(("d",))


def test_only_the_owner_can_read_the_disk(spool: Spool, tmp_path: DiskPath) -> None:
    """Folders are 0700, files 0600."""
    spool.make_folder(("a",))
    spool.write(("a", "b"), b"1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"files": 0o700, "incoming": 0o700, "scratch": 0o700, "a": 0o700, "b": 0o600}


def test_the_folder_around_the_spool_stays_as_it_was(tmp_path: DiskPath) -> None:
    """An administrator may have named one that others use as well."""
    tmp_path.chmod(0o755)
    Spool(tmp_path, maximum_size=0, maximum_age=0)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    Spool(tmp_path / "a" / "new", maximum_size=0, maximum_age=0)
    assert stat.S_IMODE((tmp_path / "a" / "new").stat().st_mode) == 0o700


def test_a_receipt_stands_for_a_file(spool: Spool, tmp_path: DiskPath) -> None:
    """It has the name, size and date of one, and replaces one, and is replaced by one."""
    spool.write(("a.dcm",), b"")
    item = spool.put_receipt(("a.dcm",), RECEIPT)
    assert spool.stat(("a.dcm",)) == spool.list(())[0] == item
    assert item.receipt == RECEIPT
    assert (item.entry.size, item.entry.media_type) == (39206, "application/dicom")
    assert RECEIPT.instance in item.entry.etag
    assert item.entry.resource == RECEIPT.instance
    assert (tmp_path / "files" / "a.dcm").is_symlink()
    assert spool.put_receipt(("a.dcm",), RECEIPT).entry.etag != item.entry.etag
    spool.write(("a.dcm",), b"file")
    assert spool.stat(("a.dcm",)).receipt is None
    spool.put_receipt(("a.dcm",), RECEIPT)
    spool.delete(("a.dcm",))
    assert names(spool) == []


@pytest.mark.parametrize(
    "target",
    [
        "/etc/passwd",
        "orthanc-instance:x?size=1",
        f"orthanc-instance:{RECEIPT.instance}",
        f"orthanc-instance:{RECEIPT.instance}?size=-1",
        f"orthanc-instance:{RECEIPT.instance}?size=01",
        f"orthanc-instance:{RECEIPT.instance}?size=1\n",
        f"orthanc-instance:{RECEIPT.instance}?size=1²",
        f"orthanc-instance:{RECEIPT.instance.upper()}?size=1",
        f"x/orthanc-instance:{RECEIPT.instance}?size=1",
    ],
)
def test_links_that_are_no_receipts_are_not_there(spool: Spool, tmp_path: DiskPath, target: str) -> None:
    """They are neither shown nor followed, and do not block their name."""
    link = tmp_path / "files" / "a"
    link.symlink_to(target)
    assert names(spool) == []
    for act in (spool.stat, spool.delete, spool.list, lambda path: content(spool, path)):
        with pytest.raises(NotFound):
            act(("a",))
    spool.make_folder(("a",))
    spool.delete(("a",))
    link.symlink_to(target)
    spool.write(("a",), b"mine")
    assert content(spool, ("a",)) == b"mine"


def test_links_to_folders_are_never_followed(spool: Spool, tmp_path: DiskPath) -> None:
    """Neither reading, writing, deleting nor expiring leaves the spool."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    spool.make_folder(("a",))
    (tmp_path / "files" / "link").symlink_to(outside)
    (tmp_path / "files" / "a" / "link").symlink_to(outside)
    assert names(spool) == ["a"]
    for path in (("link",), ("link", "secret"), ("a", "link", "secret")):
        with pytest.raises(NotFound):
            spool.stat(path)
        with pytest.raises(NotFound):
            content(spool, path)
        with pytest.raises(NotFound):
            spool.delete(path)
    with pytest.raises(ParentMissing):
        spool.write(("link", "mine"), b"")
    with pytest.raises(ParentMissing):
        spool.make_folder(("a", "link", "mine"))
    spool.delete(("a",))
    os.utime(tmp_path / "files" / "link", (0, 0), follow_symlinks=False)
    assert spool.expire() == 1
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_other_things_on_the_disk_are_not_shown(spool: Spool, tmp_path: DiskPath) -> None:
    """A pipe does not hang a reader; names that no client could ask for are left out, and go with their folder."""
    spool.make_folder(("a",))
    os.mkfifo(tmp_path / "files" / "a" / "pipe")
    (tmp_path / "files" / "a" / "dot.").write_bytes(b"")
    (tmp_path / "files" / "a" / os.fsdecode(b"\xff")).write_bytes(b"")
    assert names(spool, ("a",)) == []
    with pytest.raises(NotFound):
        content(spool, ("a", "pipe"))
    spool.delete(("a",))


def test_the_quota_is_checked_before_anything_is_written(spool: Spool) -> None:
    """What does not fit leaves no trace; what replaces a file needs only the difference."""
    spool.write(("a",), bytes(600))
    for size in (401, 5000):
        with pytest.raises(NoSpace):
            spool.write(("b",), bytes(size))
        with pytest.raises(NoSpace):
            spool.check_write(("b",), size)
    assert names(spool) == ["a"]
    spool.write(("b",), bytes(400))
    spool.write(("a",), bytes(600))
    spool.write(("empty",), b"")
    with pytest.raises(NoSpace):
        spool.write(("a",), bytes(601))
    assert spool.stat(("a",)).entry.size == 600


def test_receipts_need_no_space(spool: Spool) -> None:
    """They free the place of the file that they replace."""
    spool.write(("a",), bytes(1000))
    spool.put_receipt(("a",), RECEIPT)
    spool.write(("b",), bytes(1000))
    spool.put_receipt(("c",), RECEIPT)


def test_deleting_and_expiring_free_space(spool: Spool, clock: Clock) -> None:
    """Files, folders and what has expired count no more."""
    spool.make_folder(("d",))
    for _ in range(2):
        spool.write(("a",), bytes(500))
        spool.write(("d", "b"), bytes(500))
        spool.delete(("a",))
        spool.delete(("d", "b"))
    spool.write(("d", "b"), bytes(1000))
    spool.delete(("d",))
    spool.write(("c",), bytes(1000))
    clock.ahead = 2 * DAY
    spool.expire()
    assert spool._quota._used == 0


def test_a_new_start_counts_what_is_there(spool: Spool, tmp_path: DiskPath) -> None:
    """And drops what was being written; foreign things count nothing."""
    spool.make_folder(("d",))
    spool.write(("d", "a"), bytes(900))
    spool.put_receipt(("r",), RECEIPT)
    (tmp_path / "incoming" / "half").write_bytes(bytes(500))
    (tmp_path / "incoming" / "link").symlink_to(tmp_path / "files")
    (spool.scratch / "member").write_bytes(bytes(500))
    again = Spool(tmp_path, maximum_size=1000, maximum_age=DAY)
    assert list((tmp_path / "incoming").iterdir()) == list(again.scratch.iterdir()) == []
    assert again._quota._used == 900
    with pytest.raises(NoSpace):
        again.write(("b",), bytes(101))
    assert names(again) == ["d", "r"]


@pytest.mark.parametrize("maximum_age", [0, math.inf, 10**400])
def test_no_limit_is_no_limit(tmp_path: DiskPath, maximum_age: float) -> None:
    """A maximum of 0 bytes lets everything in, one of 0 or of very many seconds lets nothing out."""
    spool = Spool(tmp_path, maximum_size=0, maximum_age=maximum_age)
    spool.write(("a",), bytes(100_000))
    os.utime(tmp_path / "files" / "a", (0, 0))
    assert spool.expire() == 0
    assert names(spool) == ["a"]


def test_what_has_expired_is_gone_before_it_is_removed(spool: Spool, clock: Clock) -> None:
    """It is not listed, not read, and does not block its name; folders stay until they are removed."""
    spool.make_folder(("d",))
    for name in ("a", "b", "c"):
        spool.write((name,), b"1")
    spool.put_receipt(("r",), RECEIPT)
    clock.ahead = 2 * DAY
    assert names(spool) == ["d"]
    for path in (("a",), ("r",)):
        with pytest.raises(NotFound):
            spool.stat(path)
    with pytest.raises(NotFound):
        spool.delete(("a",))
    spool.make_folder(("a",))
    spool.make_folder(("r",))
    assert names(spool) == ["a", "d", "r"]


def test_expiry_removes_what_is_old(spool: Spool, clock: Clock, tmp_path: DiskPath) -> None:
    """Files, receipts and folders that became empty; never the root, nor what is young."""
    spool.make_folder(("d",))
    spool.make_folder(("d", "e"))
    spool.write(("d", "e", "a"), b"1")
    spool.put_receipt(("d", "r"), RECEIPT)
    spool.make_folder(("k",))
    assert spool.expire() == 0
    clock.ahead = 2 * DAY
    spool.write(("k", "young"), b"1")
    later = time.time() + 2 * DAY
    os.utime(tmp_path / "files" / "k" / "young", (later, later))
    assert spool.expire() == 4
    assert names(spool) == ["k"]
    assert names(spool, ("k",)) == ["young"]
    spool.delete(("k",))
    assert spool.expire() == 0
    assert (tmp_path / "files").is_dir()


def test_an_expired_file_does_not_block_its_name(spool: Spool, clock: Clock) -> None:
    """Not even where nothing may be replaced."""
    spool.write(("a",), b"old")
    clock.ahead = 2 * DAY
    assert spool.write(("a",), b"new", replace=False).entry.size == 3
    clock.ahead = 0
    assert content(spool, ("a",)) == b"new"


@pytest.mark.parametrize(
    ("maximum_age", "pause"), [(1, 1), (3600, 36), (7 * DAY, 600), (math.inf, 600), (10**400, 600)]
)
def test_the_sweeper_sweeps_as_often_as_is_needed(spool: Spool, maximum_age: float, pause: float) -> None:
    """A hundred times in the life of a file, at most once a second, at least every ten minutes; and it stops."""
    sweeper = Sweeper(spool, maximum_age)
    assert sweeper._pause == pause
    sweeper.start()
    assert sweeper._thread.is_alive()
    assert sweeper.stop(10)


def test_the_sweeper_removes_what_has_expired(spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on after an error of the disk."""
    spool.write(("a",), b"1")
    clock.ahead = 2 * DAY
    calls: list[str] = []
    genuine = Spool.expire

    def expire(self: Spool) -> int:
        calls.append("sweep")
        if len(calls) == 1:
            raise OSError(5, "Input/output error")
        return genuine(self)

    monkeypatch.setattr(Spool, "expire", expire)
    sweeper = Sweeper(spool, DAY)
    sweeper._pause = 0.001
    sweeper.start()
    deadline = time.monotonic() + 10
    while spool._quota._used and time.monotonic() < deadline:
        time.sleep(0.001)
    assert sweeper.stop(10)
    assert spool._quota._used == 0


def test_nothing_is_swept_where_nothing_expires(spool: Spool) -> None:
    """No thread is started, and stopping is no error."""
    sweeper = Sweeper(spool, 0)
    sweeper.start()
    assert not sweeper._thread.is_alive()
    assert sweeper.stop(0)


def test_an_old_decision_does_not_remove_a_new_file(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the removal somebody wrote a file, which stays."""
    spool.put_receipt(("a",), RECEIPT)

    def read_receipt(*_: object) -> Receipt:
        spool.write(("a",), b"new")
        return RECEIPT

    monkeypatch.setattr(module, "read_receipt", read_receipt)
    spool.drop_receipt(("a",), RECEIPT)
    assert content(spool, ("a",)) == b"new"
    assert spool._quota._used == 3
    assert list(spool._disk._incoming.iterdir()) == []


def test_an_old_decision_does_not_remove_a_folder(spool: Spool, tmp_path: DiskPath) -> None:
    """What was a receipt when it was looked at may be a folder with files now."""
    spool.put_receipt(("a",), RECEIPT)
    status = (tmp_path / "files" / "a").lstat()
    spool.delete(("a",))
    spool.make_folder(("a",))
    spool.write(("a", "b"), b"new")
    with spool._disk.parent(("a",), NotFound) as parent:
        assert not spool._disk.remove(parent, ("a",), status)
    assert content(spool, ("a", "b")) == b"new"
    assert list(spool._disk._incoming.iterdir()) == []


def test_a_receipt_is_dropped_only_if_it_still_is_the_same(spool: Spool) -> None:
    """Another receipt, a file, and nothing at all are left alone."""
    spool.put_receipt(("a",), RECEIPT)
    spool.drop_receipt(("a",), Receipt(RECEIPT.instance, 1))
    assert names(spool) == ["a"]
    spool.drop_receipt(("a",), RECEIPT)
    spool.drop_receipt(("a",), RECEIPT)
    assert names(spool) == []
    spool.write(("a",), b"1")
    spool.drop_receipt(("a",), RECEIPT)
    assert names(spool) == ["a"]


def test_a_failed_write_leaves_the_old_file(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no space, and what was there stays."""
    spool.write(("a",), b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoSpace, match="disk"):
        spool.write(("a",), b"newer")
    assert content(spool, ("a",)) == b"old"
    assert list(spool._disk._incoming.iterdir()) == []
    assert spool._quota._used == 3


def test_a_folder_that_is_filled_meanwhile_is_busy(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting ends, whatever others do."""
    spool.make_folder(("a",))
    spool.write(("a", "b"), b"1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", lambda *_, **__: None)
        with pytest.raises(Busy):
            spool.delete(("a",))


def test_readers_never_see_half_a_file(tmp_path: DiskPath) -> None:
    """While two writers replace it, every read is one of the two contents, and the count stays right."""
    spool = Spool(tmp_path, maximum_size=0, maximum_age=DAY)
    contents = (b"a" * 10_000, b"b" * 20_000)
    spool.write(("x",), contents[0])
    done = threading.Event()

    def read() -> set[bytes]:
        seen = set()
        while not done.is_set():
            seen.add(content(spool, ("x",)))
        return seen

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        writers = [pool.submit(lambda data: [spool.write(("x",), data) for _ in range(50)], data) for data in contents]
        for writer in writers:
            writer.result(30)
        done.set()
        assert {data for reader in readers for data in reader.result(30)} <= set(contents)
    spool.delete(("x",))
    assert spool._quota._used == 0


def test_many_threads_leave_the_count_and_the_disk_right(tmp_path: DiskPath) -> None:
    """Whatever they do to the same names, only errors of this package come out."""
    spool = Spool(tmp_path, maximum_size=0, maximum_age=DAY)
    acts: list[Callable[[Path], object]] = [
        lambda path: spool.write(path, bytes(len(path) * 7)),
        lambda path: spool.write(path, b"new", replace=False),
        lambda path: spool.put_receipt(path, RECEIPT),
        lambda path: spool.drop_receipt(path, RECEIPT),
        spool.make_folder,
        spool.delete,
        spool.stat,
        spool.list,
        lambda path: content(spool, path),
    ]

    def work(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  a reproducible mixture, no secret
        for _ in range(300):
            with suppress(PathError):
                chance.choice(acts)(chance.choice([("a",), ("d",), ("d", "a"), ("d", "d"), ()]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    spool.expire()
    files = [path.lstat() for path in (tmp_path / "files").rglob("*")]
    assert spool._quota._used == sum(status.st_size for status in files if stat.S_ISREG(status.st_mode))
    assert list(spool._disk._incoming.iterdir()) == []


def test_the_root_is_a_folder_that_stays(spool: Spool) -> None:
    """It can be looked at, but is neither written nor removed."""
    assert spool.stat(()).entry.is_folder
    with pytest.raises(PathError):
        spool.delete(())
    with pytest.raises(PathError):
        spool.write((), b"")
    with pytest.raises(PathError):
        spool.make_folder(())
    assert names(spool) == []
