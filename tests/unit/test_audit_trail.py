"""Records are written by a thread of their own: nothing waits for them, and what is lost is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from davfs.audit.audit_file import AuditFile
from davfs.audit.record import AuditAction, AuditRecord, Client, Door, Outcome
from davfs.audit.trail import AuditSink, AuditTrail
from tests.support.clients.programs import wait_until

ALICE = Client("alice", "10.0.0.7", Door.DRIVE, "webdav", "davfs2/1.6")


def read(resource: str = "image", **others: Any) -> AuditRecord:
    """A record of a read."""
    return AuditRecord(client=ALICE, action=AuditAction.READ, level="instance", resource=resource, **others)


class ListSink:
    """Keeps the records."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def write(self, records: list[AuditRecord]) -> None:
        """Keep them."""
        self.records += records

    def close(self, _seconds: float) -> bool:
        """Do nothing."""
        return True

    @property
    def actions(self) -> list[AuditAction]:
        """What was done."""
        return [record.action for record in self.records]


class StuckSink(ListSink):
    """Waits for a file system that does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = threading.Event()

    def write(self, records: list[AuditRecord]) -> None:
        """Wait, then keep them."""
        self.freed.wait(60)
        super().write(records)


@contextmanager
def started(*sinks: AuditSink, **options: Any) -> Iterator[AuditTrail]:
    """A trail that runs."""
    trail = AuditTrail(sinks, **options)
    trail.start()
    try:
        yield trail
    finally:
        assert trail.stop(5.0)


def test_file_has_what_was_done(tmp_path: Path) -> None:
    """Each record is one line of JSON, between those of start and stop, in a file that its owner alone can read."""
    file = tmp_path / "audit.jsonl"
    with started(AuditFile(file)) as trail:
        trail.record(read(study_instance_uid="1.2.3", bytes=1024))
    first, line, last = map(json.loads, file.read_text().splitlines())
    assert (first["action"], last["action"]) == ("start", "stop")
    assert line.pop("time").endswith("Z")
    assert line == {
        "action": "read",
        "outcome": "done",
        "user": "alice",
        "address": "10.0.0.7",
        "door": "drive",
        "protocol": "webdav",
        "agent": "davfs2/1.6",
        "level": "instance",
        "resource": "image",
        "study_instance_uid": "1.2.3",
        "bytes": 1024,
    }
    assert file.stat().st_mode & 0o777 == 0o600


def test_unwanted_actions() -> None:
    """Actions that are not wanted are not recorded, and a trail without sinks wants nothing."""
    sink = ListSink()
    with started(sink, unwanted=[AuditAction.LIST]) as trail:
        trail.record(AuditRecord(client=ALICE, action=AuditAction.LIST))
        assert not trail.wants(AuditAction.LIST)
    assert sink.actions == [AuditAction.START, AuditAction.STOP]
    with started() as trail:
        trail.record(read())
        assert not trail.wants(AuditAction.READ)


def test_stuck_sink() -> None:
    """While a sink hangs, nobody waits for it; the number of records that were lost is recorded when it goes on."""
    sink = StuckSink()
    with started(sink) as trail:
        for _ in range(2):  # the thread may have taken some of the first
            for _ in range(15_000):
                trail.record(read())
        sink.freed.set()
        wait_until(lambda: AuditAction.ALERT in sink.actions, "the lost records")
    alerts = [record for record in sink.records if record.action is AuditAction.ALERT]
    assert sink.actions.count(AuditAction.READ) + sum(record.lost for record in alerts) == 30_000
    assert alerts[0].reason == "RecordsLost"


def test_ranges_are_one_record() -> None:
    """Reads of one file by many ranges are one record, which says that it was read as a whole if it was."""
    sink = ListSink()
    with started(sink) as trail:
        for _ in range(100):
            trail.record(read("whole", outcome=Outcome.PARTIAL, bytes=10, size=1000))
            trail.record(read("half", outcome=Outcome.PARTIAL, bytes=5, size=1000))
        trail.record(read("other"))
    assert (sink.actions[0], sink.actions[-1]) == (AuditAction.START, AuditAction.STOP)
    found = {record.resource: record for record in sink.records if record.action is AuditAction.READ}
    assert len(sink.records) == 5
    assert (found["whole"].outcome, found["whole"].bytes, found["whole"].requests) == (Outcome.DONE, 1000, 100)
    assert (found["half"].outcome, found["half"].bytes, found["half"].requests) == (Outcome.PARTIAL, 500, 100)
    assert (found["other"].outcome, found["other"].requests) == (Outcome.DONE, 1)


def test_completion_fails() -> None:
    """What cannot be looked up is left out; the record is written."""

    def fail(_record: AuditRecord) -> AuditRecord:
        raise OSError

    sink = ListSink()
    with started(sink, complete=fail) as trail:
        trail.record(read())
    assert AuditAction.READ in sink.actions


def test_long_texts() -> None:
    """What a client may choose is cut: a user agent of 1 MB costs no more than others."""
    sink = ListSink()
    with started(sink) as trail:
        trail.record(
            AuditRecord(client=Client("u" * 2**20, "::1", Door.DRIVE, "webdav", "a" * 2**20), action=AuditAction.LIST)
        )
    (record,) = (record for record in sink.records if record.action is AuditAction.LIST)
    assert len(record.client.user) == len(record.client.agent) == 256
