"""What a value in ``[where]`` can ask for, as Orthanc's ``/tools/find`` understands it, and dates before today besides.

::

    "CT"                    this text; case does not count
    "*head*"  "CT?"         any text, or any character, in place of * and ?
    ""                      nothing: the tag is missing or empty
    "20240101-20241231"     a range of dates or times, both ends included; either of them may be left out
    "last 30 days"          a date from thirty days ago until now; weeks, months and years as well
    "today"                 a date of today
"""

import calendar
import fnmatch
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from davfs import names
from davfs.layout.condition import Test

_FORMS = {
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
    """A value of ``[where]`` cannot be read; the loader adds file and line."""


@dataclass(frozen=True, slots=True)
class Like:
    """A text, with ``*`` and ``?``.

    Attributes:
        pattern: The text.
    """

    pattern: str

    @property
    def relative(self) -> bool:
        """See `Test`."""
        return False

    def fits(self, value: str, today: date) -> bool:  # noqa: ARG002  as `Test` has it
        """See `Test`."""
        return _compiled(self.pattern).fullmatch(names.folded(value)) is not None


@dataclass(frozen=True, slots=True)
class Between:
    """A range of dates, times, or both in one.

    Attributes:
        first: Digits of where it begins; empty for no beginning.
        last: Digits of where it ends: all that begins so is still in it; empty for no end.
    """

    first: str
    last: str

    @property
    def relative(self) -> bool:
        """See `Test`."""
        return False

    def fits(self, value: str, today: date) -> bool:  # noqa: ARG002  as `Test` has it
        """See `Test`."""
        digits = _digits(value)
        later = digits[: len(self.last)] > self.last if self.last else False
        return bool(digits) and self.first <= digits and not later


@dataclass(frozen=True, slots=True)
class Last:
    """A date that is not long ago.

    Attributes:
        count: How many units ago it began; 0 for today.
        unit: ``day``, ``week``, ``month`` or ``year``.
    """

    count: int
    unit: str

    @property
    def relative(self) -> bool:
        """See `Test`."""
        return True

    def fits(self, value: str, today: date) -> bool:
        """See `Test`; a server with another time zone than the scanner's may still be in the day before."""
        first, last = (_before(today, self.count, self.unit), _tomorrow(today)) if self.count else (today, today)
        return Between(f"{first:%Y%m%d}".zfill(8), f"{last:%Y%m%d}".zfill(8)).fits(value, today)


def compile_test(text: str, representation: str) -> Test:
    """Read a single value of ``[where]``.

    Args:
        text: The value.
        representation: Value representation of its tag.

    Raises:
        CriterionError: It is wrong; the message says what is allowed.
    """
    if "\\" in text:
        raise CriterionError(f'"{text}": alternatives are written as a list, ["CT", "MR"]')
    if representation not in _FORMS or text == "":
        return Like(text)
    return _relative(text, representation) or _range(text, representation)


def _relative(text: str, representation: str) -> Test | None:
    words = " ".join(text.lower().split())
    if representation == "TM" or not words.startswith(("last", "today")):
        return None
    if words == "today":
        return Last(0, "day")
    match = _RELATIVE.fullmatch(words)
    if match is None:
        raise CriterionError(f'"{text}" is no time before today; write last 30 days (weeks, months, years), or today')
    return Last(int(match[1]), match[2])


def _range(text: str, representation: str) -> Test:
    if _WITH_WILDCARDS.fullmatch(text):
        return Like(text)
    first, dash, last = (part.strip() for part in text.partition("-"))
    ends = [end for end in (first, last) if end]
    if not ends or not all(_is_moment(end, representation) for end in ends):
        raise CriterionError(_wrong(text, representation))
    if dash and first and last and last < first[: len(last)]:
        raise CriterionError(f'"{text}" ends before it begins')
    return Between(first, last if dash else first)


def _is_moment(text: str, representation: str) -> bool:
    _, form, _ = _FORMS[representation]
    if representation == "TM" or form.fullmatch(text) is None:
        return form.fullmatch(text) is not None
    try:
        date(int(text[:4]), int(text[4:6] or 1), int(text[6:8] or 1))
    except ValueError:
        return False
    return True


def _wrong(text: str, representation: str) -> str:
    plural, _, example = _FORMS[representation]
    ranges = f"{example}, ranges {example}-, -{example} or with both ends"
    more = "" if representation == "TM" else ", or last 30 days, or today"
    return f'"{text}" cannot be read; {plural} are written {ranges}, wildcards * and ?{more}'


def _digits(value: str) -> str:
    """Return the digits of a date or time without its dots, dashes, colons and time zone; nothing where it is none."""
    digits = re.sub(r"(?<=\d)[.:-](?=\d)", "", _ZONE.sub(r"\1", value))
    return digits if digits.isascii() and digits.isdigit() else ""


def _before(today: date, count: int, unit: str) -> date:
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
