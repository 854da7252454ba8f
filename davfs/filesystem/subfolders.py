"""Lists and finds the folders within a folder of a layout: groups, patient folders, studies and series."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from davfs import names
from davfs.cache import LruCache
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder, patient_of
from davfs.catalog.rows import Row
from davfs.entry import Entry, EntryKind
from davfs.filesystem.image_files import NO_EXTRA_FILES
from davfs.filesystem.tree_node import TreeNode
from davfs.orthanc.model import OrthancId

_CACHED = 100
_LONGEST = 50_000
"""Entries of the longest listing that is cached."""


@dataclass(frozen=True, slots=True)
class FolderListing:
    """The folders in a folder, and the rows and base names that their names were made from.

    Attributes:
        entries: The folders, in the order of their names.
        nodes: Their nodes in the catalog, in the same order.
        extra_names: Names of the extra files beside them, by id.
        rows, extra_bases: See above.
    """

    entries: Sequence[Entry]
    nodes: Sequence[str]
    extra_names: Mapping[str, str]
    rows: Sequence[Row]
    extra_bases: Mapping[str, str]


class Subfolders:
    """Lists folders, and caches each listing until its rows change.

    Args:
        catalog: The index.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._cache: LruCache[tuple[Folder, bool], FolderListing] = LruCache(_CACHED)

    def list(self, folder: Folder, extra_bases: Mapping[str, str] = NO_EXTRA_FILES) -> FolderListing:
        """List the folders that are in a folder now, with these base names of its extra files, by id.

        Raises:
            UnknownResource: The folder's resource has been deleted.
        """
        rows = self._catalog.rows(folder)
        key = folder, bool(extra_bases)  # archives list folders without their extra files
        cached = self._cache.get(key)
        if cached is not None and cached.rows is rows and cached.extra_bases == extra_bases:
            return cached
        listing = _listing(folder, rows, extra_bases)
        if len(rows) < _LONGEST:
            self._cache.put(key, listing)
        return listing

    def find(
        self, folder: Folder, segment: str, extra_bases: Mapping[str, str] = NO_EXTRA_FILES
    ) -> TreeNode | str | None:
        """Resolve a name in a folder from the index alone.

        A group of values that differ in case is listed under the first of them, and found by each.

        Returns:
            A folder, the id of an extra file, or None.
        """
        rows = self._catalog.rows_with(folder, names.base_names(segment, files=False))
        digests = {row.id: folder.plan.layout.digest(row.id) for row in rows}
        bases = dict(extra_bases) | {digests[row.id]: row.name for row in reversed(rows)}
        for row in rows:
            found = names.resolve(segment, bases | {digests[row.id]: row.name}, files=False)
            match = next((one for one in rows if digests[one.id] == found), None)
            if match is not None:
                return _node(folder, unicodedata.normalize("NFC", segment), match)
        extra = names.resolve(segment, bases, files=False) if extra_bases else None
        return extra if extra in extra_bases else None


def _node(folder: Folder, name: str, row: Row) -> TreeNode:
    resource = OrthancId(row.id) if folder.shows else None
    return TreeNode(folder.shows, resource, _entry(folder, name, row.id, row.date), folder.below(row.id))


def _listing(folder: Folder, rows: Sequence[Row], extra_bases: Mapping[str, str]) -> FolderListing:
    digest = folder.plan.layout.digest
    digests = {row.id: digest(row.id) for row in rows}
    unique = names.unique_names({**extra_bases, **{digests[row.id]: row.name for row in rows}}, files=False)
    in_order = sorted(rows, key=lambda row: unique[digests[row.id]])
    entries = [_entry(folder, unique[digests[row.id]], row.id, row.date) for row in in_order]
    extra_names = {one: unique[one] for one in extra_bases}
    return FolderListing(entries, [row.id for row in in_order], extra_names, rows, extra_bases)


def _entry(folder: Folder, name: str, node: str, date: datetime) -> Entry:
    return Entry(name, EntryKind.FOLDER, date, resource=patient_of(node) if folder.shows else "")
