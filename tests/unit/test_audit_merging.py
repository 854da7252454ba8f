"""Parts of one read become one record, which is written when no more come, or after a minute."""

from typing import Any

from davfs.audit.merging import RecordMerger
from davfs.audit.record import AuditAction, AuditRecord, Client, Door, Outcome

ALICE, BOB = (Client(user, "10.0.0.7", Door.DRIVE, "webdav", "rclone") for user in ("alice", "bob"))


def part(resource: str = "image", client: Client = ALICE, **others: Any) -> AuditRecord:
    """A record of a read in part."""
    known: dict[str, Any] = {"action": AuditAction.READ, "outcome": Outcome.PARTIAL, "bytes": 10} | others
    return AuditRecord(client=client, resource=resource, **known)


def test_idle() -> None:
    """A record is complete ten seconds after its last part."""
    merger = RecordMerger()
    for second in (0, 5, 10):
        assert not list(merger.add(part(), second))
        assert not list(merger.expired(second))
    assert not list(merger.expired(19.9))
    (record,) = merger.expired(20)
    assert (record.bytes, record.requests, record.outcome) == (30, 3, Outcome.PARTIAL)
    assert len(merger) == 0


def test_longest() -> None:
    """A read that goes on and on is written every minute, so that it is in the file while it lasts."""
    merger, found = RecordMerger(), list[AuditRecord]()
    for second in range(180):
        found += merger.add(part(), second)
        found += merger.expired(second)
    assert [record.requests for record in found] == [61, 61]


def test_who_and_what_stay_apart() -> None:
    """Other clients, other files and whole reads have records of their own."""
    merger = RecordMerger()
    whole = part(outcome=Outcome.DONE)
    assert list(merger.add(whole, 0)) == [whole]
    for record in (part(), part("other"), part(client=BOB), part()):
        assert not list(merger.add(record, 0))
    assert sorted(record.requests for record in merger.rest()) == [1, 1, 2]


def test_arrivals_are_added_up() -> None:
    """Images that arrive in one series are one record with their number."""
    merger = RecordMerger()
    for _ in range(5):
        assert not list(
            merger.add(part("series", action=AuditAction.ARRIVAL, outcome=Outcome.DONE, sop_instances=1), 0)
        )
    (record,) = merger.expired(60)
    assert (record.sop_instances, record.bytes, record.outcome) == (5, 50, Outcome.DONE)


def test_memory_is_bounded() -> None:
    """Of more reads than are held at once, the oldest are written early."""
    merger, found = RecordMerger(), list[AuditRecord]()
    for number in range(10_100):
        found += merger.add(part(str(number)), 0)
    assert [record.resource for record in found] == [str(number) for number in range(100)]
    assert len(merger) == 10_000
