"""Finds the days on which conditions with relative dates depend, so that a new day costs what enters or leaves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from davfs.layout.condition import Condition, values_of
from davfs.layout.criteria import RecentDate, day_of


def days_of(
    where: Iterable[Condition],
    patient: Mapping[str, str],
    study: Mapping[str, str],
    series: Sequence[Mapping[str, str]],
) -> set[int]:
    """Return the days (`davfs.layout.criteria.day_of`) of a study that conditions compare with today's date.

    The arguments are those of `davfs.layout.condition.matches`.
    """
    keywords = {condition.keyword for condition in where if condition.relative}
    days = {day_of(value) for keyword in keywords for value in values_of(keyword, patient, study, series)}
    return {day for day in days if day is not None}


def changed_days(where: Iterable[Condition], before: date, after: date) -> Iterator[tuple[int, int]]:
    """Yield ranges of days, first and last: those that conditions accept on one of two dates, but not on the other.

    A study without a value in one of them meets the conditions on both dates, or on neither.
    """
    for condition in where:
        for criterion in condition.criteria:
            if isinstance(criterion, RecentDate):
                old, new = criterion.window(before), criterion.window(after)
                yield from _without(old, new)
                yield from _without(new, old)


def _without(one: tuple[int, int], other: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the parts of a range that are not in another one."""
    first, last = one
    parts = ((first, min(last, other[0] - 1)), (max(first, other[1] + 1), last))
    yield from ((start, end) for start, end in parts if start <= end)
