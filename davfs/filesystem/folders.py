"""The folders within a folder of a layout."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from davfs import names
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder
from davfs.catalog.store import Row
from davfs.entry import Entry, Kind

_KEPT = 100
_LONGEST = 50_000
"""Entries of the longest listing that is kept."""


@dataclass(frozen=True, slots=True)
class Found:
    """A folder that was found by its name.

    Attributes:
        node: Its node.
        entry: Its entry.
    """

    node: str
    entry: Entry


def find_folder(catalog: Catalog, folder: Folder, segment: str) -> Found | None:
    """Return what a name leads to, without asking Orthanc; None for nothing.

    A group of values that differ in case is shown under the first of them, and answers to each.
    """
    rows = catalog.rows_with(folder, names.bases(segment, files=False))
    first = {row.id: row.name for row in reversed(rows)}
    for row in rows:
        found = names.resolve(segment, first | {row.id: row.name}, files=False)
        if found is not None:
            dates = {row.id: row.date for row in rows}
            return Found(found, _entry(folder, unicodedata.normalize("NFC", segment), found, dates[found]))
    return None


class Listings:
    """Lists folders, and keeps what was listed for as long as it stays the same.

    Args:
        catalog: Knows what is in them.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._kept: dict[Folder, tuple[Sequence[Row], Sequence[Entry]]] = {}

    def list(self, folder: Folder) -> Sequence[Entry]:
        """Return what is in a folder now.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        rows = self._catalog.rows(folder)
        kept = self._kept.get(folder)
        if kept is not None and kept[0] is rows:
            return kept[1]
        entries = _entries(folder, rows)
        if len(entries) < _LONGEST:
            self._kept[folder] = rows, entries
        while len(self._kept) > _KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        return entries


def _entries(folder: Folder, rows: Sequence[Row]) -> Sequence[Entry]:
    shown = names.shown({row.id: row.name for row in rows}, files=False)
    return [_entry(folder, shown[row.id], row.id, row.date) for row in rows]


def _entry(folder: Folder, name: str, node: str, date: datetime) -> Entry:
    return Entry(name, Kind.FOLDER, date, resource=node if folder.shows else "")
