"""The table by which searches find studies: their words without case and accents, in the order of their dates.

A search compares its words with these texts within SQLite, and all else with the few studies that are left. Since the
texts of all tags of a study are one, a study that is left need not match.
"""

import sqlite3
from collections.abc import Iterable

from davfs.catalog import stored_tags
from davfs.catalog.query import has_words, search_key
from davfs.catalog.records import Record
from davfs.orthanc.model import Level

_DATE = "StudyDate"


def insert(db: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Insert those of new resources that are studies."""
    rows = ((_date(one), one.row, _text(one)) for one in records if one.level is Level.STUDY)
    db.executemany("INSERT INTO searchable VALUES (?, ?, ?)", rows)


def delete(db: sqlite3.Connection, row: int) -> None:
    """Delete a study, by its number in the file, before it is changed or deleted itself; ignore other resources."""
    for (tags,) in db.execute("SELECT tags FROM resource WHERE id = ?", (row,)):
        date = _stored(stored_tags.load(tags).get(_DATE, ""))
        db.execute("DELETE FROM searchable WHERE date = ? AND resource = ?", (date, row))


def _date(study: Record) -> str:
    return _stored(study.tags.get(_DATE, ""))


def _text(study: Record) -> str:
    tags = (*study.patient.items(), *study.tags.items())
    values = [value for keyword, value in tags if value and has_words(keyword)]
    plain = search_key("\n".join([value for value in values if value.isascii()]))  # at once, which is quicker
    return " ".join([plain, *(search_key(_stored(value)) for value in values if not value.isascii())])


def _stored(text: str) -> str:
    """Return a text as it is read from JSON in the file: not all text of Orthanc is valid."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode(errors="replace")
