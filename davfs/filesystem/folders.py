"""The folders within a folder of a layout."""

import unicodedata
from collections.abc import Sequence

from davfs import names
from davfs.catalog.catalog import Catalog, Folder
from davfs.catalog.store import Row
from davfs.entry import Entry, Kind

_KEPT = 100
_LONGEST = 50_000
"""Entries of the longest listing that is kept."""


def find_folder(catalog: Catalog, folder: Folder, segment: str) -> Entry | None:
    """Return what a name leads to, without asking Orthanc; None for nothing."""
    rows = {row.id: row for row in catalog.rows_with(folder, names.bases(segment, files=False))}
    found = names.resolve(segment, {row.id: row.name for row in rows.values()}, files=False)
    if found is None:
        return None
    return Entry(unicodedata.normalize("NFC", segment), Kind.FOLDER, rows[found].updated, resource=found)


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
        entries = _entries(rows)
        if len(entries) < _LONGEST:
            self._kept[folder] = rows, entries
        while len(self._kept) > _KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        return entries


def _entries(rows: Sequence[Row]) -> Sequence[Entry]:
    shown = names.shown({row.id: row.name for row in rows}, files=False)
    return [Entry(shown[row.id], Kind.FOLDER, row.updated, resource=row.id) for row in rows]
