"""Tests of files, folders and receipts in the spool."""

import os
import time
from collections.abc import Callable
from pathlib import Path as DiskPath

import pytest

from davfs.entry import EntryKind
from davfs.errors import AlreadyExists, BadName, IsAFolder, NotAFolder, NotFound, ParentMissing, PathError
from davfs.spool.spool import Spool
from tests.support import spool as spools
from tests.support.spool import DAY, RECEIPT, content, incoming, names

# pytest finds fixtures by the names in a module.
clock, spool = spools.clock, spools.spool


def test_a_file_is_kept_as_it_was_written(spool: Spool) -> None:
    """Bytes, size, date and type come back; another content has another ETag."""
    before = time.time()
    written = spool.write(("a.txt",), memoryview(b"hello")).entry
    assert spool.stat(("a.txt",)).entry == written
    assert spool.list(())[0].entry == written
    assert (written.name, written.kind, written.size, written.media_type) == ("a.txt", EntryKind.FILE, 5, "text/plain")
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
    """Unknown, packed and active content is application/octet-stream."""
    names = ("a.pdf", "a.zip", "A.TXT", "a", "a.tar.gz", "a.html", "a.svg", "a.js", ".html")
    types = [spool.write((name,), b"").entry.media_type for name in names]
    assert types == ["application/pdf", "application/zip", "text/plain"] + ["application/octet-stream"] * 6


def test_folders_can_be_made_filled_and_removed(spool: Spool) -> None:
    """Folders can be nested, and are deleted together with their content."""
    spool.make_folder(("a",))
    spool.make_folder(("a", "b"))
    spool.write(("a", "b", "c"), b"1")
    spool.put_receipt(("a", "d"), RECEIPT)
    assert names(spool, ("a",)) == ["b", "d"]
    assert spool.stat(("a", "b")).entry.is_folder
    spool.delete(("a",))
    assert names(spool) == []


def test_the_root_is_a_folder_that_stays(spool: Spool) -> None:
    """The root can be read, but not written or removed."""
    assert spool.stat(()).entry.is_folder
    with pytest.raises(PathError):
        spool.delete(())
    with pytest.raises(PathError):
        spool.write((), b"")
    with pytest.raises(PathError):
        spool.make_folder(())
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
    assert incoming(spool) == []


def test_a_receipt_stands_for_a_file(spool: Spool, tmp_path: DiskPath) -> None:
    """A receipt has the name, size and date of its file, and files and receipts replace each other."""
    spool.write(("a.dcm",), b"")
    item = spool.put_receipt(("a.dcm",), RECEIPT)
    assert spool.stat(("a.dcm",)) == spool.list(())[0] == item
    assert item.receipt == RECEIPT
    assert (item.entry.size, item.entry.media_type) == (39206, "application/dicom")
    assert item.entry.resource == RECEIPT.instance
    assert (tmp_path / "files" / "a.dcm").is_symlink()
    assert spool.put_receipt(("a.dcm",), RECEIPT).entry.etag != item.entry.etag
    spool.write(("a.dcm",), b"file")
    assert spool.stat(("a.dcm",)).receipt is None
    spool.put_receipt(("a.dcm",), RECEIPT)
    spool.delete(("a.dcm",))
    assert names(spool) == []
