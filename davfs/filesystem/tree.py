"""A layout as an area of the drive: folders are groups, patients, studies and series, files are instances.

`davfs.filesystem.path_resolver` finds what a path leads to.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from davfs import names
from davfs.audit.record import NOBODY, Client
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder, Plan
from davfs.derived.files import DerivedFiles
from davfs.entry import Content, Entry, EntryKind, Path, Streamed
from davfs.errors import DatabaseGone, Forbidden, IsAFolder, NotAFolder, NotFound, UnknownResource
from davfs.filesystem.archives import Archives
from davfs.filesystem.checksum_lists import ChecksumLists
from davfs.filesystem.deletions import Deletions, TreeDeletion
from davfs.filesystem.extra_files import ExtraFiles
from davfs.filesystem.files_below import FilesBelow
from davfs.filesystem.images import Images
from davfs.filesystem.path_resolver import PathResolver
from davfs.filesystem.stored import open_stored
from davfs.filesystem.subfolders import Subfolders
from davfs.filesystem.tree_node import TreeNode, entry_of
from davfs.layout import Layout
from davfs.orthanc import InstanceFiles
from davfs.orthanc.model import Level, OrthancId


class Tree:
    """`davfs.filesystem.area.Area` over one layout.

    Args:
        layout: The levels of the tree.
        catalog: The index.
        orthanc: Serves the stored files.
        deletions: Deletes resources in Orthanc; None if that is not allowed.
        since: Date of the root, in UTC.
        derived_files: Makes the files that are derived from the stored ones.

    Attributes:
        plan: How the index places by it.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what it is made of
        self,
        layout: Layout,
        catalog: Catalog,
        orthanc: InstanceFiles,
        deletions: Deletions | None,
        since: datetime,
        derived_files: DerivedFiles,
    ) -> None:
        self.plan = Plan.of(layout)
        self._catalog = catalog
        self._orthanc = orthanc
        self._subfolders = Subfolders(catalog)
        self._images = Images(layout, catalog, orthanc, derived_files)
        below = FilesBelow(self._subfolders, self._images)
        archives = Archives(below, self._images, derived_files)
        checksum_lists = ChecksumLists(below, derived_files)
        self._extra_files = ExtraFiles(layout, catalog, derived_files.documents, archives, checksum_lists)
        hidden = self._extra_files.hidden
        self._deletion = TreeDeletion(layout, catalog, deletions, hidden) if deletions else None
        root = TreeNode(None, None, Entry("", EntryKind.FOLDER, since), Folder(self.plan))
        self._resolver = PathResolver(layout, root, catalog, self._subfolders, self._images, self._extra_files)

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        return self._resolver.inspect(path, self._current_entry)

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        return self._resolver.inspect(path, self._entries)

    def browse(self, path: Path) -> tuple[Entry, Iterable[Entry] | None]:
        """See `Browsable`: a folder whose content Orthanc has listed exists."""

        def both(node: TreeNode) -> tuple[Entry, Iterable[Entry] | None]:
            if node.entry.is_folder and node.folder is not None:
                return node.entry, self._entries(node)
            entry = self._current_entry(node)
            return entry, self._entries(node) if entry.is_folder else None

        return self._resolver.inspect(path, both)

    @property
    def title(self) -> str:
        """Name of the layout's folder."""
        return self.plan.layout.title

    @property
    def is_anonymised(self) -> bool:
        """True if the images are shown de-identified: then nothing can be put beside them."""
        return self.plan.layout.anonymised is not None

    def takes_files(self, path: Path) -> bool:
        """Return True if files can be written into a folder: by its depth alone, whether it exists or not."""
        levels = self.plan.layout.levels
        if self.is_anonymised or not 0 < len(path) <= len(levels):
            return False
        return levels[len(path) - 1].resource in (Level.PATIENT, Level.STUDY, Level.SERIES)

    def find(self, path: Path) -> TreeNode:
        """Return the node of a path whose resource exists now; raise `NotFound` if there is none."""

        def existing(node: TreeNode) -> TreeNode:
            self._current_entry(node)
            return node

        return self._resolver.inspect(path, existing)

    def known(self, path: Path) -> TreeNode | None:
        """Return the folder at a path by the index, without asking Orthanc; None if there is none."""
        return self._resolver.find(path)

    def studies_of(self, patient: OrthancId) -> Sequence[OrthancId]:
        """Return the studies in a patient folder, by its node."""
        return self._catalog.studies_of(patient)

    def read(self, path: Path) -> Content:
        """See `Area`."""
        return self._resolver.use(path, lambda node: self._open(path, node))

    def delete(self, path: Path, *, by: Client = NOBODY) -> str:
        """See `Deletable`."""
        deletion = self._deletion
        if deletion is None:
            raise Forbidden(path, "AllowDelete is not set: nothing can be deleted from the archive through this drive")
        try:
            return self._resolver.use(path, lambda node: deletion.delete(path, node, by))
        except NotFound:
            if not deletion.delete_missing(path, by, self._exists):
                raise
            return ""  # the folder went with the last of its content

    @property
    def may_delete(self) -> bool:
        """True if resources can be deleted."""
        return self._deletion is not None

    def delete_instance(self, path: Path, instance: OrthancId, entry: Entry, by: Client) -> str:
        """Delete an instance that was attached a moment ago, at the path under which the client wrote it."""
        if self._deletion is None:
            raise Forbidden(path, "AllowDelete is not set")
        try:
            return self._deletion.delete(path, TreeNode(Level.INSTANCE, instance, entry, None), by)
        except UnknownResource:
            return ""

    def _exists(self, path: Path) -> bool:
        try:
            self.stat(path)
        except NotFound:
            return False
        return True

    def _current_entry(self, node: TreeNode) -> Entry:
        """Return the entry of a node if Orthanc still has its resource; the size of a file is that of this moment."""
        if node.derive is not None:
            return entry_of(node.entry, node.derive())
        if node.level is None or node.id is None:
            return node.entry
        if node.level is Level.INSTANCE:
            with suppress(DatabaseGone):
                return node.entry._replace(size=self._orthanc.instance_size(node.id))
            return node.entry
        if not self._catalog.exists(node.level, node.id):
            raise UnknownResource("it has been deleted")
        return node.entry

    def _entries(self, node: TreeNode) -> Iterable[Entry]:
        if not node.entry.is_folder:
            raise NotAFolder((), "it is a file")
        derived = self._extra_files.derive_all(node)
        bases = {one: base for one, (base, _) in derived.items()}
        entries, extra_names = self._named(node.folder, bases)
        return [*entries, *self._extra_files.entries(node, extra_names, derived)] if derived else entries

    def _named(
        self, folder: Folder | None, extra_bases: Mapping[str, str]
    ) -> tuple[Sequence[Entry], Mapping[str, str]]:
        """Return the entries of a folder without its extra files, and the names of these by id."""
        if folder is None:  # the layout ends here
            return [], names.unique_names(extra_bases, files=True)
        if folder.shows is Level.INSTANCE:
            files = self._images.in_folder(folder, fresh=True, extra_bases=extra_bases)
            return files.entries, files.extra_names(extra_bases) if extra_bases else {}
        listing = self._subfolders.list(folder, extra_bases)
        return listing.entries, listing.extra_names

    def _open(self, path: Path, node: TreeNode) -> Content:
        if node.derive is not None:
            derived = node.derive()
            return Streamed(entry_of(node.entry, derived), derived.open(), derived.instances)
        if node.entry.is_folder or node.id is None:
            raise IsAFolder(path, "it is a folder")
        return open_stored(self._orthanc, node.entry, node.id)
