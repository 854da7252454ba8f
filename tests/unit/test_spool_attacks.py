"""Attacks by another process of this machine on the spool's folder: no link is followed, nothing hangs or ends."""

import os
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path as DiskPath

import pytest

from davfs.errors import NotFound, PathError
from davfs.spool.spool import Spool
from tests.support import spool as spools
from tests.support.spool import DAY, RECEIPT, Clock, content, names

# pytest finds fixtures by the names in a module.
clock, spool = spools.clock, spools.spool

SECRET = b"secret"
LEVELS = 1100


@pytest.fixture
def outside(tmp_path: DiskPath) -> DiskPath:
    """A folder beside the spool's, with a file."""
    folder = tmp_path / "outside"
    folder.mkdir(mode=0o755)
    (folder / "file").write_bytes(SECRET)
    return folder


@pytest.fixture
def root(tmp_path: DiskPath) -> DiskPath:
    """The spool's folder, without a spool."""
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


def started(root: DiskPath) -> Spool:
    """Start a spool."""
    return Spool(root, maximum_size=1000, maximum_age=DAY)


@pytest.mark.parametrize("name", ["files", "incoming", "scratch", "sent"])
def test_a_folder_that_is_a_link_is_refused(root: DiskPath, outside: DiskPath, name: str) -> None:
    """A spool folder that is a link is refused at the start; its target keeps its files and mode."""
    (root / name).symlink_to(outside)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        started(root)
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755
    assert (outside / "file").read_bytes() == SECRET


def test_a_key_that_is_no_file_is_made_anew(root: DiskPath, outside: DiskPath) -> None:
    """A pipe or link in place of the key is replaced by a new key, and never read."""
    (outside / "key").write_bytes(bytes(32))
    for make in (os.mkfifo, lambda key: key.symlink_to(outside / "key")):
        make(root / "tags.key")
        spool = started(root)
        spool.write(("a",), b"text")
        etag = spool.stat(("a",)).entry.etag
        spool.close()
        assert stat.S_ISREG((root / "tags.key").lstat().st_mode)
        again = started(root)
        assert again.stat(("a",)).entry.etag == etag
        again.close()
        (root / "tags.key").unlink()
    assert (outside / "key").read_bytes() == bytes(32)


def test_a_database_that_is_a_link_is_made_anew(root: DiskPath, outside: DiskPath) -> None:
    """A database that is a link is replaced, and the file that it leads to is unchanged."""
    with closing(sqlite3.connect(outside / "index")) as database, database:
        database.execute("create table property(a)")
        database.execute("insert into property values('kept')")
    before = (outside / "index").read_bytes()
    for suffix in ("", "-wal", "-shm"):
        (root / f"properties.sqlite{suffix}").symlink_to(outside / "index")
    spool = started(root)
    spool.write(("a",), b"text")
    spool.set_property(("a",), "{urn:x}n", b"value")
    assert spool.properties.get(("a",), "{urn:x}n") == b"value"
    spool.close()
    assert (outside / "index").read_bytes() == before
    assert sorted(path.name for path in outside.iterdir()) == ["file", "index"]


def test_a_database_that_is_a_pipe_is_made_anew(root: DiskPath) -> None:
    """A database that is a pipe is replaced, and the start does not hang."""
    os.mkfifo(root / "properties.sqlite")
    spool = started(root)
    spool.write(("a",), b"text")
    spool.set_property(("a",), "{urn:x}n", b"value")
    assert spool.properties.get(("a",), "{urn:x}n") == b"value"
    spool.close()


def test_strange_things_among_the_originals(spool: Spool, tmp_path: DiskPath) -> None:
    """Pipes and links among the originals are removed at the start, and a folder is ignored."""
    spool.write(("a",), b"text")
    status = (tmp_path / "files" / "a").stat()
    os.mkfifo(tmp_path / "sent" / "pipe")
    (tmp_path / "sent" / "folder").mkdir()
    (tmp_path / "sent" / f"{status.st_mtime_ns:x}-{status.st_ino:x}").symlink_to("/etc/passwd")
    (tmp_path / "sent" / ("f" * 200 + "-1")).symlink_to(RECEIPT.target)
    again = started(tmp_path)
    assert again.stat(("a",)).receipt is None
    assert [path.name for path in (tmp_path / "sent").iterdir()] == ["folder"]


def test_hard_links_are_files_that_are_never_changed(
    spool: Spool, clock: Clock, tmp_path: DiskPath, outside: DiskPath
) -> None:
    """A file with a hard link in the inbox keeps its content, whatever is done to the link."""
    link, file = tmp_path / "files" / "a", outside / "file"
    for act in (
        lambda: spool.write(("a",), b"new"),
        lambda: spool.put_receipt(("a",), RECEIPT),
        lambda: spool.delete(("a",)),
        lambda: spool.set_property(("a",), "{urn:x}n", b"value"),
        lambda: spool.copy(("a",), ("b",), replace=True),
        lambda: spool.move(("a",), ("b",), replace=True),
    ):
        link.unlink(missing_ok=True)
        link.hardlink_to(file)
        assert content(spool, ("a",)) == SECRET
        act()
        assert file.read_bytes() == SECRET
    with spool.receive(("b",)) as upload:
        upload.write(b"longer than the secret")
        upload.keep(("b",))
    link.unlink(missing_ok=True)
    link.hardlink_to(file)
    with spool.adopt(("a",)) as adopted, pytest.raises(OSError, match=r"not writable|not open for writing"):
        adopted.write(b"more")
    clock.ahead = 2 * DAY
    spool.expire()
    assert file.read_bytes() == SECRET
    assert file.stat().st_nlink == 1
    spool.close()


def test_pipes_links_and_sockets_are_replaced_and_not_copied(spool: Spool, tmp_path: DiskPath) -> None:
    """Pipes, links and sockets are replaced by uploads and renames to their name, and left out of copies."""
    spool.make_folder(("a",))
    spool.write(("a", "file"), b"text")
    folder = tmp_path / "files" / "a"
    for name in ("pipe", "other"):
        os.mkfifo(folder / name)
    (folder / "link").symlink_to("/etc/passwd")
    spool.copy(("a",), ("b",), replace=False)
    assert sorted(path.name for path in (tmp_path / "files" / "b").iterdir()) == ["file"]
    for name in ("pipe", "link"):
        assert content(spool, ("a", name)) == b"x" if spool.write(("a", name), b"x") else False
    spool.move(("a", "file"), ("a", "other"), replace=False)
    assert names(spool, ("a",)) == ["link", "other", "pipe"]
    for act in (spool.adopt, lambda path: content(spool, path)):
        os.mkfifo(folder / "new")
        with pytest.raises(NotFound):
            act(("a", "new"))
        (folder / "new").unlink()
    spool.delete(("a",))
    assert spool._quota._names == 2


def test_folders_that_are_nested_without_end(spool: Spool, tmp_path: DiskPath) -> None:
    """Folders nested very deeply stop neither the start nor the sweeper; deleting them is refused."""
    spool.make_folder(("a",))
    try:
        folder = os.open(tmp_path / "files" / "a", os.O_RDONLY)
        for _ in range(LEVELS):
            os.mkdir("d", dir_fd=folder)
            inner = os.open("d", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        os.close(folder)
        again = started(tmp_path)
        again.expire()
        with pytest.raises(PathError):
            again.delete(("a",))
        assert names(again) == ["a"]
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "files" / "a"], check=True)  # pathlib and shutil cannot


def test_a_file_that_becomes_a_pipe_while_it_is_opened(
    spool: Spool, tmp_path: DiskPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader of a file that becomes a pipe while it is opened does not hang."""
    spool.write(("a",), b"text")
    genuine = Spool.find

    def find(self: Spool, parent: int, path: tuple[str, ...]) -> object:
        found = genuine(self, parent, path)
        (tmp_path / "files" / "a").unlink()
        os.mkfifo(tmp_path / "files" / "a")
        return found

    monkeypatch.setattr(Spool, "find", find)
    with pytest.raises(NotFound):
        spool.open(("a",))
