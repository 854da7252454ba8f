"""Acquisition dates of studies, series and instances, computed from their tags."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from davfs.layout import Dates, Layout
from davfs.layout.tags import SUBJECT
from davfs.orthanc.model import Level

NO_DATE = datetime(1980, 1, 1, tzinfo=UTC)
"""The date shown for resources without one: the first that members of ZIP archives can have."""
_DATE = re.compile(r"(\d{4})([.-]?)(\d\d)\2(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d))?)?(?:\.\d+)?", re.ASCII)
_MOMENT = re.compile(r"(\d{8})(\d{2,6})?(?:\.\d{1,6})?([+-]\d{4})?", re.ASCII)

_PAIRS = {
    Level.STUDY: (("StudyDate", "StudyTime"),),
    Level.SERIES: (("SeriesDate", "SeriesTime"), ("StudyDate", "StudyTime")),
    Level.INSTANCE: (
        ("AcquisitionDate", "AcquisitionTime"),
        ("ContentDate", "ContentTime"),
        ("SeriesDate", "SeriesTime"),
        ("StudyDate", "StudyTime"),
    ),
}
"""Tags of dates and times by level, the most precise first."""


def acquisition_date(level: Level, tags: Mapping[str, str]) -> datetime | None:
    """Return the date on which a resource was acquired.

    Args:
        level: Its level; a patient has none.
        tags: Its tags, and those above it.

    Returns:
        The moment, in UTC; None if no tag has one. A moment without a time zone is in that of this machine, as DICOM
        leaves it to the reader (PS3.3 C.12.1.1.8); a date without a time is its first moment.
    """
    if level is Level.INSTANCE and (found := _moment(tags.get("AcquisitionDateTime", ""))):
        return found
    candidates = (_local(tags.get(date, ""), tags.get(time, "")) for date, time in _PAIRS.get(level, ()))
    return next((found for found in candidates if found), None)


def shown_date(layout: Layout, level: Level, tags: Mapping[str, str]) -> datetime | None:
    """Return the date that a layout shows for a resource, in UTC; None for the date of its last change.

    In an anonymised layout that date would identify the resource to users who can see other layouts. So all resources
    have the same date, unless the layout keeps modified dates and shows those of acquisition.

    Args:
        layout: The layout.
        level: The resource's level.
        tags: Its tags, and those above it.
    """
    by_acquisition = layout.dates is Dates.ACQUISITION
    if layout.anonymised is None:
        return acquisition_date(level, tags) if by_acquisition else None
    shows_dates = by_acquisition and layout.options.modified_dates and SUBJECT in tags
    found = acquisition_date(level, tags) if shows_dates else None
    try:
        return found - timedelta(days=layout.anonymised.days(tags[SUBJECT])) if found else NO_DATE
    except OverflowError:
        return NO_DATE


@lru_cache(maxsize=100)  # most series are of their study's date and time
def _local(date: str, time: str, zone: str = "") -> datetime | None:
    day, clock = _DATE.fullmatch(date.strip()), _TIME.fullmatch(time.strip())
    if not day:
        return None
    hour, minute, second = clock.groups(default="0") if clock else ("0", "0", "0")
    try:
        local = datetime(int(day[1]), int(day[3]), int(day[4]), int(hour), int(minute), min(int(second), 59))  # noqa: DTZ001  see `acquisition_date`
        zoned = datetime.strptime(f"{local:%Y%m%d%H%M%S}{zone}", "%Y%m%d%H%M%S%z") if zone else local
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError, OSError):  # no such day, or one that this machine's calendar does not reach
        return None


def _moment(text: str) -> datetime | None:
    found = _MOMENT.fullmatch(text.strip())
    return _local(found[1], found[2] or "", found[3] or "") if found else None
