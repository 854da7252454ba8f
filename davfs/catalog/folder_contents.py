"""The rows of a folder at this moment: those of the index, after a comparison with Orthanc's own list.

The comparison finds resources that were deleted by another Orthanc on the same database: no event is sent. For a
layout's root a number suffices: all that Orthanc has committed is in its log, and so in the index; where Orthanc has as
many resources as the index, it has the same ones (docs/adr/0022-large-folders.md).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from davfs.cache import LruCache
from davfs.catalog.hierarchy import Hierarchy
from davfs.catalog.plan import Folder
from davfs.catalog.rows import FolderSnapshot, Row
from davfs.catalog.store import Store
from davfs.catalog.synchronizer import Synchronizer
from davfs.errors import UnknownResource
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Level, OrthancId

_MAX_FETCHED = 1000
"""Unknown resources that one listing fetches while the first index is being built."""
_FOLDERS = 100
"""Folders whose rows are cached."""
_ROWS = 200_000
"""Rows in all of them: some 60 MB."""
_COUNTS = 3
"""Times that numbers are compared while other threads change the index."""


@dataclass(slots=True)
class _CachedFolder:
    """The rows of a folder in one generation of the index.

    Attributes:
        generation: `Store.generation`.
        rows: The rows.
        count: Number of indexed resources of the level of the members.
        agreed: Orthanc's list of the members at the time when the index had all of them.
    """

    generation: int
    rows: Sequence[Row]
    count: int
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
        self._cache: LruCache[Folder, _CachedFolder] = LruCache(_FOLDERS, _ROWS)
        self._gaps: dict[Level, int] = {}

    def indexed(self, folder: Folder) -> Sequence[Row]:
        """Return the rows of a folder in the index; the same object while they are the same."""
        return self._read(folder).rows

    def _read(self, folder: Folder) -> _CachedFolder:
        generation = self._store.generation
        cached = self._cache.get(folder)
        if cached is not None and cached.generation == generation:
            return cached
        return self._cached(folder, generation, self._store.contents(folder))

    def _cached(self, folder: Folder, generation: int, found: FolderSnapshot) -> _CachedFolder:
        before = self._cache.get(folder)
        rows = before.rows if before is not None and before.rows == found.rows else found.rows
        agreed = before.agreed if before is not None and before.generation == generation else None
        content = _CachedFolder(generation, rows, found.count, agreed)
        self._cache.put(folder, content, len(rows))
        return content

    def _read_with_members(self, folder: Folder) -> tuple[_CachedFolder, set[OrthancId]]:
        """Return a folder with the members of the groups and patients in it, or else with the resources in it."""
        if not folder.is_shared:
            content = self._read(folder)
            return content, {OrthancId(row.id) for row in content.rows}
        generation = self._store.generation
        found = self._store.contents(folder, members=True)
        return self._cached(folder, generation, found), found.members

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
        if index_only:
            return self.known(folder)
        is_counted = folder.level is None and not self._synchronizer.may_lack_resources
        rows = self._counted(folder) if is_counted else None
        return self._compared(folder) if rows is None else rows

    def known(self, folder: Folder) -> Sequence[Row]:
        """Return the rows of a folder in the index; the same object while nothing changed.

        Raises:
            UnknownResource: The group has no members any more.
        """
        rows = self.indexed(folder)
        if folder.is_group and not rows:
            raise UnknownResource("it is empty now")
        return rows

    def _counted(self, folder: Folder) -> Sequence[Row] | None:
        """Return the rows of a layout's root if Orthanc has as many resources as the index; None if it has not.

        The log is read once more after they were counted, for a new one can make up for a deleted one.
        """
        level, gaps = folder.member_level, self._synchronizer.gaps
        if self._gaps.get(level, 0) != gaps:
            return None
        for _ in range(_COUNTS):
            content = self._read(folder)
            if not self._orthanc.has_count(level, content.count):
                return None
            self._synchronizer.refresh()
            if self._store.generation == content.generation:
                return content.rows
        return None

    def _compared(self, folder: Folder) -> Sequence[Row]:
        """Compare a folder with Orthanc's list; fetch new resources, and forget those deleted by another Orthanc."""
        gaps = self._synchronizer.gaps
        content, revision = self._read(folder), self._store.revision
        theirs = self._hierarchy.in_folder(folder, folder.member_level)
        unchanged = (content.generation, content.agreed) == (self._store.generation, theirs)
        if unchanged and not self._synchronizer.is_stale:
            return content.rows
        content, ours = self._read_with_members(folder)
        wanted = set(theirs)
        stale, gone = self._synchronizer.is_stale, ours - wanted
        missing = self._synchronizer.unverified(wanted) if stale else self._store.unknown(wanted - ours)
        self._fetch(missing)
        if gone:
            self._synchronizer.forget(gone, revision)
        if not missing and not gone:
            content.agreed = theirs
        if folder.level is None:
            self._gaps[folder.member_level] = gaps
        return self._without_late(folder, wanted)

    def _without_late(self, folder: Folder, wanted: set[OrthancId]) -> Sequence[Row]:
        """Leave out resources that another thread indexed after Orthanc sent its list, and that are deleted already."""
        revision = self._store.revision
        content, members = self._read_with_members(folder)
        late, rows = list(members - wanted), content.rows
        if not folder.is_shared:
            return [row for row in rows if row.id in wanted] if late else rows
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
            missing |= self._synchronizer.unverified(self._read_with_members(folder)[1])
        self._fetch(missing)
        if gone := ours - theirs:
            self._synchronizer.forget(gone, revision)

    def _fetch(self, missing: Collection[OrthancId]) -> None:
        if not (self._synchronizer.building and len(missing) > _MAX_FETCHED):
            self._synchronizer.fetch(missing)


def _is_index_only(folder: Folder) -> bool:
    """Return True if Orthanc has no list of the folder: a group, or a layout's root that shows groups."""
    return folder.is_group or not (folder.shows or folder.id)
