"""The catalog notices that Orthanc's log of changes is another one, or was emptied, and is stale then."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from davfs.catalog.change_log import LogPosition
from davfs.errors import OrthancError
from davfs.orthanc import Change, Changes, Level, OrthancId
from tests.support import catalog as catalogs
from tests.support import dicom
from tests.support.catalog import BY_NAME, Index

# pytest finds fixtures by the names in a module.
index = catalogs.index

A, B = dicom.instance("a"), dicom.instance("b")
PATIENT_A = OrthancId(dicom.orthanc_id("a"))
UPLOADS = {"behind": 0, "a little behind": 1, "equal": 2, "ahead": 3}
"""Number of files that are stored after a backup is restored, so that the newest number is lower than before or not."""


def restored(index: Index, uploads: int) -> None:
    """Store, rename and store more; then restore the backup that was made before, and upload something else."""
    index.orthanc.store(A)
    backup = index.orthanc.backup()
    index.orthanc.retag(PATIENT_A, {"PatientName": "Renamed"})
    index.orthanc.store(B)
    index.orthanc.retag(PATIENT_A, {"PatientName": "Renamed"})
    assert index.names() == ["Doe b", "Renamed"]
    last = index.orthanc.last
    index.orthanc.restore(backup)
    for number in range(uploads):
        index.orthanc.store(dicom.instance("c", series=number))
    compared = {0: "<", 1: "<", 2: "=", 3: ">"}[uploads]
    assert {"<": index.orthanc.last < last, "=": index.orthanc.last == last, ">": index.orthanc.last > last}[compared]


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
@pytest.mark.parametrize("uploads", UPLOADS.values(), ids=UPLOADS)
def test_restored_database(index: Index, uploads: int, *, stopped: bool) -> None:
    """Names are Orthanc's again with the first listing, wherever the newest number of the log stands now."""
    index = index.restart(BY_NAME)
    restored(index, uploads)
    if stopped:
        index = index.restart()
    assert index.names() == (["Doe a", "Doe c"] if uploads else ["Doe a"])
    assert index.comparisons == 1
    index.compare()
    assert not index.catalog.needs_comparison
    for level in (Level.PATIENT, Level.STUDY, Level.SERIES):
        assert index.store.ids(level) == set(index.orthanc.ids(level))
    index.orthanc.asked = index.comparisons = 0
    assert index.names() == (["Doe a", "Doe c"] if uploads else ["Doe a"])
    assert (index.orthanc.asked, index.comparisons) == (0, 0)


def test_same_numbers_of_another_day(index: Index) -> None:
    """Where a restored database got the same files again, only the date of an entry shows that it is another one."""
    index = index.restart(BY_NAME)
    index.orthanc.store(A)
    index.names()
    index.orthanc.reconstruct(PATIENT_A, {"PatientName": "Restored"})
    index.orthanc.log = [replace(entry, date="20990101T000000") for entry in index.orthanc.log]
    assert index.names() == ["Restored"]


def test_doubts_outlive_a_restart(index: Index) -> None:
    """A log that was emptied is not forgotten over a stop before everything was compared."""
    index = index.restart(BY_NAME)
    for content in (A, B):
        index.orthanc.store(content)
    index.names()
    index.close()
    index.orthanc.delete(Level.PATIENT, PATIENT_A)
    index.orthanc.store(dicom.instance("a", tags={"PatientName": "Roe"}))
    index.orthanc.empty_log()
    index.orthanc.store(dicom.instance("b", 2))
    index = index.restart()
    index.catalog.refresh()
    assert index.catalog.needs_comparison
    index = index.restart()
    assert index.catalog.needs_comparison
    assert index.names() == ["Doe b", "Roe"]
    index.compare()
    assert not index.restart().catalog.needs_comparison


def test_doubts_outlive_a_comparison_that_breaks_off(index: Index) -> None:
    """The index is stale until everything was read: a comparison that ends early does not change that."""
    index = index.restart(BY_NAME)
    index.orthanc.store(A)
    index.names()
    index.orthanc.reconstruct(PATIENT_A, {"PatientName": "Roe"})
    index.orthanc.empty_log()

    def stop(_done: int, _total: int) -> None:
        raise OrthancError("the catalog is being stopped")

    with suppress(OrthancError):
        index.catalog.reconciler.reconcile(stop)
    index = index.restart()
    assert index.catalog.needs_comparison
    index.compare()
    assert not index.catalog.needs_comparison
    assert index.names() == ["Roe"]


def test_emptied_again_and_again(index: Index) -> None:
    """A resource that is added just before the log is emptied is found, in the listing and by its name."""
    for number in range(5):
        index.orthanc.store(dicom.instance(f"p{number}"))
        index.orthanc.empty_log()
        index.catalog.refresh()
        assert index.catalog.needs_comparison
        assert len(index.catalog.rows(index.root)) == number + 1
        index.compare()
        index.comparisons = 0
        index.names()
        assert (index.catalog.needs_comparison, index.comparisons) == (False, 0)


def _delete_newest(index: Index) -> None:
    index.orthanc.delete(Level.PATIENT, OrthancId(dicom.orthanc_id("b")))


def _store_newest_again(index: Index) -> None:
    _delete_newest(index)
    index.orthanc.store(B)


@pytest.mark.parametrize("act", [_delete_newest, _store_newest_again])
def test_deletions_raise_no_doubts(index: Index, act: Callable[[Index], None]) -> None:
    """Entries that went with their resources are no sign of another log; a root asks twice, as ever (ADR 22)."""
    for number in range(200):
        index.orthanc.store(dicom.instance(f"p{number}"))
    for content in (A, B):
        index.orthanc.store(content)
    index.names()
    act(index)
    index.names()
    assert not index.catalog.needs_comparison
    assert _log_requests(index) == 2


def test_root_asks_for_the_log_twice(index: Index) -> None:
    """Where nothing has changed, a root asks before and after the number of resources."""
    index.orthanc.store(A)
    index.names()
    assert _log_requests(index) == 2


def _log_requests(index: Index) -> int:
    """List the root, and return how often Orthanc was asked for its log."""
    asked: list[int] = []
    index.orthanc.after_log = lambda: asked.append(1)
    index.names()
    return len(asked)


def entry(seq: int, kind: str = "NewStudy") -> Change:
    """Make an entry of a log."""
    return Change(seq, kind, Level.STUDY, OrthancId("x"), "20240229T120000")


@pytest.mark.parametrize(
    ("position", "page", "unread"),
    [
        (LogPosition(), Changes((), 0, done=True), []),
        (LogPosition(), Changes((entry(1),), 1, done=True), [1]),
        (LogPosition(), Changes((entry(3),), 3, done=True), None),
        (LogPosition(4), Changes((), 4, done=True), []),
        (LogPosition(4), Changes((), 9, done=True), None),
        (LogPosition(4), Changes((), 3, done=True), None),
        (LogPosition(4), Changes((entry(5),), 5, done=True), [5]),
        (LogPosition(4), Changes((entry(6),), 6, done=True), None),
        (LogPosition(4, (entry(3), entry(4))), Changes((entry(4),), 4, done=True), []),
        (LogPosition(4, (entry(3), entry(4))), Changes((entry(4), entry(9)), 9, done=True), [9]),
        (LogPosition(4, (entry(3), entry(4))), Changes((entry(4, "NewSeries"), entry(9)), 9, done=True), None),
        (LogPosition(4, (entry(3), entry(4))), Changes((), 9, done=True), None),
        (LogPosition(4, (entry(2),)), Changes((entry(2),), 2, done=True), []),
        (LogPosition(4, (entry(2),)), Changes((entry(2), entry(3)), 3, done=True), None),
    ],
)
def test_page_goes_on_from_a_position(position: LogPosition, page: Changes, unread: list[int] | None) -> None:
    """A page begins with the newest entry that is known, and has nothing that would have been read before."""
    found = position.unread(page)
    assert (None if found is None else [each.seq for each in found]) == unread


def test_entries_are_kept_up_to_a_number() -> None:
    """Of a long log, the newest entries are kept."""
    position = LogPosition().after([entry(seq) for seq in range(1, 20_001)])
    assert position.seen == position.entries[-1].seq == 20_000
    assert len(position.entries) == 5000
    assert position.after(position.entries) is position
