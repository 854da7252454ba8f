"""The conditions of ``[where]``, and their evaluation for a study."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from davfs.layout.tags import LABELS, MODALITIES, representation
from davfs.layout.values import split_values


class Criterion(Protocol):
    """Accepts or rejects single values of a tag."""

    @property
    def relative(self) -> bool:
        """True if the result depends on today's date."""

    def accepts(self, value: str, today: date) -> bool:
        """Return True if a single value is accepted; a missing tag has the value ""."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a tag of the patient, the study or its series.

    Attributes:
        keyword: The tag; for a tag of series, one series of the study has to meet the condition.
        criteria: One of them has to accept one of the tag's values.
    """

    keyword: str
    criteria: tuple[Criterion, ...]

    @property
    def relative(self) -> bool:
        """True if the result depends on today's date."""
        return any(criterion.relative for criterion in self.criteria)


def matches(
    where: Iterable[Condition],
    patient: Mapping[str, str],
    study: Mapping[str, str],
    series: Sequence[Mapping[str, str]],
    today: date,
) -> bool:
    """Return True if a study meets all conditions.

    Args:
        where: The conditions.
        patient: Main DICOM tags of the patient.
        study: Those of the study, with its labels as a tag.
        series: Those of each of its series.
        today: Today's date, for relative dates.
    """
    for condition in where:
        values = values_of(condition.keyword, patient, study, series)
        if not any(criterion.accepts(value, today) for value in values for criterion in condition.criteria):
            return False
    return True


def values_of(
    keyword: str, patient: Mapping[str, str], study: Mapping[str, str], series: Sequence[Mapping[str, str]]
) -> list[str]:
    """Return the single values of a tag, as `matches` compares them; an empty one if it is missing."""
    texts = [tags[keyword] for tags in (patient, study) if keyword in tags]
    if not texts and keyword != LABELS:
        below = "Modality" if keyword == MODALITIES else keyword
        texts = [tags.get(below, "") for tags in series]
    values = (split_values(text, representation(keyword) or "") for text in texts or [""])
    return [" ".join(value.replace("\0", " ").split()) for several in values for value in several]
