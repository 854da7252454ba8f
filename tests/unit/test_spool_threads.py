"""Tests of a spool that many threads change: the quota stays right, and nothing is left behind."""

import random
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path as DiskPath

import pytest

from davfs.entry import Path
from davfs.errors import NotFound, PathError
from davfs.spool.spool import Spool
from tests.support.spool import RECEIPT

NAME = "{urn:x}n"
PATHS: list[Path] = [*((name,) for name in "abcd"), *((name, other) for name in "ab" for other in "xy")]


@pytest.fixture
def spool(tmp_path: DiskPath) -> Iterator[Spool]:
    """A spool."""
    made = Spool(tmp_path, maximum_size=200_000, maximum_age=0)
    yield made
    made.close()


def actions(spool: Spool, chance: random.Random) -> Iterator[Callable[[], object]]:
    """Yield random operations on random paths, without end."""
    while True:
        path, other, replace = chance.choice(PATHS), chance.choice(PATHS), chance.random() < 0.7
        content, value = bytes(chance.randrange(20_000)), bytes(chance.randrange(9000))
        receipt, name = chance.choice([RECEIPT, None]), f"{NAME}{chance.randrange(5)}"
        acts: list[Callable[[], object]] = [
            partial(spool.write, path, content, replace=replace, receipt=receipt),
            partial(spool.set_property, path, name, value),
            partial(spool.delete, path),
            partial(spool.move, path, other, replace=replace),
            partial(spool.copy, path, other, replace=replace, deep=chance.random() < 0.7),
            partial(spool.make_folder, path),
            partial(spool.put_receipt, path, RECEIPT, replace=replace),
            partial(spool.remove_receipt, path, RECEIPT),
            partial(spool.properties.drop, path, name),
        ]
        yield chance.choice(acts)


def change(spool: Spool, seed: int) -> None:
    """Do many random operations, ignoring those that fail."""
    for act in islice(actions(spool, random.Random(seed)), 3000):  # noqa: S311  no secret
        with suppress(PathError):
            act()


@pytest.mark.slow
def test_all_at_once(spool: Spool, tmp_path: DiskPath) -> None:
    """Under concurrent changes, files and properties count for exactly as long as they exist."""
    threads = [threading.Thread(target=change, args=(spool, seed)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [each.lstat() for each in (tmp_path / "files").rglob("*")]
    files = {status.st_ino: status.st_size for status in found if stat.S_ISREG(status.st_mode)}
    assert spool.used == sum(files.values()) + spool.properties.size
    assert [*spool.scratch.iterdir(), *(tmp_path / "incoming").iterdir()] == []
    for each in (tmp_path / "files").iterdir():
        spool.delete((each.name,))
    assert (spool.used, spool.properties.size) == (0, 0)


def test_a_folder_is_filled_while_it_goes(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is put into a folder just after that was replaced is removed with it."""
    for name in ("old", "new"):
        spool.make_folder((name,))
        spool.write((name, "x"), b"x")
    empty, late = spool._disk._empty, iter([b"late", b"later"])

    def filling(folder: int) -> None:
        empty(folder)
        if content := next(late, None):
            with spool._disk.temporary() as temporary:
                temporary.write_bytes(content)
                spool._disk.place(temporary, (folder, ("old", content.decode())), replace=True)

    monkeypatch.setattr(spool._disk, "_empty", filling)
    spool.move(("new",), ("old",), replace=True)
    assert list(spool.scratch.iterdir()) == []
    assert spool.used == len(b"x")


def test_a_folder_is_moved_while_it_is_open(spool: Spool) -> None:
    """Changes in an open folder are made where it is now; its old path may be another folder's."""
    spool.make_folder(("a",))
    for name in ("x", "y"):
        spool.write(("a", name), b"")
        spool.set_property(("a", name), NAME, b"old")
    with spool._disk.parent(("a", "x"), NotFound) as parent:
        spool.move(("a",), ("b",), replace=False)
        spool.make_folder(("a",))
        spool.write(("a", "x"), b"")
        spool.set_property(("a", "x"), NAME, b"new")
        spool._disk.delete_file(parent, ("a", "x"))
        assert spool.properties.get(("a", "x"), NAME) == b"new"
        assert spool.properties.all(("b", "x")) == {}
        spool._disk.move((parent, ("a", "y")), (parent, ("a", "z")), replace=False)
    assert spool.properties.get(("b", "z"), NAME) == b"old"
    assert spool.properties.all(("a", "z")) == spool.properties.all(("b", "y")) == {}
