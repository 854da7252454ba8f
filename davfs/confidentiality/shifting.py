"""Shifts dates by a number of days, so that the time between them stays.

Times of the day stay, so that intervals of seconds and minutes, such as the uptake of a tracer, can still be computed.
A shift by whole days moves nothing past midnight.

Source: DICOM PS3.15 section E.3.6; the forms are those of PS3.5 section 6.2.
"""

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})([.-]?)(\d\d)\2(\d\d)", re.ASCII)
_MOMENT = re.compile(r"(\d{8})((?:\d\d){0,3}(?:\.\d{1,6})?(?:[+-]\d{4})?)", re.ASCII)
_STAND_INS = frozenset({
    "00010101", "18581117", "18991230", "18991231", "19000101", "19010101", "19700101", "19800101", "19800106",
    "20000101", "99991231",
})  # fmt: skip
"""Days that devices write for an unknown date: shifted, they would reveal the number of days."""
_TIME = re.compile(r"\d\d(?::?\d\d(?::?\d\d(?:\.\d{1,6})?)?)?", re.ASCII)


def shift_dates(value: str, representation: str, days: int) -> str | None:
    """Return a date, or the dates of a multiple value, shifted to earlier days.

    Args:
        value: The value; several are joined by backslashes.
        representation: ``DA``, ``DT`` or ``TM``.
        days: Number of days.

    Returns:
        The value; None if one is no date of its representation, stands for an unknown date, or would be before year 1.
    """
    found = [_shifted(one.strip(" \0"), representation, days) for one in value.split("\\")]
    known = [one for one in found if one is not None]
    return "\\".join(known) if len(known) == len(found) else None


def _shifted(value: str, representation: str, days: int) -> str | None:
    if not value:
        return value
    if representation == "TM":
        return value if _TIME.fullmatch(value) else None
    if representation == "DT":
        found = _MOMENT.fullmatch(value)
        day = _earlier(found[1], days) if found else None
        return f"{day}{found[2]}" if found and day else None
    return _earlier(value, days)


def _earlier(value: str, days: int) -> str | None:
    found = _DATE.fullmatch(value)
    if found and "".join(found.group(1, 3, 4)) in _STAND_INS:
        return None
    try:
        return f"{date(int(found[1]), int(found[3]), int(found[4])) - timedelta(days):%Y%m%d}" if found else None
    except (ValueError, OverflowError):
        return None
