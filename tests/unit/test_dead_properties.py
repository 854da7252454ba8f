"""Tests of dead properties: limited, counted, and moved and removed with their files."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path as DiskPath

import pytest

from davfs.entry import Path
from davfs.errors import NoSpace, NotFound
from davfs.spool import dead_properties
from davfs.spool.dead_properties import DeadProperties
from davfs.spool.spool import Spool
from tests.support.spool import DAY, RECEIPT, Clock

NAME = "{urn:x}colour"
VALUE = b'<x:colour xmlns:x="urn:x">blue</x:colour>'
FILE = "properties.sqlite"
A, B = ("a",), ("b",)


@pytest.fixture
def clock() -> Clock:
    """A clock that can be put forward."""
    return Clock()


@pytest.fixture
def spool(tmp_path: DiskPath, clock: Clock) -> Iterator[Spool]:
    """A spool with a file that has a property."""
    made = Spool(tmp_path, maximum_size=1 << 20, maximum_age=DAY, now=clock)
    made.write(A, b"content")
    made.set_property(A, NAME, VALUE)
    yield made
    made.close()


def kept(spool: Spool) -> dict[Path, dict[str, bytes]]:
    """Return all rows of the database."""
    with sqlite3.connect(spool._disk.files.parent / FILE) as database:
        rows = database.execute("select path, name, value from dead_property").fetchall()
    database.close()
    found: dict[Path, dict[str, bytes]] = {}
    for path, name, value in rows:
        found.setdefault(tuple(path.split("/")) if path else (), {})[name] = value
    return found


def test_set_and_dropped(spool: Spool) -> None:
    """A property is what it was set to last, of files, receipts, folders and the inbox itself."""
    spool.put_receipt(("receipt",), RECEIPT)
    spool.make_folder(("folder",))
    for path in (A, ("receipt",), ("folder",), ()):
        spool.set_property(path, NAME, b"<old/>")
        spool.set_property(path, NAME, VALUE)
        assert (spool.properties.names(path), spool.properties.get(path, NAME)) == ([NAME], VALUE)
        spool.properties.drop(path, NAME)
        spool.properties.drop(path, NAME)
        assert spool.properties.get(path, NAME) is None
    assert (spool.properties.size, spool.used) == (0, len(b"content"))


@pytest.mark.parametrize("path", [B, ("a", "b"), ("no", "folder"), ("a\0",), ("..",)])
def test_nothing_there(spool: Spool, path: Path) -> None:
    """A path without a file has no properties."""
    with pytest.raises(NotFound):
        spool.set_property(path, NAME, VALUE)
    assert set(kept(spool)) == {A}


def test_gone_with_the_file(spool: Spool) -> None:
    """The properties of a deleted file are gone, also for the next file of that name."""
    spool.delete(A)
    assert kept(spool) == {}
    spool.write(A, b"new")
    assert spool.properties.names(A) == []


def test_gone_with_the_folder(spool: Spool) -> None:
    """The properties of everything below a deleted folder are gone, those of its neighbours are kept."""
    for path in (("f",), ("f", "g")):
        spool.make_folder(path)
    files: list[Path] = [("f", "x"), ("f", "g", "y"), ("f0",), ("f.x",), ("F",)]
    for file in files:
        spool.write(file, b"")
    for each in [("f",), ("f", "g"), *files]:
        spool.set_property(each, NAME, VALUE)
    spool.delete(("f",))
    assert set(kept(spool)) == {A, ("f0",), ("f.x",), ("F",)}


def test_gone_with_age(spool: Spool, clock: Clock) -> None:
    """Properties of expired files are removed, whether the file was swept or replaced."""
    spool.write(B, b"")
    spool.set_property(B, NAME, VALUE)
    clock.ahead = 2 * DAY
    spool.write(A, b"new")
    assert spool.properties.names(A) == []
    spool.expire()
    assert kept(spool) == {}


@pytest.mark.parametrize("replace", [True, False])
def test_a_receipt_does_not_inherit_from_what_expired(spool: Spool, clock: Clock, *, replace: bool) -> None:
    """An image that is imported under the name of an expired file does not inherit its properties."""
    clock.ahead = 2 * DAY
    spool.put_receipt(A, RECEIPT, replace=replace)
    assert kept(spool) == {}


def test_gone_with_the_receipt(spool: Spool) -> None:
    """If an image was deleted in Orthanc, its receipt and its properties are removed."""
    spool.put_receipt(B, RECEIPT)
    spool.set_property(B, NAME, VALUE)
    spool.remove_receipt(B, RECEIPT)
    assert set(kept(spool)) == {A}


def test_overwritten(spool: Spool) -> None:
    """A new content leaves them (RFC 4918 §9.7.1), also when it is imported, or becomes a receipt."""
    spool.write(A, b"new")
    with spool.receive(A) as file:
        file.write(b"newer")
        file.keep(A)
    assert spool.properties.get(A, NAME) == VALUE
    spool.put_receipt(A, RECEIPT)
    assert spool.properties.get(A, NAME) == VALUE


def test_evicted(tmp_path: DiskPath) -> None:
    """An original that is replaced by a receipt keeps its properties."""
    spool = Spool(tmp_path, maximum_size=2000, maximum_age=DAY)
    spool.write(A, b"x" * 1500, receipt=RECEIPT)
    spool.set_property(A, NAME, VALUE)
    spool.write(B, b"y" * 1500)
    assert spool.stat(A).receipt
    assert not spool.stat(A).has_original
    assert spool.properties.get(A, NAME) == VALUE
    spool.close()


@pytest.mark.parametrize("there", ["nothing", "file", "folder"])
@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("move", [True, False])
def test_carried(spool: Spool, there: str, kind: str, *, move: bool) -> None:
    """Properties are moved or copied with their file; those of a replaced file are removed."""
    source, target = ("source",), ("target",)
    for path, made in ((source, kind), (target, there)):
        if made == "folder":
            spool.make_folder(path)
            spool.write((*path, path[0]), b"")
            spool.set_property((*path, path[0]), NAME, b"below " + path[0].encode())
        elif made == "file":
            spool.write(path, b"")
        if made != "nothing":
            spool.set_property(path, NAME, path[0].encode())
    (spool.move if move else spool.copy)(source, target, replace=True)
    wanted: dict[Path, dict[str, bytes]] = {A: {NAME: VALUE}}
    for path in (target,) if move else (target, source):
        wanted[path] = {NAME: b"source"}
        if kind == "folder":
            wanted[*path, "source"] = {NAME: b"below source"}
    assert kept(spool) == wanted


def test_shallow_copy(spool: Spool) -> None:
    """A copy of a folder without its content has the folder's own properties only."""
    spool.make_folder(("f",))
    spool.write(("f", "x"), b"")
    for path in (("f",), ("f", "x")):
        spool.set_property(path, NAME, VALUE)
    spool.copy(("f",), ("g",), replace=False, deep=False)
    assert set(kept(spool)) == {A, ("f",), ("f", "x"), ("g",)}


def test_copy_without_what_is_hidden(spool: Spool, clock: Clock, tmp_path: DiskPath) -> None:
    """A copy of a folder has neither its expired files nor their properties."""
    spool.make_folder(("f",))
    for name in ("old", "new"):
        spool.write(("f", name), b"")
        spool.set_property(("f", name), NAME, VALUE)
    clock.ahead = 2 * DAY
    os.utime(tmp_path / "files" / "f" / "new", (clock(), clock()))
    spool.copy(("f",), ("g",), replace=False)
    assert {path for path in kept(spool) if path[0] == "g"} == {("g", "new")}


def test_two_names_of_one_file(spool: Spool) -> None:
    """A copy, which is another name of the same file on the disk, has properties of its own."""
    spool.copy(A, B, replace=False)
    spool.set_property(B, NAME, b"<other/>")
    assert spool.properties.get(A, NAME) == VALUE
    spool.move(A, B, replace=True)
    assert kept(spool) == {B: {NAME: VALUE}}


def test_restart(spool: Spool, tmp_path: DiskPath) -> None:
    """Properties survive a restart unless their file is gone, and count towards the quota from the start."""
    spool.write(B, b"")
    spool.set_property(B, NAME, VALUE)
    spool.close()
    (tmp_path / "files" / "b").unlink()
    again = Spool(tmp_path, maximum_size=1 << 20, maximum_age=DAY)
    assert kept(again) == {A: {NAME: VALUE}}
    assert again.used == len(b"content") + again.properties.size > len(VALUE)
    again.close()


def test_somebody_else_removes_the_folder(spool: Spool, tmp_path: DiskPath) -> None:
    """When the spool's folder is created again, no property of its former content is left."""
    (tmp_path / "files" / "a").unlink()
    (tmp_path / "files").rmdir()
    spool.write(B, b"")
    assert kept(spool) == {}
    assert spool.used == 0


def test_names_that_are_no_text(spool: Spool, tmp_path: DiskPath, clock: Clock) -> None:
    """Files of other programs with names that are not UTF-8 expire as others do."""
    (tmp_path / "files" / os.fsdecode(b"a\xff")).touch()
    clock.ahead = 2 * DAY
    assert spool.expire() == 2
    assert kept(spool) == {}


def test_they_count(tmp_path: DiskPath) -> None:
    """Properties count in the quota, are refused if it is full, and free their bytes."""
    spool = Spool(tmp_path, maximum_size=100_000, maximum_age=DAY)
    spool.write(A, b"x" * 40_000)
    spool.set_property(A, NAME, b"y" * 50_000)
    assert spool.used == 40_000 + spool.properties.size > 90_000
    with pytest.raises(NoSpace):
        spool.write(B, b"x" * 20_000)
    with pytest.raises(NoSpace):
        spool.set_property(A, "{urn:x}other", b"y" * 20_000)
    spool.set_property(A, NAME, b"y" * 40_000)
    spool.copy(A, B, replace=False)
    assert spool.properties.names(B) == []
    spool.set_property(A, NAME, b"y" * 10_000)
    spool.copy(A, B, replace=True)
    assert spool.properties.names(B) == [NAME]
    assert spool.used == 40_000 + spool.properties.size < 65_000
    spool.delete(A)
    spool.delete(B)
    assert (spool.used, spool.properties.size) == (0, 0)
    spool.write(B, b"x" * 100_000)
    spool.close()


def test_bounds(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file has so many of so many bytes, all together have a bound; replacing one is always possible."""
    with pytest.raises(NoSpace):
        spool.set_property(A, NAME, b"x" * dead_properties.LARGEST)
    for number in range(dead_properties.MOST - 1):
        spool.set_property(A, f"{{urn:x}}p{number}", VALUE)
    with pytest.raises(NoSpace):
        spool.check_properties(A, {"{urn:x}more": VALUE})
    spool.set_property(A, "{urn:x}p7", b"<new/>")
    spool.write(B, b"")
    with pytest.raises(NoSpace):
        spool.check_properties(B, {f"{{urn:x}}p{number}": VALUE for number in range(dead_properties.MOST + 1)})
    monkeypatch.setattr(dead_properties, "LARGEST_OF_ALL", spool.properties.size)
    with pytest.raises(NoSpace):
        spool.set_property(B, NAME, b"")
    spool.copy(A, ("c",), replace=False)
    assert spool.properties.names(("c",)) == []
    spool.set_property(A, NAME, b"<x/>")


def test_nobody_takes_all_the_room(spool: Spool, monkeypatch: pytest.MonkeyPatch, tmp_path: DiskPath) -> None:
    """The properties of each user are limited, copies and restarts included, so that others can still set theirs."""
    monkeypatch.setattr(dead_properties, "LARGEST_OF_ONE_USER", 10_000)
    spool.set_property(A, "{urn:x}m", bytes(6000), "mallory")
    for value in (bytes(6000), bytes(5000)):
        with pytest.raises(NoSpace):
            spool.set_property(A, "{urn:x}more", value, "mallory")
    spool.copy(A, B, replace=False)
    assert spool.properties.names(B) == []
    spool.set_property(A, "{urn:x}a", bytes(9000), "alice")
    spool.close()
    again = Spool(tmp_path, maximum_size=0, maximum_age=DAY)
    with pytest.raises(NoSpace):
        again.set_property(A, "{urn:x}more", bytes(5000), "mallory")
    again.set_property(A, "{urn:x}m", bytes(8000), "mallory")
    again.set_property(A, "{urn:x}m", bytes(8000), "bob")
    again.set_property(A, "{urn:x}more", bytes(5000), "mallory")
    again.close()


def test_the_file_shrinks(spool: Spool, tmp_path: DiskPath) -> None:
    """The file shrinks after properties were removed."""
    spool.delete(A)
    empty = sum(file.stat().st_size for file in tmp_path.glob(f"{FILE}*"))
    spool.make_folder(("f",))
    for number in range(20):
        spool.write(("f", str(number)), b"")
        spool.set_property(("f", str(number)), NAME, bytes(30_000))
    assert sum(file.stat().st_size for file in tmp_path.glob(f"{FILE}*")) > 600_000
    spool.delete(("f",))
    assert sum(file.stat().st_size for file in tmp_path.glob(f"{FILE}*")) < empty + 100_000
    assert kept(spool) == {}


def test_no_file_without_properties(tmp_path: DiskPath) -> None:
    """A spool without properties has no database."""
    spool = Spool(tmp_path, maximum_size=0, maximum_age=DAY)
    spool.write(A, b"")
    spool.copy(A, B, replace=False)
    spool.delete(A)
    assert spool.properties.names(B) == []
    assert not list(tmp_path.glob(f"{FILE}*"))


@pytest.mark.parametrize("content", [b"no database " * 1000, b"", b"SQLite format 3\0" + bytes(5000)])
def test_damaged_file(tmp_path: DiskPath, content: bytes) -> None:
    """A file that is no database is replaced by an empty one."""
    (tmp_path / FILE).write_bytes(content)
    spool = Spool(tmp_path, maximum_size=0, maximum_age=DAY)
    spool.write(A, b"")
    spool.set_property(A, NAME, VALUE)
    assert kept(spool) == {A: {NAME: VALUE}}
    spool.close()


def test_another_process_holds_the_file(spool: Spool, tmp_path: DiskPath) -> None:
    """While the database cannot be written, files can be deleted, and new files do not get their properties."""
    spool._disk.properties._database._connection.execute("pragma busy_timeout = 10")  # type: ignore[union-attr]
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("begin immediate")
    spool.delete(A)
    spool.write(A, b"new")
    assert spool.properties.names(A) == []
    assert spool.properties.get(A, NAME) is None
    with pytest.raises(NoSpace):
        spool.set_property(A, NAME, VALUE)
    other.execute("rollback")
    other.close()
    assert spool.properties.names(A) == []
    assert kept(spool) == {}
    spool.set_property(A, NAME, VALUE)
    assert spool.properties.get(A, NAME) == VALUE


def test_after_the_end(spool: Spool) -> None:
    """A request after the end does not open the database again."""
    spool.close()
    assert spool.properties.names(A) == []
    with pytest.raises(NoSpace):
        spool.set_property(A, NAME, VALUE)
    spool.delete(A)


def test_set_while_the_file_goes(spool: Spool) -> None:
    """A property that is set while its file is removed is removed too."""
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            spool.write(B, b"")
            spool.delete(B)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    done = 0
    while done < 50:
        try:
            spool.set_property(B, NAME, VALUE)
            done += 1
        except NotFound:
            pass
    stop.set()
    thread.join()
    assert set(kept(spool)) == {A}
    assert spool.used == len(b"content") + spool.properties.size


def test_alone(tmp_path: DiskPath) -> None:
    """Each change of the properties' bytes is reported."""
    told: list[int] = []
    properties = DeadProperties(tmp_path / FILE, told.append)
    properties.set(A, NAME, VALUE, "")
    properties.copy(A, B, deep=True)
    properties.move(B, ("c",))
    properties.forget(A)
    properties.forget(("c",))
    assert told[1:] == [told[1], 2 * told[1], 2 * told[1], told[1], 0]
    properties.close()
