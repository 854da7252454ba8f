"""Derives the archive of a folder: a ZIP of the DICOM files below it, at the paths that the drive shows."""

from davfs.cache import LruCache
from davfs.derived.file import DerivedFile
from davfs.derived.files import DerivedFiles
from davfs.filesystem.files_below import FilesBelow, FolderBelow
from davfs.filesystem.images import Images
from davfs.filesystem.tree_node import TreeNode

_ARCHIVES = 100
"""Archives whose members are cached: those of the folders that people have open."""
_MEMBERS = 50_000
"""Members of all of them: some 20 MB."""


class Archives:
    """Derives the archives of one layout.

    Args:
        files: What is below its folders.
        images: The layout's files.
        derived_files: Makes the archives.
    """

    def __init__(self, files: FilesBelow, images: Images, derived_files: DerivedFiles) -> None:
        self._files = files
        self._images = images
        self._derived_files = derived_files
        self._cache: LruCache[str | None, tuple[list[FolderBelow], DerivedFile]] = LruCache(_ARCHIVES, _MEMBERS)

    def archive(self, owner: TreeNode) -> DerivedFile:
        """Return the archive of all DICOM files below a folder, as they are now.

        Raises:
            UnknownResource: The folder's resource has been deleted.
        """
        folders = self._files.of(owner)
        cached = self._cache.get(owner.id)
        if cached is not None and cached[0] == folders:
            return cached[1]
        members = [self._images.member(files, entry, path) for path, files in folders for entry in files.entries]
        archive = self._derived_files.archive(members)
        self._cache.put(owner.id, (folders, archive), len(members))
        return archive
