"""Derives the list of the checksums of all images below a folder, by their paths as the drive shows them."""

from davfs.cache import LruCache
from davfs.derived.checksum_list import ListedFile
from davfs.derived.file import DerivedFile
from davfs.derived.files import DerivedFiles
from davfs.filesystem.files_below import ExtraBases, FilesBelow, FolderBelow
from davfs.filesystem.tree_node import TreeNode
from davfs.orthanc.model import OrthancId

_LISTS = 100
"""Lists that are cached: those of the folders that people have open."""
_FILES = 50_000
"""Files in all of them: some 20 MB."""


class ChecksumLists:
    """Derives the lists of one layout.

    Args:
        files: What is below its folders.
        derived_files: Makes the lists.
    """

    def __init__(self, files: FilesBelow, derived_files: DerivedFiles) -> None:
        self._files = files
        self._derived_files = derived_files
        self._cache: LruCache[str | None, tuple[list[FolderBelow], DerivedFile]] = LruCache(_LISTS, _FILES)

    def of(self, owner: TreeNode, extra_bases: ExtraBases) -> DerivedFile:
        """Return the list of all images below a folder, as they are now.

        Args:
            owner: The folder.
            extra_bases: See `FilesBelow.of`.

        Raises:
            UnknownResource: The folder's resource has been deleted.
        """
        folders = self._files.of(owner, extra_bases)
        cached = self._cache.get(owner.id)
        if cached is not None and cached[0] == folders:
            return cached[1]
        listed = [
            ListedFile((*path, entry.name), files.instance(OrthancId(entry.resource)))
            for path, files in folders
            for entry in files.entries
        ]
        made = self._derived_files.checksum_list(listed)
        self._cache.put(owner.id, (folders, made), len(listed))
        return made
