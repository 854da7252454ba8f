"""Tests of the quota and of the expiry of files."""

import math
import os
import time
from pathlib import Path as DiskPath

import pytest

from davfs.errors import NoSpace, NotFound
from davfs.spool.spool import Spool
from davfs.spool.sweeper import Sweeper
from tests.support import spool as spools
from tests.support.spool import DAY, RECEIPT, Clock, content, names

# pytest finds fixtures by the names in a module.
clock, spool = spools.clock, spools.spool


def test_the_quota_is_checked_before_anything_is_written(spool: Spool) -> None:
    """A refused file leaves nothing behind; one that replaces another needs only the difference."""
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
    """Receipts use no bytes of the quota, and free those of the file that they replace."""
    spool.write(("a",), bytes(1000))
    spool.put_receipt(("a",), RECEIPT)
    spool.write(("b",), bytes(1000))
    spool.put_receipt(("c",), RECEIPT)


def test_deleting_and_expiring_free_space(spool: Spool, clock: Clock) -> None:
    """Deleted and expired files and folders do not count towards the quota."""
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
    """A start removes unfinished uploads and counts existing files, without foreign ones."""
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
    """With a maximum of 0 bytes all files fit; with one of 0 or very many seconds none expires."""
    spool = Spool(tmp_path, maximum_size=0, maximum_age=maximum_age)
    spool.write(("a",), bytes(100_000))
    os.utime(tmp_path / "files" / "a", (0, 0))
    assert spool.expire() == 0
    assert names(spool) == ["a"]


def test_what_has_expired_is_gone_before_it_is_removed(spool: Spool, clock: Clock) -> None:
    """An expired file is not listed, cannot be read, and does not block its name; folders stay."""
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
    """Old files, receipts and folders that became empty are removed; never the root or recent ones."""
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
    """An expired file can be replaced, even without permission to replace."""
    spool.write(("a",), b"old")
    clock.ahead = 2 * DAY
    assert spool.write(("a",), b"new", replace=False).entry.size == 3
    clock.ahead = 0
    assert content(spool, ("a",)) == b"new"


@pytest.mark.parametrize(
    ("maximum_age", "pause"), [(1, 1), (3600, 36), (7 * DAY, 600), (math.inf, 600), (10**400, 600)]
)
def test_the_sweeper_sweeps_as_often_as_is_needed(spool: Spool, maximum_age: float, pause: float) -> None:
    """The sweeper runs a hundred times per lifetime of a file, every second to ten minutes, until it stops."""
    sweeper = Sweeper(spool, maximum_age)
    assert sweeper._pause == pause
    sweeper.start()
    assert sweeper._thread.is_alive()
    assert sweeper.stop(10)


def test_the_sweeper_removes_what_has_expired(spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweeper goes on after an error of the disk."""
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
