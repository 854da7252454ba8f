"""Criteria on a value in ``[where]``: those of Orthanc's ``/tools/find``, and dates relative to today.

::

    "CT"                    this text, in any case
    "*head*"  "CT?"         * for any text, ? for any character
    ""                      the tag is missing or empty
    "20240101-20241231"     a range of dates or times, including both ends; either end may be left out
    "last 30 days"          a date since thirty days ago; also weeks, months and years
    "today"                 today's date
"""

import calendar
import fnmatch
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import ClassVar

from davfs import names
from davfs.layout.condition import Criterion

_FORMATS = {
    "DA": ("days", re.compile(r"\d{8}", re.ASCII), "20240131"),
    "TM": ("times", re.compile(r"\d{2}(\d{2}(\d{2})?)?", re.ASCII), "143000"),
    "DT": ("moments", re.compile(r"\d{4}(\d{2}(\d{2}(\d{2}(\d{2}(\d{2})?)?)?)?)?", re.ASCII), "202401311430"),
}
_WITH_WILDCARDS = re.compile(r"[\d*?]*[*?][\d*?]*", re.ASCII)
_RELATIVE = re.compile(r"last ([1-9]\d{0,3}) (day|week|month|year)s?", re.ASCII)
_ZONE = re.compile(r"(\d{4,14}(?:\.\d{1,6})?)[+-]\d{4}\Z", re.ASCII)
_MONTHS = {"month": 1, "year": 12}
_DAYS = {"day": 1, "week": 7}


class CriterionError(ValueError):
    """A value of ``[where]`` has a syntax error; the loader adds file and line."""


@dataclass(frozen=True, slots=True)
class TextPattern:
    """Accepts a text with the wildcards ``*`` and ``?``.

    Attributes:
        pattern: The text, with wildcards.
    """

    pattern: str
    relative: ClassVar[bool] = False

    def accepts(self, value: str, today: date) -> bool:  # noqa: ARG002  as in `Criterion`
        """See `Criterion`."""
        return _compiled(self.pattern).fullmatch(names.folded(value)) is not None


@dataclass(frozen=True, slots=True)
class DateRange:
    """Accepts a range of dates, times, or both in one.

    Attributes:
        first: Digits of its start; empty for an open start.
        last: Digits of its end: values that begin with them are included; empty for an open end.
    """

    first: str
    last: str
    relative: ClassVar[bool] = False

    def accepts(self, value: str, today: date) -> bool:  # noqa: ARG002  as in `Criterion`
        """See `Criterion`."""
        digits = _digits(value)
        later = digits[: len(self.last)] > self.last if self.last else False
        return bool(digits) and self.first <= digits and not later


@dataclass(frozen=True, slots=True)
class RecentDate:
    """Accepts dates from some time ago until today.

    Attributes:
        count: Number of units before today; 0 for today.
        unit: ``day``, ``week``, ``month`` or ``year``.
    """

    count: int
    unit: str
    relative: ClassVar[bool] = True

    def accepts(self, value: str, today: date) -> bool:
        """See `Criterion`."""
        first, last = _window(self, today)
        day = day_of(value)
        return day is not None and first <= day <= last

    def window(self, today: date) -> tuple[int, int]:
        """Return the first and last day (see `day_of`) that is accepted.

        The last one is tomorrow, since the server may be in another time zone than the scanner.
        """
        first, last = (_date_before(today, self.count, self.unit), _tomorrow(today)) if self.count else (today, today)
        return _number(first), _number(last)


@lru_cache(maxsize=100)
def _window(criterion: RecentDate, today: date) -> tuple[int, int]:
    """Return `RecentDate.window`, which all studies need on the same day."""
    return criterion.window(today)


def parse_criterion(text: str, representation: str) -> Criterion:
    """Parse a single value of ``[where]``.

    Args:
        text: The value.
        representation: Value representation of its tag.

    Raises:
        CriterionError: It has a syntax error; the message says what is allowed.
    """
    if "\\" in text:
        raise CriterionError(f'"{text}": alternatives are written as a list, ["CT", "MR"]')
    if representation not in _FORMATS or text == "":
        return TextPattern(text)
    return _relative(text, representation) or _range(text, representation)


def _relative(text: str, representation: str) -> Criterion | None:
    words = " ".join(text.lower().split())
    if representation == "TM" or not words.startswith(("last", "today")):
        return None
    if words == "today":
        return RecentDate(0, "day")
    match = _RELATIVE.fullmatch(words)
    if match is None:
        raise CriterionError(f'"{text}" is no time before today; write last 30 days (weeks, months, years), or today')
    return RecentDate(int(match[1]), match[2])


def _range(text: str, representation: str) -> Criterion:
    if _WITH_WILDCARDS.fullmatch(text):
        return TextPattern(text)
    first, dash, last = (part.strip() for part in text.partition("-"))
    ends = [end for end in (first, last) if end]
    if not ends or not all(_is_moment(end, representation) for end in ends):
        raise CriterionError(_error(text, representation))
    if dash and first and last and last < first[: len(last)]:
        raise CriterionError(f'"{text}" ends before it begins')
    return DateRange(first, last if dash else first)


def day_of(value: str) -> int | None:
    """Return the day of a date, with or without a time, as a number such as 20240131; None for any other value."""
    digits = _digits(value)
    return int(digits[:8].ljust(8, "0")) if digits else None


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def _is_moment(text: str, representation: str) -> bool:
    _, pattern, _ = _FORMATS[representation]
    if representation == "TM" or pattern.fullmatch(text) is None:
        return pattern.fullmatch(text) is not None
    try:
        date(int(text[:4]), int(text[4:6] or 1), int(text[6:8] or 1))
    except ValueError:
        return False
    return True


def _error(text: str, representation: str) -> str:
    plural, _, example = _FORMATS[representation]
    ranges = f"{example}, ranges {example}-, -{example} or with both ends"
    more = "" if representation == "TM" else ", or last 30 days, or today"
    return f'"{text}" cannot be read; {plural} are written {ranges}, wildcards * and ?{more}'


def _digits(value: str) -> str:
    """Return the digits of a date or time without punctuation and time zone; an empty text for any other value."""
    digits = re.sub(r"(?<=\d)[.:-](?=\d)", "", _ZONE.sub(r"\1", value))
    return digits if digits.isascii() and digits.isdigit() else ""


def _date_before(today: date, count: int, unit: str) -> date:
    try:
        if unit in _DAYS:
            return today - timedelta(days=count * _DAYS[unit])
        year, month = divmod(today.year * 12 + today.month - 1 - count * _MONTHS[unit], 12)
        return date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        return date.min


def _tomorrow(today: date) -> date:
    return today + timedelta(days=1) if today < date.max else today


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(names.folded(pattern).replace("[", "[[]")))
