"""Lists and finds the folders within a folder of a layout: groups, patient folders, studies and series."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter

from davfs import names
from davfs.cache import LruCache
from davfs.catalog.catalog import Catalog
from davfs.catalog.packing import hash_of, key_of
from davfs.catalog.plan import Folder
from davfs.catalog.rows import Row
from davfs.entry import Entry, EntryKind
from davfs.filesystem.image_files import NO_EXTRA_FILES
from davfs.filesystem.tree_node import TreeNode
from davfs.orthanc.model import OrthancId

_CACHED = 100
_ENTRIES = 200_000
"""Entries in all listings that are cached: some 60 MB."""


@dataclass(frozen=True, slots=True)
class FolderListing:
    """The folders in a folder, and what their names were made from.

    Attributes:
        entries: The folders, in the order of their names.
        in_order: Their rows in the catalog, in the same order.
        extra_names: Names of the extra files beside them, by id.
        rows: The rows, as the catalog has sent them.
        extra_bases: Base names of the extra files, by id.
        suffixed: Names of the rows that are not listed under their base names for sure.
    """

    entries: Sequence[Entry]
    in_order: Sequence[Row]
    extra_names: Mapping[str, str]
    rows: Sequence[Row]
    extra_bases: Mapping[str, str]
    suffixed: Mapping[Row, str]


class Subfolders:
    """Lists folders, and caches each listing until its rows change.

    Args:
        catalog: The index.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._cache: LruCache[tuple[Folder, bool], FolderListing] = LruCache(_CACHED, _ENTRIES)

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
        listing = _listing(folder, rows, extra_bases, cached)
        self._cache.put(key, listing, len(rows))
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
    (entry,) = _entries(folder, [row], {row: name})
    return TreeNode(folder.shows, resource, entry, folder.below(row.id))


def _listing(
    folder: Folder, rows: Sequence[Row], extra_bases: Mapping[str, str], before: FolderListing | None
) -> FolderListing:
    """Return a listing; entries that are the same as in an older one are taken from that one."""
    digests = {row: folder.plan.layout.digest(row.id) for row in _contested(rows, extra_bases)}
    unique = names.unique_names({**extra_bases, **{digests[row]: row.name for row in digests}}, files=False)
    suffixed = {row: unique[digest] for row, digest in digests.items()}
    known = dict(zip(before.rows, before.entries, strict=True)) if before and not (suffixed or before.suffixed) else {}
    new = [row for row in rows if row not in known]
    known.update(zip(new, _entries(folder, new, suffixed), strict=True))
    in_order = sorted(rows, key=lambda row: known[row].name) if suffixed else rows
    extra_names = {one: unique[one] for one in extra_bases}
    return FolderListing([known[row] for row in in_order], in_order, extra_names, rows, extra_bases, suffixed)


def _contested(rows: Sequence[Row], extra_bases: Mapping[str, str]) -> list[Row]:
    """Return the rows with names that others have too, or may have with a suffix.

    These are few. All others are listed under their base names, without a call of `davfs.names.unique_names`.
    """
    claims = Counter([*map(attrgetter("key"), rows), *map(key_of, extra_bases.values())])
    keys = {key for key, count in claims.items() if count > 1}
    marked = [name for name in extra_bases.values() if "~" in name] + [row.name for row in rows if "~" in row.name]
    keys.update(hash_of(key) for name in marked for key in names.base_names(name, files=False))
    return [row for row in rows if row.key in keys] if keys else []


def _entries(folder: Folder, rows: Sequence[Row], suffixed: Mapping[Row, str]) -> list[Entry]:
    """Return the entries of rows: all at once, since that takes half the time."""
    listed = [suffixed.get(row, row.name) for row in rows] if suffixed else map(attrgetter("name"), rows)
    dates = map(attrgetter("date"), rows)
    owners = map(attrgetter("owner"), rows) if folder.shows else repeat("")
    level = folder.shows.label if folder.shows else ""
    kind, zero, empty, no, levels, none = map(repeat, (EntryKind.FOLDER, 0, "", False, level, None))
    values = zip(listed, kind, dates, zero, empty, empty, owners, no, no, levels, none)  # noqa: B905  constants do not end
    return list(map(Entry._make, values))
