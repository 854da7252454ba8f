"""What has to hold for a study to appear in a layout."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from davfs.layout.tags import LABELS, MODALITIES, representation
from davfs.layout.values import split


class Test(Protocol):
    """Whether one value of a tag fits."""

    @property
    def relative(self) -> bool:
        """True where the answer depends on today's date."""

    def fits(self, value: str, today: date) -> bool:
        """Tell whether a single value fits; an empty one stands for a tag that is missing."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A tag of the patient, the study or its series, and what fits.

    Attributes:
        keyword: The tag; of a series' tag it is enough that one series of the study has a value that fits.
        tests: One of them has to fit, for one of the tag's values.
    """

    keyword: str
    tests: tuple[Test, ...]

    @property
    def relative(self) -> bool:
        """True where the answer depends on today's date."""
        return any(test.relative for test in self.tests)


def matches(
    where: Iterable[Condition],
    patient: Mapping[str, str],
    study: Mapping[str, str],
    series: Sequence[Mapping[str, str]],
    today: date,
) -> bool:
    """Tell whether a study appears.

    Args:
        where: The conditions; all of them have to hold.
        patient: Main DICOM tags of the patient.
        study: Those of the study, its labels as if they were a tag.
        series: Those of each of its series.
        today: What relative dates start from.
    """
    for condition in where:
        values = _values(condition.keyword, patient, study, series)
        if not any(test.fits(value, today) for value in values for test in condition.tests):
            return False
    return True


def _values(
    keyword: str, patient: Mapping[str, str], study: Mapping[str, str], series: Sequence[Mapping[str, str]]
) -> list[str]:
    """Return the single values of a tag; one that is empty where there is none."""
    texts = [tags[keyword] for tags in (patient, study) if keyword in tags]
    if not texts and keyword != LABELS:
        below = "Modality" if keyword == MODALITIES else keyword
        texts = [tags.get(below, "") for tags in series]
    values = (split(text, representation(keyword) or "") for text in texts or [""])
    return [" ".join(value.replace("\0", " ").split()) for several in values for value in several]
