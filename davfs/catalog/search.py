"""Finds studies in the index by a query of ``search/``, without asking Orthanc.

Words and dates are compared within SQLite first, the latest study first (`searchable`); each study that is left is
compared with the whole query in Python, since neither case nor accents count, until enough are found. Results are
cached until the index changes.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import date
from itertools import islice
from typing import Any, TypeAlias

from davfs.cache import LruCache
from davfs.catalog import searchable, stored_tags
from davfs.catalog.connections import snapshot
from davfs.catalog.packing import pack, unpack
from davfs.catalog.plan import Folder
from davfs.catalog.query import Query, Term
from davfs.catalog.rows import Row, of_studies
from davfs.catalog.schema import LEVEL_NUMBERS
from davfs.catalog.store import Store
from davfs.layout import Condition, Layout, matches
from davfs.layout.tags import LABELS
from davfs.orthanc.model import Level, OrthancId

_QUERIES = 50
"""Queries whose results are cached."""
_FITS = "fits"  # the SQL function
_JOINS = {Level.SERIES: "SELECT 1 FROM resource r WHERE r.parent = s.orthanc AND {terms}"}
_TAGS = {Level.PATIENT: "s.patient", Level.STUDY: "s.tags", Level.SERIES: "r.tags"}
_LABELS_OF = (
    "(SELECT group_concat(e.value, char(92)) FROM resource l, json_each(l.labels) e"
    " WHERE l.level IN (0, 1) AND l.orthanc IN (s.orthanc, s.parent))"
)
_FACT = f"SELECT s.tags, s.patient, {_LABELS_OF} FROM resource s WHERE s.level = 1 AND s.orthanc = ?"  # noqa: S608  a constant
_SERIES = "SELECT tags FROM resource WHERE parent = ?"
_STUDIES = "SELECT s.orthanc FROM searchable f CROSS JOIN resource s ON s.id = f.resource WHERE "
_NEWEST_FIRST = " ORDER BY f.date DESC, s.orthanc"
_ONE = f"SELECT s.orthanc FROM resource s WHERE s.level = {LEVEL_NUMBERS[Level.STUDY]} AND s.orthanc = ? AND "  # noqa: S608  a constant
_DATE = "StudyDate"

Scope: TypeAlias = Sequence[Sequence[Condition]]
"""Lists of conditions; a study is in scope if it meets all conditions of one list."""


def scope_of(layouts: Iterable[Layout]) -> Scope:
    """Return the scope of a search: studies whose files a layout shows as they are.

    A study that no layout shows, or only an anonymised one, is hidden from the users of the drive on purpose; and
    search results show the patient's name.
    """
    plain = (layout for layout in layouts if layout.anonymised is None)
    return tuple(layout.where for layout in plain if layout.levels[-1].resource is Level.INSTANCE)


class StudySearch:
    """Finds studies.

    Args:
        store: The index.
        scope: The studies that may be found.
        today: Returns today's date, in local time.
    """

    def __init__(self, store: Store, scope: Scope, today: Callable[[], date] = date.today) -> None:
        self._store = store
        self._scope = () if any(not where for where in scope) else scope
        self._is_empty = not scope
        self._today = today
        self._cache: LruCache[tuple[Query, int], tuple[int, date, Sequence[OrthancId]]] = LruCache(_QUERIES)

    def find(self, query: Query, most: int) -> Sequence[OrthancId]:
        """Return at most ``most`` studies that match a query, the latest first."""
        generation, today = self._store.generation, self._today()
        cached = self._cache.get((query, most))
        if cached is not None and cached[:2] == (generation, today):
            return cached[2]
        found = self._found(query, today, most)
        self._cache.put((query, most), (generation, today, found))
        return found

    def matches(self, query: Query, study: OrthancId) -> bool:
        """Return True if a study matches a query."""
        return bool(self._found(query, self._today(), 1, study))

    def rows(self, root: Folder, studies: Sequence[OrthancId]) -> list[Row]:
        """Return the rows of those studies that are in a layout's root."""
        with self._store.read() as db:
            return of_studies(db, root, studies)

    def _found(self, query: Query, today: date, most: int, study: str | None = None) -> list[OrthancId]:
        if self._is_empty:
            return []
        condition, values = _condition(query)
        with self._store.read() as db, snapshot(db):
            if study is None:
                some, words = _candidates(db, query, today)
                statement, values = f"{_STUDIES}{some} AND {condition}{_NEWEST_FIRST}", [*words, *values]
            else:
                statement, values = _ONE + condition, [pack(study), *values]
            db.create_function(_FITS, 2, _comparison(query, today))
            with closing(db.execute(statement, values)) as rows:
                fitting = (one for (one,) in rows if not self._scope or self._in_scope(db, one, today))
                return [OrthancId(unpack(one)) for one in islice(fitting, most)]

    def _in_scope(self, db: sqlite3.Connection, study: bytes | str, today: date) -> bool:
        ((tags, patient, labels),) = db.execute(_FACT, (study,))
        own, of_patient = {**stored_tags.load(tags), LABELS: labels or ""}, stored_tags.load(patient)
        series = [stored_tags.load(each) for (each,) in db.execute(_SERIES, (study,))]
        return any(matches(where, of_patient, own, series, today) for where in self._scope)


def _comparison(query: Query, today: date) -> Callable[[int, bytes | None], bool]:
    """Return the SQL function that compares a value; it gets bytes, since not all text of Orthanc is valid UTF-8."""
    criteria = [term.criterion for term in query]

    def fits(index: int, value: bytes | None) -> bool:
        return value is not None and criteria[index].accepts(value.decode(errors="replace"), today)

    return fits


def _candidates(db: sqlite3.Connection, query: Query, today: date) -> tuple[str, list[str]]:
    """Return an SQL condition that each study meets that matches a query, and perhaps others; and its parameters."""
    words = {text for term in query for text in searchable.texts(term)}
    clauses, values = ["TRUE", *["instr(f.text, ?)"] * len(words)], sorted(words)
    if criteria := [term.criterion for term in query if term.keyword == _DATE]:
        dates = [found for (found,) in db.execute("SELECT DISTINCT date FROM searchable")]
        clauses.append("f.date IN (SELECT value FROM json_each(?))")
        values.append(json.dumps([one for one in dates if all(each.accepts(one, today) for each in criteria)]))
    return " AND ".join(clauses), values


def _condition(query: Query) -> tuple[str, list[Any]]:
    """Return the SQL condition that a study has to meet, and its parameters."""
    places = list(enumerate(query))
    groups = [
        (level, [(index, term) for index, term in places if term.level is level and not term.alone])
        for level in (Level.STUDY, Level.PATIENT, Level.SERIES)
    ] + [(term.level, [(index, term)]) for index, term in places if term.alone]
    clauses, values = [], []
    for level, group in groups:
        if not group:
            continue
        terms = " AND ".join(_compared(index, term) for index, term in group)
        clauses.append(f"EXISTS ({_JOINS[level].format(terms=terms)})" if level in _JOINS else terms)
        values += [stored_tags.path(term.keyword) for _, term in group if term.keyword != LABELS]
    return " AND ".join(clauses), values


def _compared(index: int, term: Term) -> str:
    if term.keyword == LABELS:
        return f"{_FITS}({index}, CAST({_LABELS_OF} AS BLOB))"
    return f"{_FITS}({index}, CAST(json_extract({_TAGS[term.level]}, ?) AS BLOB))"
