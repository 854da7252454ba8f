"""Tests of uploads that the inbox refuses, and of inbox/rejected/."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as DiskPath

import pytest

from davfs.entry import Path
from davfs.errors import (
    AlreadyExists,
    BadFile,
    BadName,
    Conflict,
    Forbidden,
    IsAFolder,
    NoSpace,
    NotAFolder,
    NotFound,
    OrthancError,
    ParentMissing,
    PathError,
    Rejected,
    StorageFull,
    Unavailable,
)
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.orthanc import StoreStatus
from davfs.spool.spool import Spool
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CHANGED, CT, NO_PREAMBLE, content, names
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes, inbox = inboxes.orthanc, inboxes.spool, inboxes.lanes, inboxes.inbox


@pytest.mark.parametrize(
    ("error", "answer", "reason"),
    [
        (Rejected, StoreStatus.FILTERED_OUT, "filter"),
        (Rejected, StoreStatus.FAILURE, "failed to store"),
        (Rejected, BadFile("bad"), "cannot read it"),
        (NoSpace, StorageFull("full"), "no room"),
    ],
)
def test_a_refusal_is_an_error_and_keeps_the_file(
    inbox: Inbox, orthanc: MemoryOrthanc, error: type[PathError], answer: StoreStatus | OrthancError, reason: str
) -> None:
    """A refused upload is an error; the file is in rejected/ with the reason beside it, and not at its path."""
    inbox.make_folder(("cd",))
    if isinstance(answer, StoreStatus):
        orthanc.answer = answer
    else:
        orthanc.failure = answer
    with pytest.raises(error, match=reason) as caught:
        inbox.write(("cd", "a.dcm"), CT)
    assert caught.value.path == ("cd", "a.dcm")
    assert names(inbox) == ["cd", "rejected"]
    assert names(inbox, ("cd",)) == []
    assert names(inbox, ("rejected",)) == ["a.dcm", "a.dcm.txt"]
    assert content(inbox, ("rejected", "a.dcm")) == CT
    text = content(inbox, ("rejected", "a.dcm.txt")).decode()
    assert reason in text
    assert "cd/a.dcm" in text


def test_a_contradiction_is_a_conflict(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Another image with known identifiers is a conflict, and Orthanc's own file is unchanged."""
    inbox.write(("a.dcm",), CT)
    with pytest.raises(Conflict, match="different file"):
        inbox.write(("b.dcm",), CHANGED)
    assert orthanc.files == {identify(CT): CT}
    assert content(inbox, ("rejected", "b.dcm")) == CHANGED


def test_a_zip_with_a_refused_member_is_rejected(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    """A ZIP with a refused member is rejected; only the text beside it names members, not the error or the log."""
    caplog.set_level(logging.DEBUG)
    data = zipped({"Doe/1": CT, "Doe/2": BROKEN})
    with pytest.raises(Rejected, match="1 of the 2") as caught:
        inbox.write(("study.zip",), data)
    assert content(inbox, ("rejected", "study.zip")) == data
    assert b"Doe/2: " in content(inbox, ("rejected", "study.zip.txt"))
    assert "Doe" not in str(caught.value) + caplog.text
    assert names(inbox) == ["rejected"]


def test_refused_files_of_one_name_are_numbered(inbox: Inbox) -> None:
    """Refused files of one name are numbered, so that all are kept; names of the maximum length are shortened."""
    for _ in range(3):
        with pytest.raises(Rejected):
            inbox.write(("a.dcm",), BROKEN)
    assert [name for name in names(inbox, ("rejected",)) if name.endswith("dcm")] == [
        "a (2).dcm",
        "a (3).dcm",
        "a.dcm",
    ]
    long = "é" * 125 + ".dcm"
    for _ in range(2):
        with pytest.raises(Rejected):
            inbox.write((long,), BROKEN)
    assert len(names(inbox, ("rejected",))) == 10
    assert all(len(name.encode()) <= 255 for name in names(inbox, ("rejected",)))


@pytest.mark.parametrize("name", ["x" * 255, "." + "x" * 254, "a." + "x" * 253, "山" * 85, "x" * 240 + ". x", "a.txt"])
def test_refused_files_of_any_name_are_kept(inbox: Inbox, name: str) -> None:
    """Refused files of any name are kept, even if the name has to be shortened."""
    for count in (2, 4):
        with pytest.raises(Rejected):
            inbox.write((name,), BROKEN)
        assert len(names(inbox, ("rejected",))) == count


def test_refused_files_of_one_name_do_not_overwrite_each_other(inbox: Inbox) -> None:
    """Concurrent refused uploads of the same name do not overwrite each other."""

    def refuse(number: int) -> None:
        with pytest.raises(Rejected):
            inbox.write(("a.dcm",), BROKEN + bytes([number]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(refuse, range(4)))
    files = [name for name in names(inbox, ("rejected",)) if not name.endswith(".txt")]
    assert {content(inbox, ("rejected", name))[-1] for name in files} == {0, 1, 2, 3}


def test_an_expired_refusal_does_not_block_its_name(inbox: Inbox, tmp_path: DiskPath) -> None:
    """An expired file that was not removed yet is replaced by the next refused one."""
    for number in range(2):
        with pytest.raises(Rejected):
            inbox.write(("a.dcm",), BROKEN + bytes([number]))
        assert content(inbox, ("rejected", "a.dcm"))[-1] == number
        for name in ("a.dcm", "a.dcm.txt"):
            os.utime(tmp_path / "files" / "rejected" / name, (0, 0))


def test_rejected_is_there_only_with_something_in_it(inbox: Inbox) -> None:
    """The folder rejected/ can be listed and emptied, and exists only while it has files."""
    with pytest.raises(Rejected):
        inbox.write(("a.dcm",), BROKEN)
    inbox.delete(("rejected", "a.dcm"))
    assert names(inbox, ("rejected",)) == ["a.dcm.txt"]
    inbox.delete(("rejected", "a.dcm.txt"))
    assert names(inbox) == []
    for act in (inbox.stat, inbox.list, inbox.delete):
        with pytest.raises(NotFound):
            act(("rejected",))
    with pytest.raises(Rejected):
        inbox.write(("a.dcm",), BROKEN)
    inbox.delete(("rejected",))
    assert names(inbox) == []


def test_a_full_spool_does_not_hide_the_refusal(
    orthanc: MemoryOrthanc, lanes: Lanes, tmp_path: DiskPath, caplog: pytest.LogCaptureFixture
) -> None:
    """The error has Orthanc's reason although the file cannot be kept; the log names no file."""
    inbox = Inbox(orthanc, Spool(tmp_path, maximum_size=10, maximum_age=86400), lanes, Importer(orthanc))
    with pytest.raises(Rejected, match="cannot read it"):
        inbox.write(("doe.dcm",), BROKEN)
    assert names(inbox) == []
    assert "NoSpace" in caplog.text
    assert "doe" not in caplog.text
    with pytest.raises(NoSpace):
        inbox.write(("a.txt",), b"more than ten bytes")
    with pytest.raises(NoSpace):
        inbox.write(("a.zip",), zipped({"1": CT}))
    assert orthanc.files == {}
    assert inbox.write(("a.dcm",), CT).size == len(CT)


def test_nothing_is_kept_while_orthanc_cannot_answer(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """If Orthanc does not answer, an upload is neither acknowledged nor refused, and nothing is kept."""
    orthanc.failure = Unavailable("down")
    with pytest.raises(Unavailable):
        inbox.write(("a.dcm",), CT)
    with pytest.raises(Unavailable):
        inbox.write(("a.zip",), zipped({"1": CT}))
    assert names(inbox) == []


@pytest.mark.parametrize(
    ("error", "path"),
    [(ParentMissing, ("x", "a")), (ParentMissing, ("file", "a")), (IsAFolder, ("folder",)), (BadName, ("a.",))],
)
@pytest.mark.parametrize("data", [CT, NO_PREAMBLE, zipped({"1": CT}), b"text"])
def test_what_cannot_be_kept_is_not_imported(
    inbox: Inbox, orthanc: MemoryOrthanc, error: type[PathError], path: Path, data: bytes
) -> None:
    """An upload to an impossible path is refused before Orthanc gets it."""
    inbox.make_folder(("folder",))
    inbox.write(("file",), b"")
    with pytest.raises(error):
        inbox.write(path, data)
    assert orthanc.uploads == 0


def test_what_is_forbidden_is_forbidden(inbox: Inbox) -> None:
    """The inbox itself cannot be replaced, and nothing can be written into rejected/."""
    with pytest.raises(Forbidden):
        inbox.write((), CT)
    with pytest.raises(Forbidden):
        inbox.delete(())
    for path in (("rejected",), ("rejected", "a"), ("rejected", "a", "b")):
        with pytest.raises(Forbidden):
            inbox.write(path, CT)
        with pytest.raises(Forbidden):
            inbox.make_folder(path)
    with pytest.raises(AlreadyExists):
        inbox.make_folder(())
    inbox.write(("a",), b"")
    with pytest.raises(NotAFolder):
        inbox.list(("a",))
    assert inbox.stat(()).is_folder
