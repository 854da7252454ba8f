"""The table by which searches find studies: their words without case and accents, in the order of their dates.

A search compares its words with these texts within SQLite, and all else with the few studies that are left. Since the
words of all tags of a study and of its series are one text, a study that is left need not match.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from davfs.catalog import stored_tags
from davfs.catalog.query import EqualsValue, Term, has_words, search_key, words_of
from davfs.catalog.records import Record
from davfs.layout import tags
from davfs.orthanc.model import Level

_DATE, _MODALITY = "StudyDate", "Modality"


def insert(db: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Insert the studies among resources; all series of each are among them too."""
    series: dict[str, list[Record]] = {}
    for one in records:
        if one.level is Level.SERIES:
            series.setdefault(one.parent, []).append(one)
    studies = (one for one in records if one.level is Level.STUDY)
    rows = ((_date(one), one.row, _text(one, series.get(one.id, ()))) for one in studies)
    db.executemany("INSERT INTO searchable VALUES (?, ?, ?)", rows)


def delete(db: sqlite3.Connection, row: int) -> None:
    """Delete a study, by its number in the file, before it is changed or deleted itself; ignore other resources."""
    for (own,) in db.execute("SELECT tags FROM resource WHERE id = ?", (row,)):
        date = _stored(stored_tags.load(own).get(_DATE, ""))
        db.execute("DELETE FROM searchable WHERE date = ? AND resource = ?", (date, row))


def texts(term: Term) -> Iterator[str]:
    """Yield texts that the text of each study has in it that meets a term of a query."""
    if _is_in_text(term.keyword, term.level):
        yield from words_of(term)
    elif term.keyword == _MODALITY and isinstance(term.criterion, EqualsValue):
        yield _code(term.criterion.text)


def _date(study: Record) -> str:
    return _stored(study.tags.get(_DATE, ""))


def _text(study: Record, series: Iterable[Record]) -> str:
    words, codes = [*_values(study.patient, Level.PATIENT), *_values(study.tags, Level.STUDY)], set[str]()
    for one in series:
        words += _values(one.tags, Level.SERIES)
        codes.update(_stored(one.tags.get(_MODALITY, "")).split("\\"))
    return " ".join([*_keys(dict.fromkeys(words)), *sorted({_code(search_key(code)) for code in codes if code})])


def _values(found: Mapping[str, str], level: Level) -> list[str]:
    return [found[keyword] for keyword in _in_text(tuple(found), level)]


@lru_cache(maxsize=1000)  # there are few different sets of keywords in an archive
def _in_text(keywords: tuple[str, ...], level: Level) -> list[str]:
    return [keyword for keyword in keywords if _is_in_text(keyword, level)]


def _keys(values: Collection[str]) -> Iterator[str]:
    """Yield the keys of values: of those in ASCII at once, which is quicker."""
    others = [value for value in values if not value.isascii()]
    yield search_key("\n".join([value for value in values if value.isascii()]))
    yield from (search_key(_stored(value)) for value in others)


def _is_in_text(keyword: str, level: Level) -> bool:
    """Return True if a tag's words are in the text: the UIDs of many series would take more room than all else."""
    return has_words(keyword) and not (level is Level.SERIES and tags.representation(keyword) == "UI")


def _code(text: str) -> str:
    """Return a modality as it is in the text: no key has an equals sign."""
    return f"={text}="


def _stored(text: str) -> str:
    """Return a text as it is read from JSON in the file: not all text of Orthanc is valid."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode(errors="replace")
