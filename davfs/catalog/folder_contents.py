"""The rows of a folder at this moment: those of the index, after a comparison with Orthanc's own list.

The comparison finds resources that were deleted by another Orthanc on the same database: no event is sent.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from davfs.cache import LruCache
from davfs.catalog.hierarchy import Hierarchy
from davfs.catalog.plan import Folder
from davfs.catalog.rows import Row
from davfs.catalog.store import Store
from davfs.catalog.synchronizer import Synchronizer
from davfs.errors import UnknownResource
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Level, OrthancId

_MAX_FETCHED = 1000
"""Unknown resources that one listing fetches while the first index is being built."""
_FOLDERS = 100
"""Folders whose rows are cached."""
_LONGEST = 50_000
"""Rows of the largest folder that is cached."""


@dataclass(slots=True)
class _CachedFolder:
    """The rows and members of a folder in one generation of the index.

    Attributes:
        generation: `Store.generation`.
        rows: The rows.
        members: The members of groups and patients in it; otherwise the resources in it.
        agreed: Orthanc's list of the members at the time when the index had all of them.
    """

    generation: int
    rows: Sequence[Row]
    members: set[OrthancId]
    agreed: Sequence[OrthancId] | None = None


class FolderContents:
    """Lists folders, and caches the rows of those that were listed last.

    Args:
        orthanc: The server.
        store: The index.
        synchronizer: Updates the index.
        hierarchy: Orthanc's own lists.
    """

    def __init__(self, orthanc: ResourceIndex, store: Store, synchronizer: Synchronizer, hierarchy: Hierarchy) -> None:
        self._orthanc = orthanc
        self._store = store
        self._synchronizer = synchronizer
        self._hierarchy = hierarchy
        self._cache: LruCache[Folder, _CachedFolder] = LruCache(_FOLDERS)

    def indexed(self, folder: Folder) -> Sequence[Row]:
        """Return the rows of a folder in the index; the same object while nothing changed."""
        return self._read(folder).rows

    def _read(self, folder: Folder) -> _CachedFolder:
        generation = self._store.generation
        cached = self._cache.get(folder)
        if cached is not None and cached.generation == generation:
            return cached
        # The members are read first, so that no row belongs to a resource that is not among them.
        members = self._store.members(folder) if folder.is_shared and not _is_index_only(folder) else None
        rows = self._store.rows(folder)
        content = _CachedFolder(generation, rows, {OrthancId(row.id) for row in rows} if members is None else members)
        if len(rows) < _LONGEST:
            self._cache.put(folder, content)
        return content

    def current(self, folder: Folder) -> Sequence[Row]:
        """Return the rows of a folder now; the same object while nothing changed.

        `Synchronizer.refresh` has to be called before. The rows of a group's folder, and of a layout's root that shows
        groups, come from the index alone, since a comparison would cost as much as the archive is large. They are
        compared only while `Synchronizer.needs_comparison`.

        Raises:
            UnknownResource: The folder's resource is gone, or the group has no members any more.
        """
        index_only = _is_index_only(folder)
        from_studies = index_only or folder.level is Level.PATIENT  # Orthanc has no list of these studies
        if self._synchronizer.needs_comparison and (from_studies or folder.deciding_level is not folder.member_level):
            self._compare_all(folder)
        return self.known(folder) if index_only else self._compared(folder)

    def known(self, folder: Folder) -> Sequence[Row]:
        """Return the rows of a folder in the index; the same object while nothing changed.

        Raises:
            UnknownResource: The group has no members any more.
        """
        rows = self.indexed(folder)
        if folder.is_group and not rows:
            raise UnknownResource("it is empty now")
        return rows

    def _compared(self, folder: Folder) -> Sequence[Row]:
        """Compare a folder with Orthanc's list; fetch new resources, and forget those deleted by another Orthanc."""
        content, revision = self._read(folder), self._store.revision
        theirs = self._hierarchy.in_folder(folder, folder.member_level)
        unchanged = (content.generation, content.agreed) == (self._store.generation, theirs)
        if unchanged and not self._synchronizer.is_stale:
            return content.rows
        content = self._read(folder)
        wanted, ours = set(theirs), content.members
        stale, gone = self._synchronizer.is_stale, ours - wanted
        missing = self._synchronizer.unverified(wanted) if stale else self._store.unknown(wanted - ours)
        self._fetch(missing)
        if gone:
            self._synchronizer.forget(gone, revision)
        if not missing and not gone and len(theirs) < _LONGEST:
            content.agreed = theirs
        return self._without_late(folder, self.indexed(folder), wanted)

    def _without_late(self, folder: Folder, rows: Sequence[Row], wanted: set[OrthancId]) -> Sequence[Row]:
        """Leave out resources that another thread indexed after Orthanc sent its list, and that are deleted already."""
        if not folder.is_shared:
            left = [row for row in rows if row.id in wanted]
            return rows if len(left) == len(rows) else left
        revision = self._store.revision
        late = list(self._store.members(folder) - wanted)
        if late and (gone := set(late) - self._orthanc.existing(late)):
            self._synchronizer.forget(gone, revision)
            return self.indexed(folder)
        return rows

    def _compare_all(self, folder: Folder) -> None:
        """Compare all resources, of the level on which a folder depends, with Orthanc."""
        revision = self._store.revision
        theirs, ours = set(self._orthanc.ids(folder.deciding_level)), self._store.ids(folder.deciding_level)
        missing = theirs - ours
        if self._synchronizer.is_stale:
            shown = self._store.members(folder) if folder.is_shared else self._read(folder).members
            missing |= self._synchronizer.unverified(shown)
        self._fetch(missing)
        if gone := ours - theirs:
            self._synchronizer.forget(gone, revision)

    def _fetch(self, missing: Collection[OrthancId]) -> None:
        if not (self._synchronizer.building and len(missing) > _MAX_FETCHED):
            self._synchronizer.fetch(missing)


def _is_index_only(folder: Folder) -> bool:
    """Return True if Orthanc has no list of the folder: a group, or a layout's root that shows groups."""
    return folder.is_group or not (folder.shows or folder.id)
