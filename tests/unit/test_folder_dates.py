"""The dates that folders and files of layouts show."""

from datetime import UTC, datetime, timedelta

from davfs.orthanc import Level
from tests.support import layouts
from tests.support.layouts import BY_DATE, Show, study_id

# pytest finds fixtures by the names in a module.
show = layouts.show


def test_dates_of_reception(show: Show) -> None:
    """The date of a group's folder is that of the latest change in it."""
    shown = show(BY_DATE).add("a").add("b")
    first = max(entry.modified for entry in shown.entries("2024", "2024-02").values())
    assert shown.entries()["2024"].modified == first
    later = first + timedelta(hours=1)
    shown.orthanc.date(study_id("a"), later)
    assert shown.entries("2024", "2024-02")["Doe a"].modified == later
    assert shown.entries()["2024"].modified == shown.entries("2024")["2024-02"].modified == later
    shown.deleted(Level.STUDY, study_id("a"))
    assert shown.entries()["2024"].modified == first


def test_dates_of_acquisition(show: Show) -> None:
    """Folders and files show when the images were acquired, if the tags have it; otherwise when they were received."""
    shown = show(BY_DATE.replace("[[level]]", 'dates = "acquisition"\n[[level]]', 1))
    shown.add("a", StudyDate="20240210", StudyTime="101112").add("b", StudyDate="20240211", StudyTime=None)
    shown.add("a", series=2, SeriesDate="20240212", SeriesTime="0830").add("c", StudyDate=None)
    studies = shown.entries("2024", "2024-02")
    assert studies["Doe a"].modified == datetime(2024, 2, 10, 10, 11, 12).astimezone(UTC)
    assert studies["Doe b"].modified == datetime(2024, 2, 11).astimezone(UTC)
    assert shown.entries()["2024"].modified == studies["Doe b"].modified
    series = shown.entries("2024", "2024-02", "Doe a")
    assert series["Series 1"].modified == studies["Doe a"].modified
    assert series["Series 2"].modified == datetime(2024, 2, 12, 8, 30).astimezone(UTC)
    (file,) = shown.entries("2024", "2024-02", "Doe a", "Series 2").values()
    assert file.modified == series["Series 2"].modified
    assert shown.tree.stat(("2024", "2024-02", "Doe a", "Series 2", "1.dcm")).modified == file.modified
    assert shown.entries()["unknown"].modified.year > 2024
