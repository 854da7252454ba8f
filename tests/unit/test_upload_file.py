"""Tests of unfinished uploads in the spool."""

import os
from collections.abc import Callable

import pytest

from davfs.errors import AlreadyExists, BadName, IsAFolder, NoSpace, NotFound, ParentMissing, PathError
from davfs.spool.disk import Disk
from davfs.spool.spool import Spool
from tests.support import spool as spools
from tests.support.spool import DAY, RECEIPT, Clock, content, incoming, names

# pytest finds fixtures by the names in a module.
clock, spool = spools.clock, spools.spool


def test_a_file_appears_complete_or_not_at_all(spool: Spool) -> None:
    """The old file exists until the new one is renamed to its path; nothing is written twice."""
    spool.write(("a",), b"old")
    with spool.receive(("a",)) as file:
        file.write(b"one ")
        file.write(memoryview(b"two"))
        assert content(spool, ("a",)) == b"old"
        (on_its_way,) = incoming(spool)
        inode = on_its_way.stat().st_ino
        assert bytes(file.view()) == b"one two"
        item = file.keep(("a",))
    assert content(spool, ("a",)) == b"one two"
    assert item == spool.stat(("a",))
    assert (spool._disk.files / "a").stat().st_ino == inode
    assert incoming(spool) == []
    assert spool.used == 7


def test_what_is_not_kept_is_dropped(spool: Spool) -> None:
    """An upload that is not kept leaves neither a file nor used bytes in the quota."""
    with spool.receive(("a",), 500) as file:
        file.write(bytes(400))
        assert spool.used == 400
    assert (names(spool), incoming(spool), spool.used) == ([], [], 0)


def test_an_empty_file_is_a_file(spool: Spool) -> None:
    """An empty file can be kept without writing to it."""
    with spool.receive(("a",), 0) as file:
        assert bytes(file.view()) == b""
        file.keep(("a",))
    assert content(spool, ("a",)) == b""


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (BadName, lambda spool: spool.receive(("a.",))),
        (ParentMissing, lambda spool: spool.receive(("x", "a"))),
        (ParentMissing, lambda spool: spool.receive(("file", "a"))),
        (IsAFolder, lambda spool: spool.receive(("folder",))),
        (NoSpace, lambda spool: spool.receive(("a",), 1001)),
        (NotFound, lambda spool: spool.adopt(("x",))),
        (NotFound, lambda spool: spool.adopt(("receipt",))),
        (IsAFolder, lambda spool: spool.adopt(("folder",))),
    ],
)
def test_what_cannot_come_is_told_before_the_first_byte(
    spool: Spool, error: type[PathError], act: Callable[[Spool], object]
) -> None:
    """An upload that cannot be kept is refused when it begins, and leaves no file."""
    spool.make_folder(("folder",))
    spool.write(("file",), b"")
    spool.put_receipt(("receipt",), RECEIPT)
    with pytest.raises(error):
        act(spool)
    assert incoming(spool) == []
    assert spool.used == 0


def test_the_quota_holds_while_bytes_come(spool: Spool) -> None:
    """Bytes are counted when they arrive, whether the length was announced or not."""
    with spool.receive(("a",)) as one, spool.receive(("b",), 300) as other:
        one.write(bytes(700))
        other.write(bytes(300))
        with pytest.raises(NoSpace):
            one.write(b"1")
        with pytest.raises(NoSpace):
            other.write(b"1")
        with pytest.raises(NoSpace):
            spool.write(("c",), b"1")
        one.keep(("a",))
    assert spool.used == 700
    assert names(spool) == ["a"]


def test_only_one_counts_on_what_gives_way(spool: Spool) -> None:
    """A file that is replaced twice frees its bytes once."""
    spool.write(("a",), bytes(900))
    with spool.receive(("a",), 900):
        with pytest.raises(NoSpace):
            spool.receive(("a",), 900)
        with pytest.raises(NoSpace):
            spool.write(("a",), bytes(900))
    with spool.receive(("a",)) as file:
        spool.delete(("a",))
        spool.write(("b",), bytes(900))
        with pytest.raises(NoSpace):
            file.write(bytes(101))
    assert spool.used == 900


def test_what_goes_elsewhere_needs_room_beside_what_stays(spool: Spool) -> None:
    """The file that was to give way does not."""
    spool.write(("a",), bytes(900))
    with spool.receive(("a",), 900) as file:
        file.write(bytes(900))
        with pytest.raises(NoSpace):
            file.keep(("b",))
    assert names(spool) == ["a"]
    assert spool.used == 900


def test_a_full_disk_is_told_at_once_or_as_soon_as_it_is_full(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is reported at once if the size is known, and otherwise as soon as it is full."""
    with monkeypatch.context() as patch:
        patch.setattr(Disk, "free", lambda _: 99)
        with pytest.raises(NoSpace, match="disk"):
            spool.receive(("a",), 100)
        assert spool.available == 99
    full = os.open("/dev/full", os.O_RDWR)
    with spool.receive(("a",)) as file:
        os.dup2(full, file._file.fileno())
        os.close(full)
        with pytest.raises(NoSpace, match="disk"):
            file.write(b"1")
    assert incoming(spool) == []
    assert spool.available == 1000


def test_nothing_is_replaced_where_that_is_not_asked_for(spool: Spool, clock: Clock) -> None:
    """An expired file is replaced."""
    spool.write(("a",), b"old")
    with spool.receive(("a",)) as file:
        file.write(b"new")
        with pytest.raises(AlreadyExists):
            file.keep(("a",), replace=False)
        clock.ahead = 2 * DAY
        file.keep(("a",), replace=False)
    clock.ahead = 0
    assert content(spool, ("a",)) == b"new"
    assert spool.used == 3


def test_an_adopted_file_stays_where_it_is(spool: Spool) -> None:
    """An adopted file stays where it is until it is kept elsewhere and removed."""
    spool.write(("a",), b"text")
    with spool.adopt(("a",)) as file:
        assert bytes(file.view()) == b"text"
        assert spool.used == 4
    assert content(spool, ("a",)) == b"text"
    with spool.adopt(("a",)) as file:
        file.keep(("b",))
        assert names(spool) == ["a", "b"]
        spool.remove_adopted(("a",), file)
    assert content(spool, ("b",)) == b"text"
    assert names(spool) == ["b"]
    assert (incoming(spool), spool.used) == ([], 4)


def test_what_took_the_place_of_an_adopted_file_stays(spool: Spool) -> None:
    """Only the very file that was adopted is removed; one that is gone counts as long as it is held."""
    spool.write(("a",), b"text")
    with spool.adopt(("a",)) as file:
        spool.write(("a",), b"newer")
        assert spool.used == 9
        spool.remove_adopted(("a",), file)
        assert content(spool, ("a",)) == b"newer"
        spool.delete(("a",))
        spool.remove_adopted(("a",), file)
    assert spool.used == 0
