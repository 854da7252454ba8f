"""Tests of renaming and copying in the spool."""

import os
import random
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path as DiskPath

import pytest

from davfs.entry import Path
from davfs.errors import AlreadyExists, BadName, Busy, Forbidden, NoSpace, NotFound, ParentMissing, PathError
from davfs.spool import renaming
from davfs.spool.spool import Spool
from tests.support import spool as spools
from tests.support.spool import DAY, RECEIPT, Clock, content, incoming, names

# pytest finds fixtures by the names in a module.
clock, spool = spools.clock, spools.spool

Relocate = Callable[..., None]


def tree(spool: Spool, path: Path = ()) -> dict[str, bytes | str | None]:
    """Return all below a folder: the bytes of files, the target of receipts, None for folders."""
    found: dict[str, bytes | str | None] = {}
    for item in spool.list(path):
        here = (*path, item.entry.name)
        if item.entry.is_folder:
            found["/".join(here)] = None
            found |= tree(spool, here)
        else:
            found["/".join(here)] = item.receipt.target if item.receipt else content(spool, here)
    return found


def counted(root: DiskPath) -> int:
    """Return the bytes of all ordinary files, each once however many names it has."""
    found = {status.st_ino: status for status in (path.lstat() for path in root.rglob("*"))}
    return sum(status.st_size for status in found.values() if stat.S_ISREG(status.st_mode))


@pytest.fixture
def filled(spool: Spool) -> Iterator[Spool]:
    """A spool with one of each; at the end its count is right and nothing is left beside its files."""
    spool.make_folder(("d",))
    spool.make_folder(("d", "e"))
    spool.write(("d", "a"), b"in d")
    spool.put_receipt(("d", "e", "r"), RECEIPT)
    spool.write(("a",), b"text")
    spool.write(("b",), b"other")
    spool.put_receipt(("r",), RECEIPT)
    yield spool
    assert spool.used == counted(spool._disk.files)
    assert incoming(spool) == list(spool.scratch.iterdir()) == []


@pytest.mark.parametrize("target", [("new",), ("d", "new"), ("d", "e", "new")])
@pytest.mark.parametrize("source", [("a",), ("r",)])
@pytest.mark.parametrize("replace", [True, False])
def test_files_and_receipts_are_moved_and_copied(filled: Spool, source: Path, target: Path, replace: bool) -> None:  # noqa: FBT001  pytest's own form
    """Moved and copied files and receipts keep content, date and type; a copy uses no bytes."""
    before, used = filled.stat(source), filled.used
    filled.copy(source, target, replace=replace)
    copied = filled.stat(target)
    assert (copied.receipt, copied.entry.size, copied.entry.modified) == (
        before.receipt,
        before.entry.size,
        before.entry.modified,
    )
    assert filled.stat(source) == before
    filled.delete(target)
    filled.move(source, target, replace=replace)
    assert filled.stat(target).receipt == before.receipt
    with pytest.raises(NotFound):
        filled.stat(source)
    assert filled.used == used


def test_a_folder_comes_with_all_that_is_in_it(filled: Spool) -> None:
    """A folder is moved or copied with its content, or copied empty on request."""
    filled.copy(("d",), ("copy",), replace=False)
    filled.copy(("d",), ("empty",), replace=False, deep=False)
    filled.move(("d",), ("moved",), replace=False)
    for name in ("copy", "moved"):
        assert tree(filled, (name,)) == {
            f"{name}/a": b"in d",
            f"{name}/e": None,
            f"{name}/e/r": RECEIPT.target,
        }
    assert tree(filled, ("empty",)) == {}
    filled.write(("copy", "a"), b"new")
    assert content(filled, ("moved", "a")) == b"in d"


@pytest.mark.parametrize("act", [Spool.move, Spool.copy])
@pytest.mark.parametrize("target", [("b",), ("r",), ("d", "a"), ("t",)])
@pytest.mark.parametrize("source", [("a",), ("d", "e", "r"), ("s",)])
def test_whatever_is_at_the_target_gives_way(filled: Spool, act: Relocate, source: Path, target: Path) -> None:
    """A file, a receipt or a folder replaces any of them if allowed; otherwise nothing changes."""
    for name in ("s", "t"):
        filled.make_folder((name,))
        filled.write((name, "f"), name.encode())
    before = tree(filled)
    with pytest.raises(AlreadyExists):
        act(filled, source, target, replace=False)
    assert tree(filled) == before
    act(filled, source, target, replace=True)
    after = tree(filled)
    assert after["/".join(target)] == before["/".join(source)]
    assert ("/".join(source) in after) == (act is Spool.copy)
    if target == ("t",):
        assert after.get("t/f") == (b"s" if source == ("s",) else None)


@pytest.mark.parametrize("act", [Spool.move, Spool.copy])
@pytest.mark.parametrize(
    ("error", "source", "target"),
    [
        (NotFound, ("x",), ("y",)),
        (NotFound, ("x", "y"), ("y",)),
        (NotFound, (), ("y",)),
        (NotFound, ("..",), ("y",)),
        (ParentMissing, ("a",), ("x", "y")),
        (ParentMissing, ("a",), ("b", "y")),
        (ParentMissing, ("a",), ("r", "y")),
        (BadName, ("a",), ("y.",)),
        (BadName, ("a",), ("..", "y")),
        (BadName, ("d",), ("p",) * 63),
        (Forbidden, ("a",), ("a",)),
        (Forbidden, ("d",), ("d",)),
        (Forbidden, ("d",), ("d", "e", "y")),
        (Forbidden, ("d", "e"), ("d",)),
        (ParentMissing, ("a",), ()),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    filled: Spool, act: Relocate, error: type[PathError], source: Path, target: Path
) -> None:
    """Each impossible move or copy has its error class, and changes nothing."""
    for depth in range(1, 63):
        filled.make_folder(("p",) * depth)
    before = tree(filled)
    with pytest.raises(PathError) as caught:
        act(filled, source, target, replace=True)
    # The inbox itself is turned away above the spool: here it merely is no place.
    assert type(caught.value) is error or target == ()
    assert tree(filled) == before


def test_a_move_onto_a_copy_leaves_one_name(filled: Spool) -> None:
    """Moving a file onto a copy of it leaves one name, although rename(2) does nothing for two names of one inode."""
    filled.copy(("a",), ("c",), replace=False)
    filled.move(("a",), ("c",), replace=True)
    assert names(filled) == ["b", "c", "d", "r"]
    filled.copy(("c",), ("b",), replace=True)
    filled.copy(("b",), ("c",), replace=True)
    assert content(filled, ("c",)) == content(filled, ("b",)) == b"text"


def test_copies_count_once_and_until_the_last_is_gone(spool: Spool) -> None:
    """Copies of a file count once towards the quota, until the last one is deleted."""
    spool.write(("a",), bytes(900))
    for number in range(5):
        spool.copy(("a",), (f"c{number}",), replace=False)
    assert spool.used == 900
    for number in range(5):
        spool.delete((f"c{number}",))
    spool.move(("a",), ("b",), replace=False)
    assert spool.used == 900
    spool.copy(("b",), ("c",), replace=False)
    with pytest.raises(NoSpace):
        spool.write(("b",), bytes(900))  # its bytes stay, for the copy
    spool.write(("b",), bytes(100))
    assert spool.used == 1000
    assert content(spool, ("c",)) == bytes(900)
    spool.delete(("c",))
    assert spool.used == 100


@pytest.mark.parametrize("act", [Spool.move, Spool.copy])
def test_what_has_expired_is_not_there(spool: Spool, clock: Clock, tmp_path: DiskPath, act: Relocate) -> None:
    """An expired file cannot be moved or copied, is left out of copies, and does not block its name."""
    spool.make_folder(("d",))
    for path in (("d", "old"), ("x",), ("y",), ("z",)):
        spool.write(path, b"old")
        os.utime(tmp_path.joinpath("files", *path), (0, 0))
    spool.write(("d", "new"), b"new")
    spool.write(("f",), b"file")
    with pytest.raises(NotFound):
        act(spool, ("z",), ("w",), replace=True)
    act(spool, ("f",), ("x",), replace=False)
    act(spool, ("d",), ("y",), replace=False)
    assert names(spool, ("y",)) == ["new"]
    assert content(spool, ("x",)) == b"file"
    spool.expire()
    assert spool.used == counted(tmp_path / "files") == 7
    assert clock.ahead == 0


def test_links_that_are_no_receipts_are_neither_moved_nor_followed(spool: Spool, tmp_path: DiskPath) -> None:
    """Foreign links are neither moved, followed nor copied with their folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    spool.make_folder(("d",))
    spool.write(("a",), b"1")
    for place in ("link", "d/link"):
        (tmp_path / "files" / place).symlink_to(outside)
    for act in (spool.move, spool.copy):
        for source in (("link",), ("link", "secret")):
            with pytest.raises(NotFound):
                act(source, ("new",), replace=True)
        with pytest.raises(ParentMissing):
            act(("a",), ("link", "new"), replace=True)
    spool.copy(("d",), ("e",), replace=False)
    assert list((tmp_path / "files" / "e").iterdir()) == []
    spool.copy(("a",), ("link",), replace=False)
    assert content(spool, ("link",)) == b"1"
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_disk_that_cannot_exchange_loses_nothing(filled: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without atomic exchange on the disk, replacing a folder is an error that says what to do; files are replaced."""

    def fail(*_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(renaming, "_exchange", fail)
    before = tree(filled)
    for act in (filled.move, filled.copy):
        for source, target in ((("a",), ("d",)), (("d",), ("a",)), (("d", "e"), ("d",))):
            with pytest.raises(Forbidden):
                act(source, target, replace=True)
    assert tree(filled) == before
    filled.move(("a",), ("b",), replace=True)
    assert content(filled, ("b",)) == b"text"


def test_a_failed_copy_leaves_nothing(filled: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a folder that fails midway leaves no partial copy."""
    before = tree(filled)
    genuine, calls = os.link, []

    def link(*arguments: object, **options: object) -> None:
        calls.append(arguments)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        genuine(*arguments, **options)  # type: ignore[arg-type]  # handed on as they came

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", link)
        with pytest.raises(NoSpace):
            filled.copy(("d",), ("new",), replace=False)
    assert tree(filled) == before
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(31, "Too many links")))
        with pytest.raises(NoSpace, match="copies"):
            filled.copy(("a",), ("new",), replace=False)


def test_a_copy_of_what_became_a_folder_is_busy(filled: Spool) -> None:
    """Copying a file that has meanwhile become a folder is a `Busy` error."""
    with filled._disk.parent(("d",), NotFound) as parent, pytest.raises(Busy):
        filled._disk.duplicate((parent, ("d",)), (parent, ("new",)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("act", [Spool.move, Spool.copy])
def test_the_target_is_missing_at_no_moment(tmp_path: DiskPath, act: Relocate, kind: str) -> None:
    """While a target is replaced repeatedly, each reader finds one of the contents."""
    spool = Spool(tmp_path, maximum_size=0, maximum_age=DAY)
    path = ("x", "f") if kind == "folder" else ("x",)

    def put(name: str) -> None:
        if kind == "folder":
            spool.make_folder((name,))
        spool.write((name, *path[1:]), name.encode())

    put("x")
    done = threading.Event()

    def look() -> int:
        looks = 0
        while not done.is_set():
            looks += 1
            assert spool.stat(("x",))
            try:
                assert content(spool, path) in (b"x", b"y")
            except NotFound:  # the folder was opened, then replaced and emptied, and then its file asked for
                assert kind == "folder"
        return looks

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(look) for _ in range(2)]
        try:
            for _ in range(200):
                put("y")
                act(spool, ("y",), ("x",), replace=True)
                if act is Spool.copy:
                    spool.delete(("y",))
        finally:
            done.set()
        assert all(reader.result(30) for reader in readers)
    assert spool.used == 1


def test_many_threads_leave_the_count_and_the_disk_right(tmp_path: DiskPath) -> None:
    """Concurrent moves, copies and deletions raise only this package's errors, and leave quota and disk consistent."""
    spool = Spool(tmp_path, maximum_size=0, maximum_age=DAY)
    paths: list[Path] = [("a",), ("b",), ("d",), ("d", "a"), ("d", "d"), ("e",), ("e", "a"), ("e", "d", "a"), ()]

    def receive(path: Path, _: Path) -> None:
        with spool.receive(path) as file:
            file.write(bytes(5))
            file.write(bytes(6))
            file.keep(path)

    def adopt(path: Path, other: Path) -> None:
        with spool.adopt(path) as file:
            file.keep(other)
            spool.remove_adopted(path, file)

    acts: list[Callable[[Path, Path], object]] = [
        lambda path, other: spool.move(path, other, replace=True),
        lambda path, other: spool.move(path, other, replace=False),
        lambda path, other: spool.copy(path, other, replace=True),
        lambda path, other: spool.copy(path, other, replace=False),
        receive,
        adopt,
        lambda path, _: spool.write(path, bytes(len(path) * 7)),
        lambda path, _: spool.put_receipt(path, RECEIPT, replace=False),
        lambda path, _: spool.make_folder(path),
        lambda path, _: spool.delete(path),
        lambda path, _: spool.list(path),
    ]

    def work(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  a reproducible mixture, no secret
        for _ in range(400):
            with suppress(PathError):
                chance.choice(acts)(chance.choice(paths), chance.choice(paths))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert incoming(spool) == []
    for left in spool.scratch.iterdir():  # a folder that was written into while it was dropped
        spool._disk._discard(left)
    assert spool.used == counted(tmp_path / "files")
    assert Spool(tmp_path, maximum_size=0, maximum_age=DAY).used == spool.used
