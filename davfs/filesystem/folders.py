"""The folders within a folder of a layout, and the extra files beside them."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from davfs import names
from davfs.cache import LruCache
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder, patient_of
from davfs.catalog.rows import Row
from davfs.entry import Entry, EntryKind
from davfs.filesystem.files import NO_OTHERS
from davfs.filesystem.node import Node
from davfs.orthanc.model import OrthancId

_KEPT = 100
_LONGEST = 50_000
"""Entries of the longest listing that is kept."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What is in a folder.

    Attributes:
        entries: The folders in it, in the order of their names.
        nodes: Their nodes, in the same order.
        others: Names of the others, by identity.
    """

    entries: Sequence[Entry]
    nodes: Sequence[str]
    others: Mapping[str, str]


def find_folder(
    catalog: Catalog, folder: Folder, segment: str, others: Mapping[str, str] = NO_OTHERS
) -> Node | str | None:
    """Return what a name leads to, without asking Orthanc: a folder, the identity of one of the others, or nothing.

    A group of values that differ in case is shown under the first of them, and answers to each.

    Args:
        catalog: Knows the folders.
        folder: Where to look.
        segment: The name.
        others: Base names of what else is in the folder, by identity.
    """
    rows = catalog.rows_with(folder, names.base_names(segment, files=False))
    mark = folder.plan.layout.digest
    marks = {row.id: mark(row.id) for row in rows}
    first = dict(others) | {marks[row.id]: row.name for row in reversed(rows)}
    for row in rows:
        found = names.resolve(segment, first | {marks[row.id]: row.name}, files=False)
        one = next((one for one in rows if marks[one.id] == found), None)
        if one is not None:
            return _node(folder, unicodedata.normalize("NFC", segment), one)
    other = names.resolve(segment, first, files=False) if others else None
    return other if other in others else None


def _node(folder: Folder, name: str, row: Row) -> Node:
    resource = OrthancId(row.id) if folder.shows else None
    return Node(folder.shows, resource, _entry(folder, name, row.id, row.date), folder.below(row.id))


_Kept: TypeAlias = tuple[Sequence[Row], Mapping[str, str], Listed]


class Listings:
    """Lists folders, and keeps what was listed for as long as it stays the same.

    Args:
        catalog: Knows what is in them.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._kept: LruCache[tuple[Folder, bool], _Kept] = LruCache(_KEPT)

    def list(self, folder: Folder, others: Mapping[str, str] = NO_OTHERS) -> Listed:
        """Return what is in a folder now.

        Args:
            folder: Which one.
            others: Base names of what else is in it, by identity.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        rows = self._catalog.rows(folder)
        key = folder, bool(others)  # an archive holds it without them
        kept = self._kept.get(key)
        if kept is not None and kept[0] is rows and kept[1] == others:
            return kept[2]
        listed = _listed(folder, rows, others)
        if len(rows) < _LONGEST:
            self._kept.put(key, (rows, others, listed))
        return listed


def _listed(folder: Folder, rows: Sequence[Row], others: Mapping[str, str]) -> Listed:
    mark = folder.plan.layout.digest
    marks = {row.id: mark(row.id) for row in rows}
    shown = names.unique_names({**others, **{marks[row.id]: row.name for row in rows}}, files=False)
    rows = sorted(rows, key=lambda row: shown[marks[row.id]])
    entries = [_entry(folder, shown[marks[row.id]], row.id, row.date) for row in rows]
    return Listed(entries, [row.id for row in rows], {one: shown[one] for one in others})


def _entry(folder: Folder, name: str, node: str, date: datetime) -> Entry:
    return Entry(name, EntryKind.FOLDER, date, resource=patient_of(node) if folder.shows else "")
