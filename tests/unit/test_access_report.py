"""Tests of reports: what one request did becomes one record at most, the same at both doors."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from davfs.audit.record import NOT_FOUND, AuditAction, AuditRecord, Client, Door, Outcome
from davfs.audit.trail import AuditTrail
from davfs.doors.access_report import AccessReport, action_of, wants_listing
from davfs.entry import DICOM, Entry, EntryKind, InMemory, Streamed
from davfs.errors import Busy, DavfsError, Forbidden, NoSpace, NotAnonymised, NotFound, TooLarge, Unavailable
from davfs.imports.report import ImportReport, report_import, reported_imports
from tests.support.audit import KeptTrail

SINCE = datetime(2024, 2, 29, tzinfo=UTC)
ALICE = Client("alice", "10.0.0.7", Door.DRIVE, "webdav", "davfs2")
IMAGE = Entry("1.dcm", EntryKind.FILE, SINCE, 4, "tag", DICOM, "instance-id", steady=True)
TEXT = Entry("study.json", EntryKind.FILE, SINCE, 4, media_type="application/json", resource="study-id", level="study")
STUDY = Entry("CT", EntryKind.FOLDER, SINCE, resource="study-id", level="study")
PLAIN = Entry("note.txt", EntryKind.FILE, SINCE, 4)


class Nowhere:
    """A place for records."""

    def write(self, _records: list[AuditRecord]) -> None:
        """Do nothing."""

    def close(self, _seconds: float) -> bool:
        """Do nothing."""
        return True


def opened(entry: Entry, instances: int | None = None) -> Streamed:
    """Return an open file."""
    return Streamed(entry, InMemory(nullcontext(memoryview(b"1234"))), instances)


def read(
    entry: Entry, count: int | None = 4, *, ended: bool = True, instances: int | None = None
) -> AuditRecord | None:
    """Return the record of reading a file in a layout."""
    report = AccessReport(AuditAction.READ)
    report.opened(("by-study", entry.name), opened(entry, instances))
    report.sent(count, ended=ended)
    return report.record(ALICE)


def test_an_image_is_read() -> None:
    """It is one instance, and its study is looked up later."""
    record = read(IMAGE)
    assert record is not None
    assert (record.client, record.level, record.resource, record.sop_instances) == (ALICE, "instance", "instance-id", 1)
    assert (record.outcome, record.bytes, record.size, record.study_instance_uid) == (Outcome.DONE, 4, 4, "")


@pytest.mark.parametrize(
    ("count", "ended", "outcome", "reason"),
    [
        (4, True, "done", ""),
        (3, True, "partial", ""),
        (3, False, "partial", "Interrupted"),
        (None, False, "partial", "Interrupted"),
    ],
)
def test_parts(count: int | None, ended: bool, outcome: str, reason: str) -> None:  # noqa: FBT001
    """A range is a part; so is what a client did not wait for."""
    record = read(IMAGE, count, ended=ended)
    assert record is not None
    assert (record.outcome, record.reason, record.bytes) == (outcome, reason, count)


def test_derived_files() -> None:
    """A text about a study has no instance in it, an archive those of its members."""
    text, archive = read(TEXT), read(TEXT._replace(media_type="application/zip"), instances=7)
    assert text is not None
    assert archive is not None
    assert (text.level, text.sop_instances) == ("study", 0)
    assert (archive.level, archive.sop_instances) == ("study", 7)


def test_what_is_nobodys() -> None:
    """The drive's own texts are not recorded, files of users are."""
    for path, expected in ((("README.txt",), False), (("search", "README.txt"), False), (("inbox", "note.txt"), True)):
        report = AccessReport(AuditAction.READ)
        report.opened(path, opened(PLAIN))
        report.sent(4, ended=True)
        assert (report.record(ALICE) is not None) is expected


def test_a_request_that_did_nothing() -> None:
    """There is no record of a request that read and changed nothing."""
    assert AccessReport(AuditAction.READ).record(ALICE) is None
    assert AccessReport(None).record(ALICE) is None


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (Forbidden((), ""), "refused", "Forbidden"),
        (TooLarge((), ""), "refused", "TooLarge"),
        (NotAnonymised(""), "refused", "NotAnonymised"),
        (NotFound((), ""), "failed", NOT_FOUND),
        (NoSpace((), ""), "failed", "NoSpace"),
        (Busy((), ""), "failed", "Busy"),
        (Unavailable(""), "failed", "Unavailable"),
        (ValueError(), "failed", "ValueError"),
    ],
)
def test_errors(error: Exception, outcome: str, reason: str) -> None:
    """What is not allowed is refused, what cannot be done has failed."""
    report = AccessReport(AuditAction.DELETE)
    report.failed(error)
    record = report.record(ALICE)
    assert record is not None
    assert (record.outcome, record.reason) == (outcome, reason)


def test_searches() -> None:
    """A search has its keywords and the number of studies, and nothing of what was searched."""
    report = AccessReport(None)
    report.listed(("search", "PatientName=doe, StudyDate=2024"), STUDY, [STUDY, STUDY, PLAIN])
    record = report.record(ALICE)
    assert record is not None
    assert (record.action, record.keywords, record.hits) == (AuditAction.SEARCH, ("PatientName", "StudyDate"), 2)
    assert "doe" not in str(record)


def test_listings() -> None:
    """Other folders are listings, which have to be wanted."""
    report = AccessReport(None)
    report.listed(("by-study", "CT"), STUDY, [])
    record = report.record(ALICE)
    assert record is not None
    assert (record.action, record.level, record.resource) == (AuditAction.LIST, "study", "study-id")
    trail = KeptTrail(AuditAction.LIST)
    assert not wants_listing(trail, ("by-study", "CT"))
    assert not wants_listing(trail, ("search",))
    assert wants_listing(trail, ("search", "PatientName=doe"))


def test_deletions() -> None:
    """What is deleted is looked up before; of a patient's folder the studies are named."""

    def complete(record: AuditRecord) -> AuditRecord:
        return replace(record, study_instance_uid="1.2", patient="p", sop_instances=5)

    trail = AuditTrail((Nowhere(),), complete=complete)
    report = AccessReport(AuditAction.DELETE)
    report.foreseen(STUDY._replace(level="patient", resource="p"), trail)
    report.deleted("one,two")
    record = report.record(ALICE)
    assert record is not None
    assert (record.level, record.resource, record.sop_instances, record.patient) == ("study", "one,two", 5, "p")
    report.deleted("")
    record = report.record(ALICE)
    assert record is not None
    assert (record.level, record.resource, record.sop_instances, record.patient) == ("", "", 0, "")


def test_what_has_no_path() -> None:
    """A change by the drive's API names the studies."""
    report = AccessReport(AuditAction.RESTORE)
    report.changed(["one", "two"])
    record = report.record(ALICE)
    assert record is not None
    assert (record.level, record.resource, record.sop_instances) == ("study", "one,two", None)


def uploaded(imported: ImportReport, error: DavfsError | None = None, action: str = "upload") -> AuditRecord:
    """Return the record of an upload."""
    report = AccessReport(AuditAction(action))
    if error is None:
        report.done(PLAIN)
    report.imported(imported)
    if error is not None:
        report.failed(error)
    record = report.record(ALICE)
    assert record is not None
    return record


def test_uploads() -> None:
    """A ZIP names its studies; if the rest of it was refused, a part was uploaded."""
    studies = ImportReport(3, "study", ("a", "b"))
    whole, part = uploaded(studies), uploaded(studies, Forbidden((), ""))
    assert (whole.level, whole.resource, whole.sop_instances, whole.outcome) == ("study", "a,b", 3, Outcome.DONE)
    assert (part.resource, part.sop_instances, part.outcome, part.reason) == ("a,b", 3, Outcome.PARTIAL, "Forbidden")
    assert uploaded(ImportReport(), Forbidden((), "")).outcome is Outcome.REFUSED
    assert uploaded(ImportReport()).sop_instances == 0


def test_attachments() -> None:
    """In a layout, what became an attachment is one; an image is an upload."""
    instance = ImportReport(1, "instance", ("i",))
    assert uploaded(instance, action="attach").action is AuditAction.UPLOAD
    assert uploaded(replace(instance, is_attachment=True), action="attach").action is AuditAction.ATTACH
    assert uploaded(ImportReport(), Forbidden((), ""), action="attach").action is AuditAction.ATTACH


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", ("by-study", "a"), AuditAction.READ),
        ("PUT", ("inbox", "a"), AuditAction.UPLOAD),
        ("PUT", ("by-study", "a"), AuditAction.ATTACH),
        ("DELETE", ("by-study", "a"), AuditAction.DELETE),
        ("DELETE", ("trash", "a"), AuditAction.PURGE),
        ("MOVE", ("inbox", "a"), AuditAction.MOVE),
        ("MOVE", ("trash", "a"), AuditAction.RESTORE),
        ("COPY", ("inbox", "a"), AuditAction.COPY),
        ("HEAD", ("inbox", "a"), None),
        ("PROPFIND", (), None),
        ("MKCOL", ("inbox", "a"), None),
    ],
)
def test_actions(method: str, path: tuple[str, ...], expected: AuditAction | None) -> None:
    """An action follows from method and place."""
    assert action_of(method, path) is expected


def test_import_reports() -> None:
    """A report has what this thread imports in its block alone, and names a few resources."""
    report_import("instance", ["before"])
    with reported_imports() as report:
        with reported_imports() as inner:
            report_import("study", map(str, range(100)), 200)
        report_import("instance", [])
        report_import("study", ["a"], 0)
    report_import("instance", ["after"])
    assert (report.instances, report.resources) == (1, ())
    assert (inner.instances, inner.level, len(inner.resources)) == (200, "study", 16)


def test_several_imports() -> None:
    """What a request imports in several steps is added up."""
    with reported_imports() as report:
        for number in (1, 2, 2):
            report_import("instance", [str(number)])
    assert (report.instances, report.level, report.resources) == (3, "instance", ("1", "2"))


def test_nothing_is_looked_up_without_a_trail() -> None:
    """Where nothing is recorded, a deletion does not wait for what nobody reads."""

    def complete(record: AuditRecord) -> AuditRecord:
        raise AssertionError(record)

    AccessReport(AuditAction.DELETE).foreseen(STUDY, AuditTrail((), complete=complete))
