"""Tests of renaming and copying in the inbox."""

import os
from collections.abc import Callable
from pathlib import Path as DiskPath

import pytest

from davfs.entry import Path
from davfs.errors import (
    AlreadyExists,
    BadName,
    Busy,
    Conflict,
    Forbidden,
    IsAFolder,
    NotFound,
    ParentMissing,
    PathError,
    Rejected,
    Unavailable,
)
from davfs.filesystem.area import Movable
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.spool.spool import Spool
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CHANGED, CT, MR, NO_PREAMBLE, content, names
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes, inbox = inboxes.orthanc, inboxes.spool, inboxes.lanes, inboxes.inbox

Relocate = Callable[..., None]
both = pytest.mark.parametrize("act", [Inbox.move, Inbox.copy])


@both
def test_what_was_imported_is_not_imported_again(inbox: Inbox, orthanc: MemoryOrthanc, act: Relocate) -> None:
    """The receipt of an imported file moves to the new name without another import, alone or with its folder."""
    assert isinstance(inbox, Movable)
    inbox.make_folder(("cd",))
    inbox.write(("cd", "a.dcm"), CT)
    act(inbox, ("cd", "a.dcm"), ("b.dcm",), replace=False)
    assert content(inbox, ("b.dcm",)) == CT
    inbox.write(("cd", "c.txt"), b"text")
    act(inbox, ("cd",), ("new",), replace=False)
    assert "c.txt" in names(inbox, ("new",))
    assert ("cd" in names(inbox)) == (act is Inbox.copy)
    assert orthanc.uploads == 1


@both
@pytest.mark.parametrize("source", [("._tmp",), (".TemporaryItems", "tmp"), ("~$a.dcm",)])
@pytest.mark.parametrize("data", [CT, NO_PREAMBLE, zipped({"1": CT}), b"text"])
def test_a_file_that_gets_an_ordinary_name_is_imported_then(
    inbox: Inbox, orthanc: MemoryOrthanc, act: Relocate, source: Path, data: bytes
) -> None:
    """A file that is renamed from a desktop's temporary name to an ordinary one is imported then."""
    inbox.make_folder((".TemporaryItems",))
    inbox.write(("a.dcm",), b"old")
    inbox.write(source, data)
    assert orthanc.uploads == 0
    act(inbox, source, ("a.dcm",), replace=True)
    assert content(inbox, ("a.dcm",)) == data
    assert orthanc.uploads == (data != b"text")
    if act is Inbox.copy:
        assert content(inbox, source) == data
    else:
        with pytest.raises(NotFound):
            inbox.stat(source)
    inbox.move(("a.dcm",), ("b.dcm",), replace=False)
    assert orthanc.uploads == (data != b"text")


@both
def test_a_file_that_gets_a_desktops_name_just_stays_a_file(
    inbox: Inbox, orthanc: MemoryOrthanc, act: Relocate
) -> None:
    """Renaming a file to a name that desktops use for their own imports nothing."""
    inbox.write(("a.txt",), b"text")
    act(inbox, ("a.txt",), ("._a",), replace=False)
    inbox.write(("._ct",), CT)
    act(inbox, ("._ct",), ("Thumbs.db",), replace=False)
    assert content(inbox, ("._a",)) == b"text"
    assert content(inbox, ("Thumbs.db",)) == CT
    inbox.write(("b.dcm",), CT)
    act(inbox, ("b.dcm",), (".hidden",), replace=False)
    act(inbox, (".hidden",), ("c.dcm",), replace=False)
    assert orthanc.uploads == 1


@both
def test_a_refusal_leaves_the_file_where_it_is(
    inbox: Inbox, orthanc: MemoryOrthanc, spool: Spool, act: Relocate
) -> None:
    """A refused move or copy leaves source and target as they are; rejected/ has the file and the reason."""
    inbox.write(("a.dcm",), CT)
    for source, data, error in ((("._x",), BROKEN, Rejected), (("._y",), CHANGED, Conflict)):
        inbox.write(source, data)
        with pytest.raises(error) as caught:
            act(inbox, source, ("a.dcm",), replace=True)
        assert caught.value.path == ("a.dcm",)
        assert content(inbox, source) == data
        assert content(inbox, ("a.dcm",)) == CT
    assert len(names(inbox, ("rejected",))) == 4
    assert content(inbox, ("rejected", "a (2).dcm")) == CHANGED
    for name in ("._x", "._y", "rejected"):
        inbox.delete((name,))
    assert (spool.used, set(orthanc.files)) == (0, {identify(CT)})


@both
def test_nothing_happens_while_orthanc_cannot_answer(inbox: Inbox, orthanc: MemoryOrthanc, act: Relocate) -> None:
    """If Orthanc does not answer, a move or copy fails with an error that allows a retry, and changes nothing."""
    inbox.write(("._x",), CT)
    orthanc.failure = Unavailable("down")
    with pytest.raises(Unavailable):
        act(inbox, ("._x",), ("a.dcm",), replace=False)
    assert names(inbox) == ["._x"]
    orthanc.failure = None
    act(inbox, ("._x",), ("a.dcm",), replace=False)
    assert content(inbox, ("a.dcm",)) == CT


def test_a_busy_queue_moves_nothing(inbox: Inbox, lanes: Lanes) -> None:
    """If the queue is busy or stopping, a move or copy changes nothing."""
    inbox.write(("._x",), CT)
    lanes.stop(10)
    with pytest.raises(Busy):
        inbox.move(("._x",), ("a.dcm",), replace=False)
    assert names(inbox) == ["._x"]


@both
def test_what_was_refused_can_be_tried_again(inbox: Inbox, orthanc: MemoryOrthanc, act: Relocate) -> None:
    """A refused file can be retried by moving it out of rejected/; a second refusal adds no second file there."""
    for data in (BROKEN, CHANGED):
        inbox.write(("ct.dcm",), CT)
        with pytest.raises(PathError):
            inbox.write(("a.dcm",), data)
        with pytest.raises((Rejected, Conflict)):
            act(inbox, ("rejected", "a.dcm"), ("b.dcm",), replace=False)
        assert names(inbox, ("rejected",)) == ["a.dcm", "a.dcm.txt"]
        orthanc.files.clear()
        if data == CHANGED:
            act(inbox, ("rejected", "a.dcm"), ("b.dcm",), replace=False)
            assert content(inbox, ("b.dcm",)) == CHANGED
            assert ("a.dcm" in names(inbox, ("rejected",))) == (act is Inbox.copy)
        inbox.copy(("rejected", "a.dcm.txt"), ("why.txt",), replace=True)
        inbox.delete(("rejected",))


def fill(inbox: Inbox) -> None:
    """Create a file of each kind, and one that is refused."""
    for folder in (("d",), ("d", "e"), ("__MACOSX",), ("empty",)):
        inbox.make_folder(folder)
    inbox.write(("a",), b"text")
    inbox.write(("__MACOSX", "._a"), CT)
    inbox.write(("._b",), b"text")
    with pytest.raises(Rejected):
        inbox.write(("x.dcm",), BROKEN)


@both
@pytest.mark.parametrize(
    ("error", "source", "target"),
    [
        (Forbidden, (), ("new",)),
        (Forbidden, ("a",), ()),
        (Forbidden, ("a",), ("rejected",)),
        (Forbidden, ("a",), ("rejected", "a")),
        (Forbidden, ("d",), ("rejected",)),
        (Forbidden, ("rejected",), ("new",)),
        (Forbidden, ("rejected", "x.dcm"), ("rejected", "y.dcm")),
        (Forbidden, ("__MACOSX",), ("new",)),
        (Forbidden, ("a",), ("a",)),
        (Forbidden, ("d",), ("d", "e", "f")),
        (NotFound, ("x",), ("new",)),
        (NotFound, ("rejected", "x"), ("new",)),
        (NotFound, ("d", "x"), ("new",)),
        (ParentMissing, ("a",), ("x", "new")),
        (ParentMissing, ("._b",), ("x", "new")),
        (BadName, ("a",), ("new.",)),
        (BadName, ("._b",), ("new.",)),
        (IsAFolder, ("._b",), ("d",)),
    ],
)
def test_what_cannot_be_done_is_an_error(
    inbox: Inbox, act: Relocate, error: type[PathError], source: Path, target: Path
) -> None:
    """Each impossible move or copy has its error class and a path of the inbox, and changes nothing."""
    fill(inbox)
    before = names(inbox)
    with pytest.raises(PathError) as caught:
        act(inbox, source, target, replace=True)
    assert type(caught.value) is error
    assert caught.value.path in (source, target, source[:-1], target[:-1])
    assert (names(inbox), names(inbox, ("rejected",))) == (before, ["x.dcm", "x.dcm.txt"])


@both
@pytest.mark.parametrize("source", [("a",), ("._b",), ("d",)])
def test_what_is_there_stays_unless_it_may_be_replaced(inbox: Inbox, act: Relocate, source: Path) -> None:
    """Existing files and folders are not replaced unless that is allowed, and nothing is imported for them."""
    fill(inbox)
    inbox.write(("there",), b"there")
    for target in (("there",), ("empty",)):
        with pytest.raises(AlreadyExists):
            act(inbox, source, target, replace=False)
    assert content(inbox, ("there",)) == b"there"


@both
def test_what_is_gone_or_expired_is_neither_moved_nor_in_the_way(
    inbox: Inbox, orthanc: MemoryOrthanc, tmp_path: DiskPath, act: Relocate
) -> None:
    """A receipt whose instance is gone, or an expired file, is not found, and does not block its name."""
    inbox.write(("gone.dcm",), CT)
    inbox.write(("gone too.dcm",), MR)
    inbox.write(("._old",), CT)
    os.utime(tmp_path / "files" / "._old", (0, 0))
    inbox.write(("a",), b"text")
    orthanc.files.clear()
    for source in (("gone.dcm",), ("._old",)):
        with pytest.raises(NotFound):
            act(inbox, source, ("new",), replace=True)
    act(inbox, ("a",), ("gone too.dcm",), replace=False)
    assert content(inbox, ("gone too.dcm",)) == b"text"


def test_a_desktops_folder_can_be_copied_empty(inbox: Inbox) -> None:
    """A folder of files that were never imported cannot be moved out; its files can."""
    fill(inbox)
    inbox.copy(("__MACOSX",), ("new",), replace=False, deep=False)
    assert names(inbox, ("new",)) == []
    inbox.move(("__MACOSX",), (".Trashes",), replace=False)
    inbox.move((".Trashes", "._a"), ("new", "a.dcm"), replace=False)
    assert inbox.stat(("new", "a.dcm")).media_type == "application/dicom"


def test_without_uploads_nothing_is_moved(inbox: Inbox, orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes) -> None:
    """With AllowUpload false, nothing can be moved or copied."""
    inbox.write(("a",), b"text")
    readonly = Inbox(orthanc, spool, lanes, Importer(orthanc), allow_upload=False)
    for act in (readonly.move, readonly.copy):
        for source in (("a",), (), ("rejected",), ("x",)):
            with pytest.raises(Forbidden, match="switched off"):
                act(source, ("b",), replace=True)
    assert names(readonly) == ["a"]
