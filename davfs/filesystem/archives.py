"""Derives the archive of a folder: a ZIP of the DICOM files below it, at the paths that the drive shows."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

from davfs.cache import LruCache
from davfs.catalog.plan import Folder
from davfs.derived.file import DerivedFile
from davfs.derived.files import DerivedFiles
from davfs.entry import Path
from davfs.errors import UnknownResource
from davfs.filesystem.image_files import ImageFiles
from davfs.filesystem.images import Images
from davfs.filesystem.subfolders import Subfolders
from davfs.filesystem.tree_node import TreeNode
from davfs.orthanc.model import Level, OrthancId

_ARCHIVES = 100
"""Archives whose members are cached: those of the folders that people have open."""
_MEMBERS = 50_000
"""Members of all of them: some 20 MB."""


ArchiveFolder: TypeAlias = tuple[Path, ImageFiles]
"""Path of a folder in an archive, and the files in it."""


class Archives:
    """Derives the archives of one layout.

    Args:
        subfolders: The layout's folders.
        images: The layout's files.
        derived_files: Makes the archives.
    """

    def __init__(self, subfolders: Subfolders, images: Images, derived_files: DerivedFiles) -> None:
        self._subfolders = subfolders
        self._images = images
        self._derived_files = derived_files
        self._cache: LruCache[str | None, tuple[Sequence[ArchiveFolder], DerivedFile]] = LruCache(_ARCHIVES, _MEMBERS)

    def archive(self, owner: TreeNode) -> DerivedFile:
        """Return the archive of all DICOM files below a folder, as they are now.

        Raises:
            UnknownResource: The folder's resource has been deleted.
        """
        folders = list(self._below(owner.folder, owner.level, owner.id, ()))
        cached = self._cache.get(owner.id)
        if cached is not None and cached[0] == folders:
            return cached[1]
        members = [self._images.member(files, entry, path) for path, files in folders for entry in files.entries]
        archive = self._derived_files.archive(members)
        self._cache.put(owner.id, (folders, archive), len(members))
        return archive

    def _below(
        self, folder: Folder | None, level: Level | None, resource: str | None, path: Path
    ) -> Iterator[ArchiveFolder]:
        if folder is None and level and resource:  # the layout ends here
            yield path, self._images.below(level, OrthancId(resource))
        elif folder is not None and folder.shows is Level.INSTANCE:
            yield path, self._images.in_folder(folder, fresh=True)
        elif folder is not None:
            listing = self._subfolders.list(folder)
            for entry, row in zip(listing.entries, listing.in_order, strict=True):
                with suppress(UnknownResource):  # deleted meanwhile
                    yield from self._below(folder.below(row.id), folder.shows, row.id, (*path, entry.name))
