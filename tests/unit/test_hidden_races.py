"""Requests at the same moment as changes of the trash: each shows what was committed before it came."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from davfs.catalog.store import Store
from davfs.errors import Unavailable
from davfs.orthanc import OrthancId
from davfs.trash.known_marks import KnownMarks
from davfs.trash.marks import DEFAULT_NUMBER
from tests.support.memory_orthanc import MemoryOrthanc
from tests.support.trashing import restore, trash
from tests.unit.test_hidden_model import CONTENTS, IDS, Drive, walk

TIMEOUT = 10.0


class SlowOrthanc(MemoryOrthanc):
    """Holds the first call of one method until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.held = ""
        self.waiting, self.go_on = threading.Event(), threading.Event()

    def hold(self, method: str) -> None:
        """Hold the next call of a method."""
        self.waiting.clear()
        self.go_on.clear()
        self.held = method

    def _pass(self, method: str) -> None:
        if self.held == method:
            self.held = ""
            self.waiting.set()
            assert self.go_on.wait(TIMEOUT)

    def series_of(self, studies: Sequence[OrthancId]) -> Any:
        """See `Orthanc`."""
        self._pass("series_of")
        return super().series_of(studies)

    def metadata_of(self, studies: Sequence[OrthancId], number: int, prefix: str) -> Any:
        """See `Orthanc`; the answer of a held call is that of the time when it came."""
        found = super().metadata_of(studies, number, prefix)
        self._pass("metadata_of")
        return found


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    """Yield a drive with a complete index of 16 images."""
    orthanc = SlowOrthanc()
    for content in CONTENTS.values():
        orthanc.store(content)
    made = Drive(orthanc, tmp_path / "index.sqlite")
    made.index()
    yield made
    made.store.close()


@pytest.mark.parametrize("method", ["series_of", "metadata_of"])
def test_two_requests_read_the_same_entry(drive: Drive, method: str) -> None:
    """While one request still handles a change in the log, the next one shows it already; hidden, and restored."""
    hidden = set(IDS[:4])
    whole = walk(drive.trees[0])
    entry = trash(drive.orthanc, hidden)
    without = {path: one for path, one in whole.items() if path[:2] != ("Doe a", "Study 1")}
    for wanted in (without, whole):
        drive.orthanc.hold(method)
        first = threading.Thread(target=walk, args=(drive.trees[0],))
        first.start()
        assert drive.orthanc.waiting.wait(TIMEOUT)
        assert walk(drive.trees[0]) == wanted
        drive.orthanc.go_on.set()
        first.join(TIMEOUT)
        assert walk(drive.trees[0]) == wanted
        restore(drive.orthanc, entry)


def test_a_late_answer(drive: Drive) -> None:
    """An answer about a mark that comes after a newer one changes nothing."""
    (study,) = drive.orthanc.studies_of([IDS[0]])
    known = KnownMarks(drive.orthanc, drive.store.marks, DEFAULT_NUMBER)
    drive.orthanc.hold("metadata_of")
    late = threading.Thread(target=known.read, args=([study],))
    late.start()
    assert drive.orthanc.waiting.wait(TIMEOUT)
    trash(drive.orthanc, [IDS[0]])
    known.read([study])
    drive.orthanc.go_on.set()
    late.join(TIMEOUT)
    assert study in known
    assert IDS[0] not in walk(drive.trees[0]).values()


def test_orthanc_does_not_answer(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the mark cannot be read, nothing is shown, and the next request reads it."""
    trash(drive.orthanc, [IDS[0]])

    def refused(*_arguments: Any) -> Any:
        raise Unavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(drive.orthanc, "metadata_of", refused)
        for _ in range(2):
            with pytest.raises(Unavailable):
                walk(drive.trees[0])
    assert IDS[0] not in walk(drive.trees[0]).values()


def test_killed_between_mark_and_log(drive: Drive, tmp_path: Path) -> None:
    """A drive that is killed after it has read a mark, and before it has noted that in the log, reads it again."""
    trash(drive.orthanc, [IDS[0]])
    entries = drive.orthanc.changes(drive.store.log.position.seen).entries
    KnownMarks(drive.orthanc, drive.store.marks, DEFAULT_NUMBER).read([each.id for each in entries])
    again = Drive(drive.orthanc, tmp_path / "index.sqlite")
    assert IDS[0] not in walk(again.trees[0]).values()
    again.store.close()


def test_another_number(drive: Drive, tmp_path: Path) -> None:
    """With another number of the metadata, the index is built again, since it has the marks of the former one."""
    trash(drive.orthanc, [IDS[0]])
    drive.shown()
    assert drive.store.marks.values
    placer = drive.store.layouts.wanted
    drive.store.close()
    store = Store(tmp_path / "index.sqlite", placer, mark_number=5000)
    assert not store.marks.values
    assert not store.is_complete
    store.close()


def test_many_writers_and_readers(drive: Drive) -> None:
    """While marks change all the time, each listing after a change shows it, whatever other threads do."""
    ours, theirs = IDS[0], IDS[8]
    stopping = threading.Event()
    failures = list[BaseException]()

    def disturb() -> None:
        try:
            while not stopping.is_set():
                restore(drive.orthanc, trash(drive.orthanc, [theirs]))
                walk(drive.trees[1])
        except BaseException as error:  # noqa: BLE001  it is raised below
            failures.append(error)

    others = [threading.Thread(target=disturb) for _ in range(2)]
    for each in others:
        each.start()
    try:
        for _ in range(20):
            entry = trash(drive.orthanc, [ours])
            assert ours not in walk(drive.trees[0]).values()
            restore(drive.orthanc, entry)
            assert ours in walk(drive.trees[0]).values()
    finally:
        stopping.set()
        for each in others:
            each.join(TIMEOUT)
    assert not failures


def test_nothing_is_written_by_listing(drive: Drive) -> None:
    """Listing reads marks and never changes one."""
    trash(drive.orthanc, [IDS[0]])
    last = drive.orthanc.last_change()
    drive.shown()
    assert drive.orthanc.last_change() == last
