"""Tests of the log of changes, over every implementation of `davfs.orthanc.Orthanc`."""

from davfs.orthanc import Change, Level, Orthanc
from tests.support.five_images import FIRST, OTHER, SAME_SERIES, fill, instance, path


def test_changes(orthanc: Orthanc) -> None:
    """The log has each new resource once, with its level, and its last number is that of the log."""
    before = orthanc.last_change()
    orthanc.store(FIRST)
    orthanc.store(SAME_SERIES)
    page = orthanc.changes(before)
    assert page.done
    assert page.last == orthanc.last_change() == page.entries[-1].seq
    new = [(change.kind, change.level, change.id) for change in page.entries if change.kind.startswith("New")]
    assert sorted(new, key=str) == sorted(
        [
            ("NewInstance", Level.INSTANCE, instance(FIRST)),
            ("NewSeries", Level.SERIES, path(FIRST)[Level.SERIES]),
            ("NewStudy", Level.STUDY, path(FIRST)[Level.STUDY]),
            ("NewPatient", Level.PATIENT, path(FIRST)[Level.PATIENT]),
            ("NewInstance", Level.INSTANCE, instance(SAME_SERIES)),
        ],
        key=str,
    )


def test_changes_in_pages(orthanc: Orthanc) -> None:
    """Pages follow each other without a gap, and only the last one says that it is."""
    before = orthanc.last_change()
    fill(orthanc)
    (whole, pages) = (orthanc.changes(before), list[Change]())
    since = before
    while not (page := orthanc.changes(since, limit=3)).done:
        assert len(page.entries) == 3
        pages += page.entries
        since = page.last
    assert (*pages, *page.entries) == whole.entries
    assert [change.seq for change in whole.entries] == sorted({change.seq for change in whole.entries})


def test_no_changes(orthanc: Orthanc) -> None:
    """After the last change there is an empty page, which reaches no further."""
    fill(orthanc)
    last = orthanc.last_change()
    page = orthanc.changes(last)
    assert (page.entries, page.last, page.done) == ((), last, True)


def test_deletions_leave_no_change(orthanc: Orthanc) -> None:
    """Deleting a resource removes its entries from the log, and adds none."""
    before = orthanc.last_change()
    fill(orthanc)
    orthanc.delete(Level.PATIENT, path(OTHER)[Level.PATIENT])
    left = {change.id for change in orthanc.changes(before).entries}
    assert left.isdisjoint(path(OTHER).values())
    assert left.issuperset(path(FIRST).values())


def test_last_change_can_go_back(orthanc: Orthanc) -> None:
    """The newest number is that of the newest entry left; where none is, of all that were. None is used twice."""
    orthanc.store(FIRST)
    first = orthanc.last_change()
    orthanc.store(OTHER)
    highest = orthanc.last_change()
    orthanc.delete(Level.PATIENT, path(OTHER)[Level.PATIENT])
    assert orthanc.last_change() == first < highest
    orthanc.delete(Level.PATIENT, path(FIRST)[Level.PATIENT])
    assert orthanc.last_change() == highest
    orthanc.store(FIRST)
    assert orthanc.changes(first).entries[0].seq == highest + 1
