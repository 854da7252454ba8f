"""The folders of a layout: what was found in the catalog, kept until the catalog changes."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from davfs import names
from davfs.catalog.catalog import Catalog, Folder
from davfs.catalog.store import Row
from davfs.entry import Entry, Kind

_KEPT = 10_000
"""Names that are kept: more than people have open, a few MB."""
_LONGEST = 50_000
"""Entries of the longest listing that is kept."""


@dataclass(slots=True)
class _Found:
    """What names led to in one generation of the catalog; a thread that still uses an older one fills that one."""

    generation: int
    entries: dict[tuple[Folder, str], Entry | None] = field(default_factory=dict)


class Folders:
    """Finds and lists the folders within a folder.

    Args:
        catalog: Knows them.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._found = _Found(catalog.generation)
        self._listed: dict[Folder, tuple[Sequence[Row], Sequence[Entry]]] = {}

    def find(self, folder: Folder, segment: str) -> Entry | None:
        """Return what a name leads to, without asking Orthanc; None for nothing."""
        found = self._found
        if found.generation != self._catalog.generation or len(found.entries) > _KEPT:
            found = self._found = _Found(self._catalog.generation)
        if (folder, segment) not in found.entries:
            found.entries[folder, segment] = self._find(folder, segment)
        return found.entries[folder, segment]

    def list(self, folder: Folder) -> Sequence[Entry]:
        """Return what is in a folder now.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        rows = self._catalog.rows(folder)
        kept = self._listed.get(folder)
        if kept is not None and kept[0] is rows:
            return kept[1]
        entries = _entries(rows)
        if len(entries) < _LONGEST:
            self._listed[folder] = rows, entries
        while len(self._listed) > _KEPT // 100:
            self._listed.pop(next(iter(self._listed)), None)
        return entries

    def _find(self, folder: Folder, segment: str) -> Entry | None:
        rows = {row.id: row for row in self._catalog.rows_with(folder, names.bases(segment, files=False))}
        found = names.resolve(segment, {row.id: row.name for row in rows.values()}, files=False)
        if found is None:
            return None
        return Entry(unicodedata.normalize("NFC", segment), Kind.FOLDER, rows[found].updated, resource=found)


def _entries(rows: Sequence[Row]) -> Sequence[Entry]:
    shown = names.shown({row.id: row.name for row in rows}, files=False)
    return [Entry(shown[row.id], Kind.FOLDER, row.updated, resource=row.id) for row in rows]
