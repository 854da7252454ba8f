"""Tests of permissions on the disk, and of foreign files in the spool's folder."""

import os
import shutil
import stat
from pathlib import Path as DiskPath

import pytest

from davfs.errors import Busy, NotFound, ParentMissing
from davfs.spool.spool import Spool
from tests.support import spool as spools
from tests.support.spool import RECEIPT, content, names

# pytest finds fixtures by the names in a module.
clock, spool = spools.clock, spools.spool


def test_only_the_owner_can_read_the_disk(spool: Spool, tmp_path: DiskPath) -> None:
    """Folders have mode 0700, files 0600."""
    spool.make_folder(("a",))
    spool.write(("a", "b"), b"1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    folders = dict.fromkeys(("files", "incoming", "scratch", "sent", "a"), 0o700)
    assert modes == {**folders, "b": 0o600, "tags.key": 0o600}


def test_the_folder_around_the_spool_stays_as_it_was(tmp_path: DiskPath) -> None:
    """An existing folder around the spool keeps its mode, since others may use it."""
    tmp_path.chmod(0o755)
    Spool(tmp_path, maximum_size=0, maximum_age=0)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    Spool(tmp_path / "a" / "new", maximum_size=0, maximum_age=0)
    assert stat.S_IMODE((tmp_path / "a" / "new").stat().st_mode) == 0o700


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
    """Links that are no receipts are neither shown nor followed, and do not block their name."""
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
    """Links to folders are never followed, neither by reading and writing nor by deleting and expiring."""
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


@pytest.mark.parametrize("removed", ["files", "incoming", "scratch", "."])
def test_a_folder_that_was_removed_is_made_again(
    spool: Spool, tmp_path: DiskPath, removed: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The next request creates a removed spool folder again, with one line in the log."""
    spool.write(("a",), b"12345")
    shutil.rmtree(tmp_path / removed)
    assert names(spool) == ([] if removed in {"files", "."} else ["a"])
    assert spool.available > 0
    with spool.receive(("b",)) as incoming:
        incoming.write(b"123")
        incoming.keep(("b",))
    spool.write(("c",), b"1")
    spool.copy(("b",), ("d",), replace=False)
    spool.make_folder(("folder",))
    spool.move(("folder",), ("d",), replace=True)
    assert content(spool, ("b",)) == b"123"
    assert spool.used == (4 if removed in {"files", "."} else 9)
    assert [record.getMessage() for record in caplog.records] == [
        "a folder of the spool was removed by another program, and is created again"
    ]


def test_a_folder_takes_a_file_s_place_although_scratch_was_removed(spool: Spool, tmp_path: DiskPath) -> None:
    """A folder can replace a file although the folder scratch/ was removed meanwhile."""
    spool.make_folder(("folder",))
    spool.write(("a",), b"1")
    shutil.rmtree(tmp_path / "scratch")
    spool.move(("folder",), ("a",), replace=True)
    assert names(spool) == ["a"]
    assert spool.stat(("a",)).entry.is_folder
    assert spool.used == 0


@pytest.mark.parametrize("removed", ["files", "incoming"])
def test_an_upload_that_loses_its_folder_can_be_tried_again(spool: Spool, tmp_path: DiskPath, removed: str) -> None:
    """An upload whose folder was removed meanwhile ends with an error that allows a retry."""
    spool.make_folder(("a",))
    with spool.receive(("a", "b")) as incoming:
        incoming.write(b"123")
        shutil.rmtree(tmp_path / removed)
        with pytest.raises((Busy, ParentMissing)):
            incoming.keep(("a", "b"))
    assert spool.used == 0
