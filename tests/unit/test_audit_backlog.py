"""Records that wait for a file or a server are bounded, and one at the place of a gap tells how many were lost."""

from davfs.audit.backlog import Backlog
from davfs.audit.record import NOBODY, AuditAction, AuditRecord


def records(first: int, end: int) -> list[AuditRecord]:
    """Records with numbers."""
    return [AuditRecord(client=NOBODY, action=AuditAction.READ, resource=str(each)) for each in range(first, end)]


def encode(record: AuditRecord) -> bytes:
    """Encode a record by its number, or by the number of lost ones."""
    return (f"lost {record.lost}" if record.lost else record.resource).encode()


def taken(backlog: Backlog) -> list[str]:
    """Take what waits."""
    found = [each.decode() for each in backlog.first(1_000_000)]
    backlog.remove(len(found))
    return found


def test_gap() -> None:
    """The oldest are kept; where others are missing, their number stands between those before and after."""
    backlog = Backlog(encode, capacity=10)
    backlog.add(records(0, 25))
    assert backlog.lost == 15
    backlog.remove(2)
    backlog.add(records(25, 26))  # there is room again, but not enough to begin anew
    assert backlog.lost == 16
    backlog.remove(4)
    backlog.add(records(26, 28))
    assert taken(backlog) == ["6", "7", "8", "9", "lost 16", "26", "27"]
    assert backlog.lost == 0


def test_the_number_follows_without_further_records() -> None:
    """The number of lost records does not wait for the next record."""
    backlog = Backlog(encode, capacity=4)
    backlog.add(records(0, 9))
    assert taken(backlog) == ["0", "1", "2", "3"]
    assert taken(backlog) == ["lost 5"]


def test_blocks() -> None:
    """So many records are taken at once as fit, but at least one."""
    backlog = Backlog(encode)
    backlog.add(records(10, 20))
    assert backlog.first(5) == [b"10", b"11"]
    assert backlog.first(1) == [b"10"]
    assert len(backlog) == 10
