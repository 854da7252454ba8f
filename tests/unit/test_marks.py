"""Tests of reading and changing the marks of studies."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from davfs.errors import OrthancError, UnknownResource, UnreadableMark, ValueChanged
from davfs.orthanc import Level, MetadataValue, OrthancId
from davfs.trash.mark import Deletion, EntryId, StudyMark
from davfs.trash.marks import DEFAULT_NUMBER, OrthancMarks, decode
from tests.support.five_images import FIRST, UNKNOWN, fill, path
from tests.support.memory_orthanc import MemoryOrthanc
from tests.support.trashing import taking, without
from tests.unit.test_mark import NOON, one

STUDY, SERIES = path(FIRST)[Level.STUDY], path(FIRST)[Level.SERIES]


def deletion(number: int) -> Deletion:
    """Return a deletion of one instance."""
    return Deletion(EntryId(str(number)), NOON, "", "", "webdav", "t", "l", ("t",), {SERIES: frozenset([one(number)])})


@pytest.fixture
def orthanc() -> MemoryOrthanc:
    """An Orthanc with some images."""
    found = MemoryOrthanc()
    fill(found)
    return found


def test_change(orthanc: MemoryOrthanc) -> None:
    """A mark is made, changed and deleted; each change is reported, and what changes nothing is not written."""
    told = list[StudyMark | None]()
    marks = OrthancMarks(orthanc, changed=lambda study: told.append(marks.read(study)))
    assert marks.read(STUDY) is None
    first = marks.change(STUDY, partial(taking, deletion(1)))
    assert marks.read(STUDY) == first == StudyMark((deletion(1),))
    last = orthanc.last_change()
    assert marks.change(STUDY, lambda mark: mark) == first
    assert orthanc.last_change() == last
    assert marks.change(STUDY, partial(without, EntryId("1"))) is None
    assert orthanc.metadata(STUDY, DEFAULT_NUMBER) is None
    assert marks.change(STUDY, lambda mark: mark) is None
    assert told == [first, first, None, None]


def test_threads(orthanc: MemoryOrthanc) -> None:
    """Of changes at the same time, none is lost."""
    marks = OrthancMarks(orthanc)
    threads = [threading.Thread(target=marks.change, args=(STUDY, partial(taking, deletion(n)))) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    mark = marks.read(STUDY)
    assert mark
    assert sorted(each.id for each in mark.deletions) == [str(n) for n in range(8)]


def test_another_writer(orthanc: MemoryOrthanc) -> None:
    """What another program writes between reading and writing is kept, also where it was the first."""
    marks, other = OrthancMarks(orthanc), OrthancMarks(orthanc)
    calls = list[StudyMark]()

    def slow(mark: StudyMark) -> StudyMark:
        calls.append(mark)
        if len(calls) == 1:
            other.change(STUDY, partial(taking, deletion(1)))
        return taking(deletion(2), mark)

    assert marks.change(STUDY, slow) == StudyMark((deletion(1), deletion(2)))
    assert len(calls) == 2


def test_endless_conflicts(orthanc: MemoryOrthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark that cannot be changed for conflicts is an error, not an endless loop."""

    def changed(*_arguments: object) -> None:
        raise ValueChanged("again")

    monkeypatch.setattr(orthanc, "set_metadata", changed)
    with pytest.raises(ValueChanged):
        OrthancMarks(orthanc).change(STUDY, partial(taking, deletion(1)))


def test_unreadable(orthanc: MemoryOrthanc, caplog: pytest.LogCaptureFixture) -> None:
    """A mark that cannot be read is not touched, and is reported without what it holds."""
    orthanc.set_metadata(STUDY, DEFAULT_NUMBER, b"Doe", None)
    with pytest.raises(UnreadableMark):
        OrthancMarks(orthanc).change(STUDY, partial(taking, deletion(1)))
    assert (found := orthanc.metadata(STUDY, DEFAULT_NUMBER))
    assert found.value == b"Doe"
    assert not decode(STUDY, found.value).is_readable
    assert STUDY in caplog.text
    assert "Doe" not in caplog.text


def test_missing(orthanc: MemoryOrthanc) -> None:
    """There is no mark of a study that does not exist."""
    with pytest.raises(UnknownResource):
        OrthancMarks(orthanc).read(UNKNOWN)
    with pytest.raises(UnknownResource):
        OrthancMarks(orthanc).change(UNKNOWN, lambda mark: mark)


@pytest.mark.parametrize("before", [False, True])
def test_a_short_column(orthanc: MemoryOrthanc, monkeypatch: pytest.MonkeyPatch, *, before: bool) -> None:
    """A database that cuts off long values keeps the mark as it was, and the deletion fails."""
    marks, write = OrthancMarks(orthanc), orthanc.set_metadata

    def cut(study: OrthancId, number: int, value: bytes, expected: MetadataValue | None) -> None:
        write(study, number, value[:65_535], expected)

    monkeypatch.setattr(orthanc, "set_metadata", cut)
    kept = marks.change(STUDY, partial(taking, deletion(1))) if before else None
    long = Deletion(EntryId("long"), NOON, "", "", "", "", "", (), {SERIES: frozenset(map(one, range(3000)))})
    with pytest.raises(OrthancError, match="fewer"):
        marks.change(STUDY, partial(taking, long))
    assert marks.read(STUDY) == kept


def test_the_lock_of_several_nodes(orthanc: MemoryOrthanc) -> None:
    """A change holds the lock of its study from reading to writing."""
    events = list[str]()

    @contextmanager
    def locked(study: OrthancId) -> Iterator[None]:
        events.append(f"lock {study}")
        yield
        events.append("unlock")

    def add(mark: StudyMark) -> StudyMark:
        events.append("change")
        return taking(deletion(1), mark)

    OrthancMarks(orthanc, locked=locked).change(STUDY, add)
    assert events == [f"lock {STUDY}", "change", "unlock"]
