"""The threads that follow Orthanc's database, over an archive in memory and a connection that a test speaks for."""

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from davfs.catalog.database_follower import DatabaseFollower, DatabaseLink, IndexComparison
from davfs.errors import DatabaseGone, OrthancError, Unavailable
from davfs.orthanc.model import Level, OrthancId, Resource
from davfs.orthanc.outage import Outage
from davfs.orthanc.postgresql import Labels, Notification, Notifications
from tests.support import layouts
from tests.support.layouts import Show, study_id

# pytest finds fixtures by the names in a module.
show = layouts.show

BY_LABEL = """
title = "all"
[[level]]
group = "{Labels|no label}"
[[level]]
study = "{PatientName}"
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
SOON = 10.0
"""Seconds that something may take that is not measured here."""


@dataclass
class Connection:
    """A connection on which a test sends notifications, or an error."""

    sent: queue.Queue[Sequence[Notification] | Exception] = field(default_factory=queue.Queue)
    closed: threading.Event = field(default_factory=threading.Event)
    labelled: Labels = field(default_factory=dict)
    wrong: bool = False

    def mistakes(self) -> Sequence[str]:
        """See `Notifications`."""
        return ["the clock is wrong"] if self.wrong else []

    def labels(self) -> Labels:
        """See `Notifications`."""
        return self.labelled

    def wait(self, seconds: float) -> Sequence[Notification]:
        """See `Notifications`."""
        try:
            found = self.sent.get(timeout=min(seconds, 0.05))
        except queue.Empty:
            return []
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """See `Notifications`."""
        self.closed.set()


def deleted(study: OrthancId) -> Notification:
    """Return the notification of a deleted study."""
    return Notification(deleted=True, level=Level.STUDY, id=study)


def labelled(study: OrthancId, level: Level = Level.STUDY) -> Notification:
    """Return the notification of a label that was added or removed."""
    return Notification(deleted=False, level=level, id=study)


@dataclass
class Followed:
    """What the threads asked for: comparisons of the index, soon or now; and the outage."""

    compared: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    compared_now: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    outage: Outage = field(default_factory=Outage)


@contextmanager
def follower(
    shown: layouts.Shown, connect: Callable[[], Notifications], ask_orthanc: Callable[[], object] = lambda: None
) -> Iterator[Followed]:
    """Run the threads over an archive."""
    followed = Followed()
    comparison = IndexComparison(followed.compared.release, followed.compared_now.release)
    link = DatabaseLink(connect, followed.outage, ask_orthanc)
    thread = DatabaseFollower(link, shown.catalog.synchronizer, comparison, pause=0.01)
    thread.start()
    try:
        yield followed
    finally:
        assert thread.stop(SOON)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    pause = threading.Event()
    for _ in range(int(SOON / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it does not come")


def test_deletion(show: Show) -> None:
    """A study that another Orthanc deletes leaves its group as soon as the database reports it."""
    shown, connection = (
        show(layouts.BY_DATE).add("a", StudyDate="20200101").add("b", StudyDate="20210101"),
        Connection(),
    )
    assert shown.names() == ["2020", "2021"]
    with follower(shown, lambda: connection):
        shown.orthanc.delete(Level.STUDY, study_id("a"))
        assert shown.names() == ["2020", "2021"]
        connection.sent.put([deleted(study_id("a"))])
        eventually(lambda: shown.names() == ["2021"])
    assert connection.closed.is_set()


def test_labels(show: Show) -> None:
    """A label that another Orthanc adds or removes moves the study."""
    shown, connection = show(BY_LABEL).add("a"), Connection()
    assert shown.names() == ["no label"]
    with follower(shown, lambda: connection):
        for labels, expected in ((("urgent",), ["urgent"]), ((), ["no label"])):
            shown.orthanc.label(study_id("a"), *labels)
            connection.sent.put([labelled(study_id("a"))])
            eventually(lambda expected=expected: shown.names() == expected)  # type: ignore[misc]


def test_came_again(show: Show) -> None:
    """A study that was deleted and stored again before the notification was handled stays."""
    shown, connection = (
        show(layouts.BY_DATE).add("a", StudyDate="20200101").add("b", StudyDate="20210101"),
        Connection(),
    )
    assert shown.names() == ["2020", "2021"]
    with follower(shown, lambda: connection):
        shown.orthanc.delete(Level.STUDY, study_id("b"))
        connection.sent.put([deleted(study_id("a")), deleted(study_id("b"))])
        eventually(lambda: shown.names() == ["2020"])


def test_patient_is_not_indexed(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels of patients cost nothing where no layout shows them."""
    shown, connection, asked = show(layouts.BY_DATE).add("a"), Connection(), list[OrthancId]()
    shown.names()
    resources = shown.orthanc.resources

    def noted(ids: Iterable[OrthancId]) -> list[Resource]:
        wanted = list(ids)
        asked.extend(wanted)
        return resources(wanted)

    monkeypatch.setattr(shown.orthanc, "resources", noted)
    with follower(shown, lambda: connection):
        connection.sent.put([labelled(OrthancId("a patient"), Level.PATIENT), labelled(study_id("a"))])
        eventually(lambda: study_id("a") in asked)
    assert "a patient" not in asked


def test_lost_and_found(show: Show, caplog: pytest.LogCaptureFixture) -> None:
    """A lost connection is made again, and is one line in the log; after each connection the index is compared."""
    shown, first, second = show(BY_LABEL).add("a"), Connection(), Connection()
    attempts: list[Connection | Exception] = [Unavailable("refused"), first, *[Unavailable("refused")] * 5, second]

    def connect() -> Connection:
        found = attempts.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    with caplog.at_level(logging.INFO), follower(shown, connect) as followed:
        assert followed.compared_now.acquire(timeout=SOON)
        eventually(lambda: len(attempts) == 6)
        first.sent.put(Unavailable("gone"))
        eventually(lambda: not attempts)
        assert followed.compared_now.acquire(timeout=SOON)
        shown.orthanc.label(study_id("a"), "urgent")
        second.sent.put([labelled(study_id("a"))])
        eventually(lambda: shown.names() == ["urgent"])
    assert first.closed.is_set()
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the drive cannot follow Orthanc's database",
        "the drive follows Orthanc's database again",
    ] * 2


def test_mistakes(show: Show, caplog: pytest.LogCaptureFixture) -> None:
    """What the connection finds wrong is an error in the log."""
    shown = show(BY_LABEL).add("a")
    with follower(shown, lambda: Connection(wrong=True)) as followed:
        assert followed.compared.acquire(timeout=SOON)
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == ["the clock is wrong"]


def test_orthanc_fails(show: Show) -> None:
    """Where Orthanc does not answer about a notification, everything is compared later, and the thread goes on."""
    shown, connection = show(BY_LABEL).add("a"), Connection()
    shown.names()

    def fail() -> None:
        raise OrthancError("no")

    with follower(shown, lambda: connection) as followed:
        assert followed.compared.acquire(timeout=SOON)
        shown.orthanc.meanwhile = fail
        connection.sent.put([labelled(study_id("a"))])
        assert followed.compared.acquire(timeout=SOON)
        shown.orthanc.meanwhile = lambda: None
        shown.orthanc.label(study_id("a"), "urgent")
        connection.sent.put([labelled(study_id("a"))])
        eventually(lambda: shown.names() == ["urgent"])


def test_labels_of_before(show: Show) -> None:
    """Labels that changed before the connection was made show once it is."""
    shown, connection = show(BY_LABEL).add("a").add("b").add("c"), Connection()
    shown.orthanc.label(study_id("a"), "urgent")
    shown.orthanc.label(study_id("b"), "old")
    assert shown.names() == ["no label", "old", "urgent"]
    shown.orthanc.label(study_id("b"))
    shown.orthanc.label(study_id("c"), "new")
    connection.labelled = {(Level.STUDY, study_id("a")): {"urgent"}, (Level.STUDY, study_id("c")): {"new"}}
    assert shown.names() == ["no label", "old", "urgent"]
    shown.orthanc.asked = 0
    with follower(shown, lambda: connection):
        eventually(lambda: shown.names() == ["new", "no label", "urgent"])
    assert shown.orthanc.asked == 2


def test_outage(show: Show) -> None:
    """An outage lasts from the loss of the connection until Orthanc answers; then all is compared."""
    shown, connection, answers = show(BY_LABEL).add("a"), Connection(), threading.Event()
    attempts: list[Connection] = [connection]

    def connect() -> Connection:
        if attempts:
            return attempts.pop()
        raise Unavailable("refused")

    def ask() -> None:
        if not answers.is_set():
            raise Unavailable("no")

    with follower(shown, connect, ask) as followed:
        assert followed.compared.acquire(timeout=SOON)
        assert followed.outage.since is None
        connection.sent.put(Unavailable("gone"))
        eventually(lambda: followed.outage.since is not None)
        assert not followed.compared_now.acquire(timeout=0.1)
        with pytest.raises(DatabaseGone):
            followed.outage.check()
        answers.set()
        assert followed.compared_now.acquire(timeout=SOON)
        eventually(lambda: followed.outage.since is None)
        attempts.append(Connection())
        eventually(lambda: not attempts)


def test_orthanc_alone(show: Show) -> None:
    """Where this connection alone cannot be made, and Orthanc answers, there is no outage for more than a moment."""
    shown, begun = show(BY_LABEL).add("a"), list[bool]()

    def connect() -> Connection:
        tried.release()
        raise Unavailable("no triggers")

    tried = threading.Semaphore(0)
    with follower(shown, connect) as followed:
        followed.outage._changed = begun.append
        for _ in range(5):
            assert tried.acquire(timeout=SOON)
        eventually(lambda: followed.outage.since is None)
    assert sum(begun) <= 2
