"""The rows of a folder of the drive at this moment: those of the index, once it has what Orthanc has.

Deletions are found by comparing the facts with Orthanc's own list of what is in the folder.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from davfs.cache import LruCache
from davfs.catalog.facts import Facts
from davfs.catalog.hierarchy import Hierarchy
from davfs.catalog.plan import Folder
from davfs.catalog.rows import Row
from davfs.catalog.store import Store
from davfs.errors import UnknownResource
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Level, OrthancId

_PATIENCE = 1000
"""Unknown resources that one listing fetches while the first index is still being built."""
_LISTINGS = 100
"""Folders whose content is kept until the facts change."""
_LONGEST = 50_000
"""Rows of the largest folder that is kept."""


@dataclass(slots=True)
class _Content:
    """What the facts have in a folder in one generation, and the resources for whose sake it is there.

    Attributes:
        generation: `Store.generation`.
        rows: What is in the folder.
        holders: The resources.
        agreed: What Orthanc had in the folder when the facts had all of it, whether it is shown or not.
    """

    generation: int
    rows: Sequence[Row]
    holders: set[OrthancId]
    agreed: Sequence[OrthancId] | None = None


class FolderContents:
    """The rows of folders, and a memory of those that were asked for last.

    Args:
        orthanc: The server.
        store: Facts and placements.
        facts: Keep the store in step.
        hierarchy: Orthanc's own lists.
    """

    def __init__(self, orthanc: ResourceIndex, store: Store, facts: Facts, hierarchy: Hierarchy) -> None:
        self._orthanc = orthanc
        self._store = store
        self._facts = facts
        self._hierarchy = hierarchy
        self._kept: LruCache[Folder, _Content] = LruCache(_LISTINGS)

    def known(self, folder: Folder) -> Sequence[Row]:
        """Return what the facts have in a folder; the same object while nothing changed."""
        return self._read(folder).rows

    def _read(self, folder: Folder) -> _Content:
        generation = self._store.generation
        kept = self._kept.get(folder)
        if kept is not None and kept.generation == generation:
            return kept
        # The holders first: so the rows have nothing for the sake of a resource that is not among them.
        holders = self._store.holders(folder) if folder.is_shared and not _is_from_facts(folder) else None
        rows = self._store.rows(folder)
        content = _Content(generation, rows, {OrthancId(row.id) for row in rows} if holders is None else holders)
        if len(rows) < _LONGEST:
            self._kept.put(folder, content)
        return content

    def current(self, folder: Folder) -> Sequence[Row]:
        """Return what is in a folder now; the same object while nothing changed.

        The facts are as they were left by `Facts.refresh`, which the request began with. The folder of a group, and a
        layout's root that shows groups, are what the facts know: to compare them would cost what the archive holds.
        Only where facts may be missing, Orthanc is asked for its ids.

        Raises:
            UnknownResource: The folder's resource is gone, or nothing is in the group any more.
        """
        from_facts = _is_from_facts(folder)
        from_studies = from_facts or folder.level is Level.PATIENT  # whose Orthanc does not tell
        if self._facts.suspect and (from_studies or folder.decided_by is not folder.holders):
            self._compare_with_all(folder)
        return self._of_group(folder) if from_facts else self._compared(folder)

    def _of_group(self, folder: Folder) -> Sequence[Row]:
        rows = self.known(folder)
        if folder.is_group and not rows:
            raise UnknownResource("nothing is in it any more")
        return rows

    def _compared(self, folder: Folder) -> Sequence[Row]:
        """Return what is in a folder, after a comparison with Orthanc's own list of that."""
        content, revision = self._read(folder), self._store.revision
        told = self._hierarchy.in_folder(folder, folder.holders)
        if (content.generation, content.agreed) == (self._store.generation, told) and not self._facts.doubted:
            return content.rows
        content = self._read(folder)
        wanted, known = set(told), content.holders
        missing = self._facts.doubtful(wanted) if self._facts.doubted else self._store.unknown(wanted - known)
        gone = known - wanted
        self._learn(missing)
        if gone:
            self._facts.forget(gone, revision)
        if not missing and not gone and len(told) < _LONGEST:
            content.agreed = told
        return self._without_late(folder, self.known(folder), wanted)

    def _without_late(self, folder: Folder, rows: Sequence[Row], wanted: set[OrthancId]) -> Sequence[Row]:
        """Leave out what others have taken over since Orthanc told what is in a folder: it may be gone already.

        They may have been told of it before it was deleted.
        """
        if not folder.is_shared:
            left = [row for row in rows if row.id in wanted]
            return rows if len(left) == len(rows) else left
        revision = self._store.revision
        late = list(self._store.holders(folder) - wanted)
        if late and (gone := set(late) - self._orthanc.existing(late)):
            self._facts.forget(gone, revision)
            return self.known(folder)
        return rows

    def _compare_with_all(self, folder: Folder) -> None:
        """Take over what Orthanc has, and the facts have not, at the level that decides what is in a folder."""
        revision = self._store.revision
        theirs, ours = set(self._orthanc.ids(folder.decided_by)), self._store.ids(folder.decided_by)
        missing = theirs - ours
        if self._facts.doubted:
            shown = self._store.holders(folder) if folder.is_shared else self._read(folder).holders
            missing |= self._facts.doubtful(shown)
        self._learn(missing)
        if gone := ours - theirs:
            self._facts.forget(gone, revision)

    def _learn(self, missing: Collection[OrthancId]) -> None:
        if not (self._facts.building and len(missing) > _PATIENCE):
            self._facts.learn(missing)


def _is_from_facts(folder: Folder) -> bool:
    """Return True if a folder is what the facts know: to compare it would cost what the archive holds."""
    return folder.is_group or not (folder.shows or folder.id)
