"""Reads the rows of a folder of a layout from the placements in the index."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from davfs.catalog.plan import Folder
from davfs.orthanc.model import OrthancId

_RESOURCES = """
SELECT p.node, p.name, COALESCE(p.date, r.updated) FROM placement p JOIN resource r ON r.id = p.node
WHERE p.layout = ? AND p.folder = ?
"""
_SHARED = """
SELECT p.node, p.name, (
    SELECT max(h.date) FROM holding h WHERE h.layout = p.layout AND h.folder = p.folder AND h.node = p.node
) FROM placement p
WHERE p.layout = ? AND p.folder = ?
"""
"""Sorted by key, node and name, as the table is."""
_ROOT = ""
"""Node of a layout's root."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a folder: its node, base name (without a suffix) and date (UTC)."""

    id: str
    name: str
    date: datetime


def in_folder(db: sqlite3.Connection, folder: Folder) -> list[Row]:
    """Return all rows of a folder; of a group or patient that is spelled in several ways, the first spelling."""
    rows = _rows(db.execute(_select(folder), _place(folder)))
    return list({row.id: row for row in reversed(rows)}.values()) if folder.is_shared else rows


def with_keys(db: sqlite3.Connection, folder: Folder, keys: Sequence[str]) -> list[Row]:
    """Return the rows of a folder whose name has one of the keys (`davfs.names.folded`), in every spelling."""
    query = f"{_select(folder)} AND p.key IN ({','.join('?' * len(keys))}) ORDER BY p.name"
    return _rows(db.execute(query, (*_place(folder), *keys)))


def members(db: sqlite3.Connection, folder: Folder) -> set[OrthancId]:
    """Return the members of all groups or patients in a folder."""
    query = "SELECT DISTINCT holder FROM holding WHERE layout = ? AND folder = ?"
    return {i for (i,) in db.execute(query, _place(folder))}


def _select(folder: Folder) -> str:
    return _SHARED if folder.is_shared else _RESOURCES


def _place(folder: Folder) -> tuple[str, str]:
    return folder.plan.key, folder.id or _ROOT


def _rows(found: Iterable[tuple[str, str, int]]) -> list[Row]:
    return [Row(node, name, datetime.fromtimestamp(date, UTC)) for node, name, date in found]
