"""Finds studies by what the facts know of them, without asking Orthanc.

SQLite looks at every study; the texts are compared in Python, for neither case nor accents count. Where nothing has
changed, what was found last is kept.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, TypeAlias

from davfs.cache import LruCache
from davfs.catalog.plan import Folder
from davfs.catalog.query import Query, Term
from davfs.catalog.rows import Row
from davfs.catalog.store import Store
from davfs.layout import Condition, Layout, matches
from davfs.layout.tags import LABELS
from davfs.orthanc.model import Level, OrthancId

_KEPT = 50
"""Queries whose studies are kept until the facts change."""
_FITS = "fits"
_JOINS = {Level.SERIES: "SELECT 1 FROM resource r WHERE r.parent = s.id AND {terms}"}
_TAGS = {Level.PATIENT: "s.patient", Level.STUDY: "s.tags", Level.SERIES: "r.tags"}
_LABELS_OF = (
    "(SELECT group_concat(e.value, char(92)) FROM resource l, json_each(l.labels) e WHERE l.id IN (s.id, s.parent))"
)
_FACT = f"SELECT s.tags, s.patient, {_LABELS_OF} FROM resource s WHERE s.id = ?"  # noqa: S608  a constant
_SERIES = "SELECT tags FROM resource WHERE parent = ?"
_STUDIES = f"SELECT s.id FROM resource s WHERE s.level = '{Level.STUDY.value}' AND "  # noqa: S608  a constant
_NEWEST_FIRST = " ORDER BY json_extract(s.tags, '$.StudyDate') DESC, s.id"
_ROWS = """
SELECT p.node, p.name, COALESCE(p.date, r.updated)
FROM placement p INDEXED BY placement_node JOIN resource r ON r.id = p.node
WHERE p.layout = ? AND p.folder = '' AND p.node IN (SELECT value FROM json_each(?))
"""

Scope: TypeAlias = Sequence[Sequence[Condition]]
"""Conditions of which one list has to hold as a whole; an empty list always does."""


def scope_of(layouts: Iterable[Layout]) -> Scope:
    """Tell which studies may be found: those whose files a layout shows as they are.

    What no layout shows, or an anonymised one alone, somebody has decided to keep from the users of the drive; and what
    is found is shown under the patient's name.
    """
    shown = (layout for layout in layouts if layout.anonymised is None)
    return tuple(layout.where for layout in shown if layout.levels[-1].resource is Level.INSTANCE)


class StudySearch:
    """Finds studies.

    Args:
        store: The facts.
        scope: What else has to hold for a study to be found.
        today: Tells the day, in the time of the place where studies are dated.
    """

    def __init__(self, store: Store, scope: Scope, today: Callable[[], date] = date.today) -> None:
        self._store = store
        self._scope = () if any(not where for where in scope) else scope
        self._nothing = not scope
        self._today = today
        self._kept: LruCache[tuple[Query, int], tuple[int, date, Sequence[OrthancId]]] = LruCache(_KEPT)

    def find(self, query: Query, most: int) -> Sequence[OrthancId]:
        """Return the studies that a query asks for, those with the latest date first, and no more than ``most``."""
        generation, today = self._store.generation, self._today()
        kept = self._kept.get((query, most))
        if kept is not None and kept[:2] == (generation, today):
            return kept[2]
        found = self._found(query, today, most)
        self._kept.put((query, most), (generation, today, found))
        return found

    def holds(self, query: Query, study: OrthancId) -> bool:
        """Tell whether a query asks for a study."""
        return bool(self._found(query, self._today(), 1, study))

    def rows(self, root: Folder, studies: Sequence[OrthancId]) -> list[Row]:
        """Return those of the studies that are in a layout's root."""
        with self._store.read() as db:
            found = db.execute(_ROWS, (root.plan.key, json.dumps(studies))).fetchall()
        return [Row(OrthancId(node), name, datetime.fromtimestamp(moment, UTC)) for node, name, moment in found]

    def _found(self, query: Query, today: date, most: int, study: str | None = None) -> list[OrthancId]:
        if self._nothing:
            return []
        condition, values = _condition(query)
        if study is not None:
            condition, values = f"s.id = ? AND {condition}", [study, *values]
        with self._store.read() as db:
            db.create_function(_FITS, 2, _comparison(query, today))
            with closing(db.execute(_STUDIES + condition + _NEWEST_FIRST, values)) as rows:
                fitting = (one for (one,) in rows if not self._scope or self._in_scope(db, one, today))
                return [OrthancId(one) for one in islice(fitting, most)]

    def _in_scope(self, db: sqlite3.Connection, study: str, today: date) -> bool:
        ((tags, patient, labels),) = db.execute(_FACT, (study,))
        own, whose = {**json.loads(tags), LABELS: labels or ""}, json.loads(patient)
        series = [json.loads(each) for (each,) in db.execute(_SERIES, (study,))]
        return any(matches(where, whose, own, series, today) for where in self._scope)


def _comparison(query: Query, today: date) -> Callable[[int, bytes | None], bool]:
    """Return what SQLite asks for each value; it comes in bytes, for not all text of Orthanc's is valid UTF-8."""
    tests = [term.test for term in query.terms]

    def fits(index: int, value: bytes | None) -> bool:
        return value is not None and tests[index].fits(value.decode(errors="replace"), today)

    return fits


def _condition(query: Query) -> tuple[str, list[Any]]:
    """Return what has to hold for a study, in SQL."""
    places = list(enumerate(query.terms))
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
        values += [f"$.{term.keyword}" for _, term in group if term.keyword != LABELS]
    return " AND ".join(clauses), values


def _compared(index: int, term: Term) -> str:
    if term.keyword == LABELS:
        return f"{_FITS}({index}, CAST({_LABELS_OF} AS BLOB))"
    return f"{_FITS}({index}, CAST(json_extract({_TAGS[term.level]}, ?) AS BLOB))"
