"""Parses the queries of ``search/``, such as ``PatientName=doe,Modality=CT,StudyDate=20240101-20241231``.

::

    PatientName=doe               "doe" stands anywhere in the name; neither case nor accents count
    PatientName=doe john          so do both words, in any order
    StudyDate=20240131            a day; 2024-01-31 as well, and a month (2024-01) or a year (2024)
    StudyDate=20240101-20241231   from one to the other; either may be left out
    StudyDate=last 30 days        until today; weeks, months and years as well, and today
    StudyTime=0800-1200           times likewise
    Modality=CT                   modalities, labels and whole numbers are compared as a whole
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import ClassVar, TypeAlias

from davfs import names
from davfs.layout import tags
from davfs.layout.condition import Criterion
from davfs.layout.criteria import CriterionError, parse_criterion
from davfs.layout.tags import LABELS, MODALITIES, ExtraTags
from davfs.layout.text import WITHOUT_STROKES
from davfs.orthanc.model import Level

LONGEST = 250
"""Bytes of UTF-8 in a query; file systems keep names of 255."""

Keywords: TypeAlias = Mapping[str, tuple[str, Level]]
"""Searchable keywords in lower case, with the keyword as DICOM writes it, and its level."""

_LEVELS = (Level.PATIENT, Level.STUDY, Level.SERIES)
_MODALITY = "Modality"
_DAY_DIGITS = 8
_WITHOUT_WORDS = {"DA", "DT", "TM", "IS"}
_ISO_DAY = re.compile(r"(?<!\d)(\d{4})-(\d\d)(?:-(\d\d))?(?!\d)", re.ASCII)
_SEPARATORS = str.maketrans("^=\\\0", "    ")
"""Separators between the parts of a person's name, and between values."""


_FOLDED = 5000
"""Texts with other letters than those of ASCII whose key is cached."""


class QueryError(ValueError):
    """A query has a syntax error; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class ContainsWords:
    """Accepts a text that contains all of the words.

    Attributes:
        words: The words, each as a `search_key`.
    """

    words: tuple[str, ...]
    relative: ClassVar[bool] = False

    def accepts(self, value: str, today: date) -> bool:  # noqa: ARG002  as in `Criterion`
        """See `Criterion`."""
        text = search_key(value)
        return all(word in text for word in self.words)


@dataclass(frozen=True, slots=True)
class EqualsValue:
    """Accepts a text of which one value equals this one.

    Attributes:
        text: The text, as a `search_key`.
    """

    text: str
    relative: ClassVar[bool] = False

    def accepts(self, value: str, today: date) -> bool:  # noqa: ARG002  as in `Criterion`
        """See `Criterion`."""
        return any(search_key(part) == self.text for part in value.split("\\"))


@dataclass(frozen=True, slots=True)
class Term:
    """A condition on one tag.

    Attributes:
        keyword: The tag, or ``Labels``.
        level: Level of the tag. One and the same series has to meet all conditions on series.
        criterion: Accepts values.
        alone: Whether any series of the study may meet it, independently of the other conditions on series.
    """

    keyword: str
    level: Level
    criterion: Criterion
    alone: bool = False


Query: TypeAlias = tuple[Term, ...]
"""A parsed query: a study has to meet all conditions."""


def searchable_keywords(extra: ExtraTags, *, labels: bool) -> Keywords:
    """Return the searchable keywords.

    Args:
        extra: Extra tags in Orthanc's index, by level.
        labels: Whether the index follows changes of labels.
    """
    found: dict[str, tuple[str, Level]] = {}
    for level in _LEVELS:
        for keyword in tags.indexed(level, extra):
            if tags.representation(keyword) not in (None, "SQ") and (labels or keyword != LABELS):
                found.setdefault(keyword.lower(), (keyword, level))
    return found


def parse_query(text: str, known: Keywords) -> Query:
    """Parse a query.

    Args:
        text: The query, in NFC.
        known: The searchable keywords.

    Raises:
        QueryError: It has a syntax error.
    """
    if names.safe(text, LONGEST) != text:
        raise QueryError(f"a search is a name of at most {LONGEST} bytes, without {' '.join(names.FORBIDDEN)}")
    return tuple(_term(part.strip(), known) for part in text.split(","))


def search_key(text: str) -> str:
    """Remove case, accents and the separators of a person's name from a text, for comparison."""
    if text.isascii():
        return " ".join(text.translate(_SEPARATORS).lower().split())
    return _folded(text)


@lru_cache(_FOLDED)  # names of physicians and descriptions come again and again
def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = "".join([letter for letter in apart if not unicodedata.combining(letter)])
    return " ".join(plain.translate(WITHOUT_STROKES).translate(_SEPARATORS).split())


def _term(part: str, known: Keywords) -> Term:
    name, equals, value = (piece.strip() for piece in part.partition("="))
    if not equals or not name:
        raise QueryError(f'"{part}" is no Keyword=value; several are joined by commas: PatientName=doe,Modality=CT')
    if name.lower() not in known:
        raise QueryError(f'"{name}" is no tag that can be searched; README.txt in search/ names those that can')
    keyword, level = known[name.lower()]
    if not search_key(value):
        raise QueryError(f"nothing is said about {keyword}; write {keyword}=value")
    if keyword == MODALITIES:
        return Term(_MODALITY, Level.SERIES, EqualsValue(search_key(value)), alone=True)
    return Term(keyword, level, _criterion(keyword, value))


def _criterion(keyword: str, value: str) -> Criterion:
    representation = tags.representation(keyword) or ""
    if representation in {"DA", "DT"}:
        return _day(keyword, value)
    if representation == "TM":
        return _compiled(keyword, value, "TM", "080000, 0800 or 08, and with 0800-1200 from one to the other")
    if not has_words(keyword):
        return EqualsValue(search_key(value))
    return ContainsWords(tuple(dict.fromkeys(search_key(value).split())))


def words_of(term: Term) -> tuple[str, ...]:
    """Return the words that a value has to contain to meet a term; none if the term compares something else."""
    return term.criterion.words if isinstance(term.criterion, ContainsWords) else ()


@lru_cache
def has_words(keyword: str) -> bool:
    """Return True if queries for a tag compare words: it is no date, time, number or code that is compared whole."""
    return keyword not in {_MODALITY, LABELS} and tags.representation(keyword) not in _WITHOUT_WORDS


def _day(keyword: str, value: str) -> Criterion:
    text = _ISO_DAY.sub(lambda day: "".join(day.groups("")), value)
    remedy = "20240131, 202401 or 2024, with 20240101-20241231 from one to the other, or last 30 days"
    if any(len(digits) > _DAY_DIGITS for digits in re.findall(r"\d+", text, re.ASCII)):
        raise QueryError(f"{keyword} is written {remedy}")
    return _compiled(keyword, text, "DT", remedy)  # of a moment, as of a day here, the end may be left out


def _compiled(keyword: str, value: str, representation: str, remedy: str) -> Criterion:
    try:
        return parse_criterion(value, representation)
    except CriterionError as error:
        raise QueryError(f"{keyword} is written {remedy}") from error
