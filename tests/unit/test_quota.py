"""The quota cannot be evaded: by empty files, copies, receipts, announced uploads or deleted files that are read."""

import os
from collections.abc import Callable
from pathlib import Path as DiskPath

import pytest

from davfs.errors import NoSpace
from davfs.spool.quota import BYTES_PER_NAME, FEWEST_NAMES, SpoolQuota
from davfs.spool.spool import Spool
from tests.support import spool as spools
from tests.support.spool import DAY, RECEIPT, Clock, names

# pytest finds fixtures by the names in a module.
clock, spool = spools.clock, spools.spool


@pytest.fixture
def few(spool: Spool) -> Spool:
    """A spool of ten names."""
    spool._quota._maximum_names = 10
    return spool


def fill(make: Callable[[int], object]) -> int:
    """Make files or folders until there is no room; return how many there were."""
    for number in range(100):
        try:
            make(number)
        except NoSpace:
            return number
    return 100


def test_the_number_of_names_goes_by_the_quota() -> None:
    """The maximum number of names is one for each 4 KB of the quota, with a minimum."""
    assert SpoolQuota(10 << 30)._maximum_names == (10 << 30) // BYTES_PER_NAME
    assert SpoolQuota(1)._maximum_names == FEWEST_NAMES


def test_empty_files_and_folders_are_limited(few: Spool) -> None:
    """Empty files and folders count as names; removed ones do not, replaced and renamed ones count once."""
    few.make_folder(("a",))
    assert fill(lambda number: few.write((f"file{number}",), b"")) == 9
    for refused in (
        lambda: few.make_folder(("b",)),
        lambda: few.write(("a", "b"), b""),
        lambda: few.receive(("b",)),
        lambda: few.copy(("file1",), ("b",), replace=False),
        lambda: few.adopt(("file1",)),
    ):
        with pytest.raises(NoSpace, match="too many files"):
            refused()
    few.write(("file1",), b"text")
    few.move(("file1",), ("a", "file1"), replace=False)
    few.move(("file2",), ("file3",), replace=True)
    few.make_folder(("b",))
    few.delete(("a",))
    assert fill(lambda number: few.make_folder((f"folder{number}",))) == 2
    assert few._quota._names == 10


def test_copies_are_limited(few: Spool) -> None:
    """Each copied name counts, also in folders; a copy that does not fit leaves nothing behind."""
    few.make_folder(("a",))
    few.write(("a", "file"), b"text")
    few.put_receipt(("a", "receipt"), RECEIPT)
    few.copy(("a",), ("b",), replace=False)
    assert few._quota._names == 6
    few.copy(("a",), ("b",), replace=True)
    assert few._quota._names == 6
    few._quota._maximum_names = 11
    few.copy(("a",), ("c",), replace=False)
    few._quota.free_space = lambda _: False
    with pytest.raises(NoSpace):
        few.copy(("a",), ("d",), replace=False)
    assert (names(few), few._quota._names, few.used) == (["a", "b", "c"], 9, 4)
    few.copy(("a", "file"), ("b", "file"), replace=True)
    few.delete(("a",))
    few.delete(("b",))
    few.delete(("c",))
    assert few._quota._names == 0


def test_a_new_start_counts_the_names(few: Spool, tmp_path: DiskPath) -> None:
    """At a start, the names of files, copies, folders and receipts are counted."""
    few.make_folder(("a",))
    few.write(("a", "file"), b"text")
    few.copy(("a", "file"), ("copy",), replace=False)
    few.put_receipt(("receipt",), RECEIPT)
    assert Spool(tmp_path, maximum_size=1000, maximum_age=DAY)._quota._names == few._quota._names == 4


def test_the_oldest_receipts_are_removed_for_new_names(few: Spool, tmp_path: DiskPath, clock: Clock) -> None:
    """New names evict the oldest receipts, since Orthanc has their files; a receipt itself is never refused."""
    few.make_folder(("a",))
    for number in range(9):
        few.put_receipt(("a", f"{number}"), RECEIPT)
        os.utime(tmp_path / "files" / "a" / f"{number}", (clock() - number, clock() - number), follow_symlinks=False)
    few._quota._maximum_names = 1002
    for number in range(995):
        few.put_receipt((f"r{number}",), RECEIPT)
    assert (few._quota._names, names(few, ("a",))) == (5, [])
    few._quota._maximum_names = 10
    assert fill(lambda number: few.write((f"file{number}",), b"")) == 9
    few.put_receipt(("new",), RECEIPT)
    assert "new" in names(few)
    clock.ahead = 61
    few.put_receipt(("newer",), RECEIPT)
    assert (few._quota._names, "new" in names(few)) == (11, False)


def test_announced_bytes_take_no_room(spool: Spool) -> None:
    """Announced bytes are reserved only when they arrive, so that a stalled upload leaves room for others."""
    with pytest.raises(NoSpace):
        spool.receive(("a",), 1001)
    with spool.receive(("a",), 1000) as announced:
        assert (spool.used, spool.available) == (0, 1000)
        spool.write(("b",), bytes(600))
        announced.write(bytes(400))
        with pytest.raises(NoSpace):
            announced.write(b"1")
    assert spool.used == 600


def test_announced_bytes_remove_no_originals(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Originals are replaced by receipts when bytes arrive, and not when they are announced."""
    spool.write(("a",), bytes(900), receipt=RECEIPT)
    with spool.receive(("b",), 1000) as announced:
        assert spool.check_write(("c",), 1000) == 0
        assert spool.stat(("a",)).has_original
        announced.write(bytes(101))
        assert not spool.stat(("a",)).has_original
    spool.write(("a",), bytes(400), receipt=RECEIPT)
    with spool.receive(("b",), 500) as announced:
        announced.write(b"12")
        genuine = announced._file.fileno()
        full = os.open("/dev/full", os.O_RDWR)
        kept = os.dup(genuine)
        os.dup2(full, genuine)
        os.close(full)
        freed: list[int] = []

        def free_disk(size: int) -> bool:
            freed.append(size)
            os.dup2(kept, genuine)
            return True

        monkeypatch.setattr(announced, "_free_disk", free_disk)
        announced.write(b"345")
        os.close(kept)
        assert (freed, bytes(announced.view())) == ([3], b"12345")


def test_a_deleted_file_counts_while_it_is_read(spool: Spool) -> None:
    """A deleted file counts towards the quota until its last download ends."""
    for remove in (lambda: spool.delete(("a",)), lambda: spool.put_receipt(("a",), RECEIPT)):
        spool.write(("a",), bytes(900))
        with spool.open(("a",)), spool.open(("a",)) as content:
            remove()
            assert spool.used == 900
            with pytest.raises(NoSpace):
                spool.write(("b",), bytes(101))
            assert b"".join(content.buffers()) == bytes(900)
        assert spool.used == 0
    spool.write(("a",), bytes(900))
    with spool.open(("a",)), pytest.raises(NoSpace):
        spool.receive(("a",), 900)
    assert spool.used == 900
    spool.write(("a",), bytes(900))
