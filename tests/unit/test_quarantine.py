"""Tests of the quarantine's thread, of the folder where it keeps files, and of what it says."""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path as DiskPath
from typing import TypeVar

import pytest

from davfs.entry import Path
from davfs.errors import AlreadyExists, Conflict, Forbidden, Held, NotFound, OrthancError, Unavailable
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.imports.quarantined import QuarantineFolder
from davfs.quarantine.accepted import AcceptedIdentities
from davfs.quarantine.folding import fold, foldings
from davfs.quarantine.follower import QuarantineFollower, StudyIdentities
from davfs.quarantine.identity import REASON, Contradicting, PatientIdentity, Quarantined, unpack_known
from davfs.spool.spool import Spool
from tests.support import inbox as inboxes
from tests.support.inbox import CT, MR, content, names
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.waiting import eventually
from tests.support.zips import zipped

T = TypeVar("T")

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes = inboxes.orthanc, inboxes.spool, inboxes.lanes

HELD = Quarantined(
    "42", PatientIdentity("ROE^JANE", "19600101", ""), "1.2.3", ((PatientIdentity("DOE", "", "M"), Contradicting.NAME),)
)
PLACE = ("quarantine", "42", "1.2.3.dcm")


class HoldsAll:
    """An import filter that holds everything that is not accepted, or a part of it."""

    def __init__(self, held: Callable[[], bool] = lambda: True) -> None:
        self.held = held
        self.ready = True

    def judged(self, job: Callable[[], T], *, accepted: bool) -> T:
        """See `ImportFilter`."""
        if not self.ready:
            raise Unavailable("not yet")
        if not accepted and self.held():
            raise Held(REASON, HELD.lines(), HELD.patient)
        return job()


@pytest.fixture
def inbox(orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes) -> Inbox:
    """An inbox behind a filter that holds everything."""
    return Inbox(orthanc, spool, lanes, Importer(orthanc, import_filter=HoldsAll()), accepting=True)


def text(inbox: Inbox, path: Path) -> str:
    """Read the text beside a file in quarantine."""
    return content(inbox, (*path[:-1], f"{path[-1]}.txt")).decode()


def test_what_is_held_is_a_conflict_and_lies_in_quarantine(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """The reason has no data of the patient; the text has; nothing is at the path, and nothing in rejected/."""
    with pytest.raises(Conflict) as caught:
        inbox.write(("a.dcm",), CT)
    assert "ROE" not in caught.value.reason
    assert names(inbox) == ["accepted", "quarantine"]
    assert content(inbox, ("quarantine", "42", "a.dcm")) == CT
    assert "ROE^JANE, born 1960-01-01" in text(inbox, ("quarantine", "42", "a.dcm"))
    assert not orthanc.files


def test_nothing_is_kept_while_it_cannot_be_known(orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes) -> None:
    """Before all identities are known, an upload is to be tried again."""
    waiting = HoldsAll()
    waiting.ready = False
    inbox = Inbox(orthanc, spool, lanes, Importer(orthanc, import_filter=waiting), accepting=True)
    with pytest.raises(Unavailable):
        inbox.write(("a.dcm",), CT)
    assert names(inbox) == ["accepted"]


def test_accepted_files_are_imported(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """A file that is moved to accepted/, or written there, passes; its text and the folder are gone."""
    with pytest.raises(Conflict):
        inbox.write(("a.dcm",), CT)
    inbox.move(("quarantine", "42", "a.dcm"), ("accepted", "a.dcm"), replace=False)
    inbox.write(("accepted", "m.dcm"), MR)
    assert set(orthanc.files) == {identify(CT), identify(MR)}
    assert names(inbox) == ["accepted"]
    assert names(inbox, ("accepted",)) == ["a.dcm", "m.dcm"]


def test_a_zip_can_be_accepted(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Of a ZIP its members lie in quarantine; in accepted/ they are imported."""
    packed = zipped({"x/../a.dcm": CT, "b\\c.dcm": MR})
    with pytest.raises(Conflict, match="2 of the 2 files"):
        inbox.write(("all.zip",), packed)
    assert names(inbox, ("quarantine", "42")) == ["a.dcm", "a.dcm.txt", "c.dcm", "c.dcm.txt"]
    inbox.write(("accepted", "all.zip"), packed)
    assert set(orthanc.files) == {identify(CT), identify(MR)}


def test_a_folder_can_be_accepted(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """A folder in quarantine is let in file by file, under a name that is free; elsewhere it cannot be moved."""
    for name, file in (("a.dcm", CT), ("m.dcm", MR)):
        with pytest.raises(Conflict):
            inbox.write((name,), file)
    inbox.make_folder(("accepted", "x"))
    with pytest.raises(AlreadyExists):
        inbox.move(("quarantine", "42"), ("accepted", "x"), replace=False)
    with pytest.raises(Forbidden):
        inbox.move(("quarantine", "42"), ("x",), replace=False)
    inbox.move(("quarantine", "42"), ("accepted", "y"), replace=False)
    assert set(orthanc.files) == {identify(CT), identify(MR)}
    assert names(inbox, ("accepted", "y")) == ["a.dcm", "m.dcm"]
    with pytest.raises(NotFound):
        inbox.stat(("quarantine",))


@pytest.mark.parametrize(
    "path", [("quarantine",), ("quarantine", "42"), ("quarantine", "42", "x"), ("quarantine", "y")]
)
def test_only_the_drive_writes_into_quarantine(inbox: Inbox, path: Path) -> None:
    """Nobody else puts files there, or moves the folder."""
    with pytest.raises(Conflict):
        inbox.write(("a.dcm",), CT)
    with pytest.raises(Forbidden):
        inbox.write((*path, "new.txt"), b"x")
    with pytest.raises(Forbidden):
        inbox.make_folder((*path, "new"))
    for own in ("quarantine", "accepted"):
        with pytest.raises(Forbidden):
            inbox.move((own,), ("other",), replace=False)
    assert not inbox.takes_files(path)


def test_elsewhere_it_is_held_again(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Moved to another folder than accepted/, a file stays where it is, and no second copy is made."""
    with pytest.raises(Conflict):
        inbox.write(("a.dcm",), CT)
    with pytest.raises(Conflict):
        inbox.move(("quarantine", "42", "a.dcm"), ("b.dcm",), replace=False)
    assert names(inbox, ("quarantine", "42")) == ["a.dcm", "a.dcm.txt"]
    assert not orthanc.files


def test_accepted_is_an_ordinary_folder_without_quarantine(orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes) -> None:
    """Without the setting, accepted/ is not made."""
    plain = Inbox(orthanc, spool, lanes, Importer(orthanc))
    assert names(plain) == []
    plain.make_folder(("accepted",))
    plain.move(("accepted",), ("other",), replace=False)


def test_an_arrival_is_kept_once(spool: Spool) -> None:
    """The same instance adds nothing, other ones of the same UID do, up to nine."""
    folder = QuarantineFolder(spool)
    assert all(folder.keep_arrival(HELD, memoryview(b"x")) for _ in range(3))
    assert [folder.keep_arrival(HELD, memoryview(bytes([number]))) for number in range(9)] == [*[True] * 8, False]
    assert len(spool.list(PLACE[:2])) == 18
    assert not folder.keep_arrival(HELD, memoryview(b""))


def test_arrivals_leave_half_of_the_inbox(tmp_path: DiskPath) -> None:
    """What senders were refused takes no more than half of the quota."""
    spool = Spool(tmp_path, maximum_size=100_000, maximum_age=0)
    folder = QuarantineFolder(spool)
    kept = [folder.keep_arrival(HELD, memoryview(bytes([number]) * 10_000)) for number in range(9)]
    assert kept[:3] == [True] * 3
    assert kept[6:] == [False] * 3
    spool.write(("mine",), bytes(40_000))


def test_a_text_names_all_that_contradicts() -> None:
    """Each known identity is in it, with the attributes that contradict."""
    packed = b"DOE^JOHN\x0019500101\0M\x007\0\0\0F\x002\0"
    known = tuple(unpack_known(packed))
    lines = Quarantined("42", PatientIdentity("", "1960", "X"), "1.2", known, "CT1").lines()
    assert known[1] == (PatientIdentity("", "", "F"), Contradicting.SEX)
    assert "This file:        no name, born 1960, sex X" in lines
    assert "Sent by:          CT1" in lines
    all_of_it = "DOE^JOHN, born 1950-01-01, sex M (no part of the name is the same, another date of birth, another sex)"
    assert f"In the archive:   {all_of_it}" in lines


def test_foldings_are_in_order_and_fit() -> None:
    """Characters come in ascending order, in bytes for which native/davfs.h has room; accents vanish."""
    found = list(foldings())
    assert [code for code, _ in found] == sorted(code for code, _ in found)
    assert all(len(text) <= 11 for _, text in found)
    assert dict(found)[ord("é")] == b"e"
    assert dict(found)[0x301] == b""
    assert fold("・") == " "


class Table:
    """Records what is set."""

    def __init__(self) -> None:
        self.studies: dict[str, Mapping[str, str]] = {}
        self.complete = False
        self.settled = 0

    def set_study(self, study: str, patient: Mapping[str, str]) -> None:
        """See `IdentityTable`."""
        self.studies[study] = patient

    def forget_study(self, study: str) -> None:
        """See `IdentityTable`."""
        self.studies.pop(study, None)

    def clear(self) -> None:
        """See `IdentityTable`."""
        self.studies.clear()

    def set_complete(self, *, complete: bool) -> None:
        """See `IdentityTable`."""
        self.complete = complete

    def settle(self, seconds: float) -> None:
        """See `IdentityTable`."""
        assert seconds > 0
        self.settled += 1


class Queue:
    """Instances that were held."""

    def __init__(self) -> None:
        self.held: deque[Quarantined] = deque()
        self.unqueued = 0

    def take(self, timeout: float, keep: Callable[[Quarantined, memoryview], None]) -> bool:
        """See `HeldQueue`."""
        assert timeout < 1
        if not self.held:
            return False
        keep(self.held.popleft(), memoryview(b"x"))
        return True

    def lost(self) -> int:
        """See `HeldQueue`."""
        lost, self.unqueued = self.unqueued, 0
        return lost


class Index:
    """An index that is built after some readings of the log, and may fail."""

    def __init__(self) -> None:
        self.readings = 0
        self.failure: Exception | None = None

    @property
    def may_lack_resources(self) -> bool:
        """See `FollowedIndex`."""
        return self.readings < 3

    def refresh(self) -> None:
        """See `FollowedIndex`."""
        self.readings += 1
        if self.failure:
            failure, self.failure = self.failure, None
            raise failure


def followed(
    table: Table, queue: Queue, index: Index, until: Callable[[], bool], *, keep: bool = True
) -> list[Quarantined]:
    """Run the thread until something holds; return what it kept."""
    kept: list[Quarantined] = []

    def keep_one(held: Quarantined, _content: memoryview) -> bool:
        kept.append(held)
        return keep

    clock = iter(range(0, 1_000_000, 30))
    studies = StudyIdentities(table)
    load = lambda: studies.changed({"a": {"PatientID": "1"}})  # noqa: E731
    thread = QuarantineFollower(studies, queue, load, keep_one, lambda: float(next(clock)))
    thread.start(index)
    try:
        assert eventually(until)
    finally:
        assert thread.stop(10)
    return kept


def test_the_table_is_complete_once_the_index_is() -> None:
    """All studies are set first; the table is complete when the index lacks nothing."""
    table, index = Table(), Index()
    followed(table, Queue(), index, lambda: table.complete)
    assert table.studies == {"a": {"PatientID": "1"}}
    assert index.readings >= 3
    assert table.settled


@pytest.mark.parametrize("failure", [OrthancError("away"), RuntimeError("ROE^JANE")])
def test_failures_are_retried(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """An Orthanc that does not answer, or a mistake, does not end the thread; the log does not quote it."""
    table, index = Table(), Index()
    index.failure = failure
    followed(table, Queue(), index, lambda: table.complete)
    assert "tries again" in caplog.text
    assert "ROE" not in caplog.text


def test_what_was_held_is_kept_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The log has numbers, and no names."""
    table, queue = Table(), Queue()
    queue.held.extend([HELD] * 3)
    queue.unqueued = 2
    kept = followed(table, queue, Index(), lambda: "there was no room" in caplog.text and not queue.held, keep=False)
    assert kept == [HELD] * 3
    assert "ROE" not in caplog.text


def test_an_observer_that_missed_changes_reads_all_again() -> None:
    """After a failure the table is incomplete until all studies are set again."""
    table = Table()
    studies = StudyIdentities(table)
    studies.load(lambda: studies.changed({"a": {}, "b": None}))
    assert studies.is_loaded
    table.complete = True
    studies.missed()
    assert not studies.is_loaded
    assert not table.complete
    with pytest.raises(RuntimeError):
        studies.load(_fail)
    assert not studies.is_loaded
    studies.cleared()
    assert not table.studies


def _fail() -> None:
    raise RuntimeError


def test_accepted_identities_survive_a_restart(tmp_path: DiskPath) -> None:
    """Each is kept once, in a file that nobody else can read; damaged lines cost themselves alone."""
    file = tmp_path / "accepted.jsonl"
    first, second = ("1", "ROE^JANE", "", "F", "1.2"), ("2", "山田^太郎", "19500101", "", "1.3")
    for each in (first, second, first):
        AcceptedIdentities(file).add(each)
    assert file.stat().st_mode & 0o777 == 0o600
    assert AcceptedIdentities(file).all() == (first, second)
    file.write_bytes(file.read_bytes() + b'\n["cut')
    AcceptedIdentities(file).add(("3", "", "", "", ""))
    file.write_bytes(file.read_bytes() + b'\n{"a": 1}\n["1", 2, 3, 4, 5]\n\xff')
    assert AcceptedIdentities(file).all() == (first, second, ("3", "", "", "", ""))


def test_accepted_identities_that_cannot_be_written_are_known(
    tmp_path: DiskPath, caplog: pytest.LogCaptureFixture
) -> None:
    """A full or missing disk is a line in the log, without the name."""
    accepted = AcceptedIdentities(tmp_path / "missing" / "accepted.jsonl")
    accepted.add(("1", "ROE^JANE", "", "F", "1.2"))
    assert accepted.all()
    assert "could not be written" in caplog.text
    assert "ROE" not in caplog.text
