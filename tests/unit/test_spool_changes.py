"""Tests of changes of the spool that fail, or that run at the same time."""

import os
import random
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path as DiskPath

import pytest

from davfs.errors import Busy, NoSpace, NotFound, PathError
from davfs.spool import spool as module
from davfs.spool.items import Receipt
from davfs.spool.spool import Spool
from tests.support import spool as spools
from tests.support.spool import DAY, RECEIPT, Act, content, incoming, names

# pytest finds fixtures by the names in a module.
clock, spool = spools.clock, spools.spool


def test_an_old_decision_does_not_remove_a_new_file(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was written between check and removal stays."""
    spool.put_receipt(("a",), RECEIPT)

    def read_receipt(*_: object) -> Receipt:
        spool.write(("a",), b"new")
        return RECEIPT

    monkeypatch.setattr(module, "read_receipt", read_receipt)
    spool.remove_receipt(("a",), RECEIPT)
    assert content(spool, ("a",)) == b"new"
    assert spool._quota._used == 3
    assert incoming(spool) == []


def test_an_old_decision_does_not_remove_a_folder(spool: Spool, tmp_path: DiskPath) -> None:
    """A receipt that was replaced by a folder meanwhile is not removed."""
    spool.put_receipt(("a",), RECEIPT)
    status = (tmp_path / "files" / "a").lstat()
    spool.delete(("a",))
    spool.make_folder(("a",))
    spool.write(("a", "b"), b"new")
    with spool._disk.parent(("a",), NotFound) as parent:
        assert not spool._disk.remove(parent, ("a",), status)
    assert content(spool, ("a", "b")) == b"new"
    assert incoming(spool) == []


def test_a_receipt_is_dropped_only_if_it_still_is_the_same(spool: Spool) -> None:
    """Dropping a receipt leaves another receipt, a file, and an empty path alone."""
    spool.put_receipt(("a",), RECEIPT)
    spool.remove_receipt(("a",), Receipt(RECEIPT.instance, 1))
    assert names(spool) == ["a"]
    spool.remove_receipt(("a",), RECEIPT)
    spool.remove_receipt(("a",), RECEIPT)
    assert names(spool) == []
    spool.write(("a",), b"1")
    spool.remove_receipt(("a",), RECEIPT)
    assert names(spool) == ["a"]


def test_a_failed_write_leaves_the_old_file(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is `NoSpace`, and the old file stays."""
    spool.write(("a",), b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoSpace, match="disk"):
        spool.write(("a",), b"newer")
    assert content(spool, ("a",)) == b"old"
    assert incoming(spool) == []
    assert spool._quota._used == 3


def test_a_folder_that_is_filled_meanwhile_is_busy(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting a folder ends with `Busy` if others keep filling it."""
    spool.make_folder(("a",))
    spool.write(("a", "b"), b"1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", lambda *_, **__: None)
        with pytest.raises(Busy):
            spool.delete(("a",))


def test_readers_never_see_half_a_file(tmp_path: DiskPath) -> None:
    """While two writers replace a file, each read returns one complete content, and the quota's count stays right."""
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
    """Concurrent changes of the same names raise only this package's errors, and leave quota and disk consistent."""
    spool = Spool(tmp_path, maximum_size=0, maximum_age=DAY)
    acts: list[Act] = [
        lambda path: spool.write(path, bytes(len(path) * 7)),
        lambda path: spool.write(path, b"new", replace=False),
        lambda path: spool.put_receipt(path, RECEIPT),
        lambda path: spool.remove_receipt(path, RECEIPT),
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
    assert incoming(spool) == []
