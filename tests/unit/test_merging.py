"""Records of what programs do again and again are merged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from davfs.audit.merging import RecordMerger
from davfs.audit.record import NOT_FOUND, AuditAction, AuditRecord, Client, Outcome

ALICE, BOB = Client("alice", "10.0.0.7"), Client("bob", "10.0.0.7")
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def merged(*records: AuditRecord) -> list[AuditRecord]:
    """Return what becomes of records that come within a second."""
    merger = RecordMerger()
    passed = [each for record in records for each in merger.add(record, 0.0)]
    return [*passed, *merger.rest()]


def record(action: str, client: Client = ALICE, **others: object) -> AuditRecord:
    """Return a record."""
    return replace(AuditRecord(client=client, action=AuditAction(action), time=NOW), **others)  # type: ignore[arg-type]


def test_guesses() -> None:
    """Refused logins of a user from an address are one record with their number; another user is another one."""
    wrong = record("login-refused", outcome=Outcome.REFUSED, reason="WrongPassword")
    programs = [replace(wrong, client=replace(ALICE, agent=str(number))) for number in range(50)]
    (one, other) = merged(*programs, replace(wrong, client=BOB))
    assert (one.requests, one.client.user) == (50, "alice")
    assert (other.requests, other.client) == (1, BOB)


def test_throttled_guesses() -> None:
    """Guesses that were not tried are apart from those that were."""
    wrong = record("login-refused", outcome=Outcome.REFUSED, reason="WrongPassword")
    assert {each.reason for each in merged(wrong, replace(wrong, reason="Throttled"))} == {"WrongPassword", "Throttled"}


def test_probing() -> None:
    """A search for names that do not exist is one record for each kind of action."""
    missing = record("read", outcome=Outcome.FAILED, reason=NOT_FOUND)
    found = merged(*[missing] * 1000, replace(missing, action=AuditAction.DELETE))
    assert sorted((each.action, each.requests) for each in found) == [("delete", 1), ("read", 1000)]


def test_searches() -> None:
    """The same search is one record; one with other keywords or another number of hits is another."""
    search = record("search", keywords=("PatientName",), hits=2)
    found = merged(search, search, replace(search, hits=3), replace(search, keywords=("StudyDate",)))
    assert sorted(each.requests for each in found) == [1, 1, 2]


def test_changes_are_never_merged() -> None:
    """Each upload, deletion, move and refusal is a record of its own."""
    for action in ("upload", "delete", "move", "copy", "attach", "restore", "purge", "login"):
        refused = record(action, outcome=Outcome.REFUSED, reason="Forbidden")
        assert len(merged(refused, refused, record(action), record(action))) == 4
    assert len(merged(record("read", resource="a"), record("read", resource="a"))) == 2


def test_parts_of_files_without_a_resource() -> None:
    """A file in the inbox that is read in ranges is one record, too."""
    part = record("read", outcome=Outcome.PARTIAL, bytes=10, size=30)
    (whole,) = merged(part, part, replace(part, time=NOW + timedelta(seconds=1)))
    assert (whole.outcome, whole.bytes, whole.requests, whole.time) == (Outcome.DONE, 30, 3, NOW + timedelta(seconds=1))


def test_quarantine() -> None:
    """Instances of a study that were not let in are one record with their number."""
    held = record("quarantine", outcome=Outcome.REFUSED, reason="Held", sop_instances=1, study_instance_uid="1.2")
    found = merged(held, held, replace(held, study_instance_uid="1.3"))
    assert sorted((each.study_instance_uid, each.sop_instances) for each in found) == [("1.2", 2), ("1.3", 1)]
