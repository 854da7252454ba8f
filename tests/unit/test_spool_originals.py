"""Tests of originals: read as files, removed as receipts, and replaced by receipts when room is needed."""

from pathlib import Path as DiskPath

import pytest

from davfs.entry import DICOM
from davfs.errors import NoSpace, NotFound
from davfs.spool.spool import Spool
from tests.support import spool as spools
from tests.support.spool import DAY, RECEIPT, Clock

# pytest finds fixtures by the names in a module.
spool, clock = spools.spool, spools.clock


def kept(spool: Spool, *path: str) -> bytes | None:
    """Return the original of a receipt, None if there is none."""
    item = spool.stat(path)
    assert item.receipt == RECEIPT
    if not item.has_original:
        return None
    assert (item.entry.media_type, item.entry.resource) == (DICOM, RECEIPT.instance)
    with spool.open(path) as content:
        assert content.entry == item.entry
        return b"".join(content.buffers())


def test_originals_are_kept_as_sent(spool: Spool) -> None:
    """The original of a receipt is kept as it was sent, in one piece or in several."""
    assert spool.write(("a",), b"sent", receipt=RECEIPT) == spool.stat(("a",))
    with spool.receive(("b",)) as incoming:
        incoming.write(b"in ")
        incoming.write(b"pieces")
        incoming.keep(("b",), receipt=RECEIPT)
    assert [kept(spool, "a"), kept(spool, "b")] == [b"sent", b"in pieces"]
    assert spool.used == 13


def test_it_is_so_after_a_start(spool: Spool, tmp_path: DiskPath) -> None:
    """Originals are loaded at a start; those whose files were removed are forgotten."""
    spool.write(("a",), b"sent", receipt=RECEIPT)
    spool.write(("b",), b"gone", receipt=RECEIPT)
    (tmp_path / "files" / "b").unlink()
    again = Spool(tmp_path, maximum_size=1000, maximum_age=DAY)
    assert kept(again, "a") == b"sent"
    assert len(list((tmp_path / "sent").iterdir())) == 1


def test_it_can_be_renamed_and_copied(spool: Spool) -> None:
    """A renamed or copied original has the same receipt at each name, and its bytes count once."""
    spool.write(("a",), b"sent", receipt=RECEIPT)
    spool.make_folder(("folder",))
    spool.copy(("a",), ("folder", "copy"), replace=False)
    spool.move(("a",), ("b",), replace=False)
    assert kept(spool, "b") == kept(spool, "folder", "copy") == b"sent"
    spool.delete(("b",))
    assert kept(spool, "folder", "copy") == b"sent"
    assert spool.used == 4


@pytest.mark.parametrize("how", ["delete", "drop", "replace", "receipt", "expire"])
def test_nothing_is_left_of_it(spool: Spool, tmp_path: DiskPath, clock: Clock, how: str) -> None:
    """The receipt of an original is forgotten when the original is removed in any way."""
    spool.write(("a",), b"sent", receipt=RECEIPT)
    match how:
        case "delete":
            spool.delete(("a",))
        case "drop":
            spool.remove_receipt(("a",), RECEIPT)
        case "replace":
            spool.write(("a",), b"text")
            assert spool.stat(("a",)).receipt is None
        case "receipt":
            spool.put_receipt(("a",), RECEIPT)
            assert kept(spool, "a") is None
        case "expire":
            clock.ahead = DAY + 1
            assert spool.expire() == 1
    assert list((tmp_path / "sent").iterdir()) == []
    assert spool.used == (4 if how == "replace" else 0)


def test_it_gives_way(spool: Spool) -> None:
    """If the quota is used up, the oldest originals are replaced by receipts."""
    for name in ("a", "b", "c"):
        spool.write((name,), bytes(300), receipt=RECEIPT)
    spool.copy(("a",), ("copy",), replace=False)
    date = spool.stat(("a",)).entry.modified
    assert spool.available >= 900
    spool.write(("text",), b"x" * 350)
    assert [kept(spool, name) for name in ("a", "copy", "b")] == [None, None, bytes(300)]
    assert spool.stat(("a",)).entry.modified == date
    with spool.receive(("large",), 600) as incoming:
        incoming.write(b"x" * 600)
        incoming.keep(("large",))
    assert [kept(spool, name) for name in ("b", "c")] == [None, None]
    assert spool.used == 950


def test_other_files_do_not(spool: Spool) -> None:
    """Files that Orthanc does not have are kept, and an upload that does not fit is refused."""
    spool.write(("a",), bytes(300), receipt=RECEIPT)
    spool.write(("text",), b"x" * 600)
    with pytest.raises(NoSpace):
        spool.write(("more",), b"x" * 500)
    assert spool.stat(("text",)).entry.size == 600
    with pytest.raises(NotFound):
        spool.stat(("more",))
