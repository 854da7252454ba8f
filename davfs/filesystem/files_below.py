"""Lists the images below a folder of a layout, at the paths that the drive shows."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TypeAlias

from davfs.catalog.plan import Folder
from davfs.entry import Path
from davfs.errors import UnknownResource
from davfs.filesystem.image_files import NO_EXTRA_FILES, ImageFiles
from davfs.filesystem.images import Images
from davfs.filesystem.subfolders import Subfolders
from davfs.filesystem.tree_node import TreeNode
from davfs.orthanc.model import Level, OrthancId

FolderBelow: TypeAlias = tuple[Path, ImageFiles]
"""Path of a folder below another one, and the images in it."""

ExtraBases: TypeAlias = Callable[[Level | None, str | None], Mapping[str, str]]
"""Returns the base names of the extra files in a folder, by its level and id; see `davfs.filesystem.extra_files`."""


def _no_extra_files(_level: Level | None, _id: str | None) -> Mapping[str, str]:
    return NO_EXTRA_FILES


class FilesBelow:
    """The images below the folders of one layout.

    Args:
        subfolders: The layout's folders.
        images: The layout's files.
    """

    def __init__(self, subfolders: Subfolders, images: Images) -> None:
        self._subfolders = subfolders
        self._images = images

    def of(self, owner: TreeNode, extra_bases: ExtraBases = _no_extra_files) -> list[FolderBelow]:
        """Return the folders with images below a folder, as they are now; itself first, if it has some.

        Args:
            owner: The folder.
            extra_bases: Extra files, where they conflict with the names of folders and images.

        Raises:
            UnknownResource: The folder's resource has been deleted.
        """
        return list(self._below(owner.folder, owner.level, owner.id, (), extra_bases))

    def _below(
        self, folder: Folder | None, level: Level | None, resource: str | None, path: Path, extra_bases: ExtraBases
    ) -> Iterator[FolderBelow]:
        bases = extra_bases(level, resource)
        if folder is None and level and resource:  # the layout ends here
            yield path, self._images.below(level, OrthancId(resource))
        elif folder is not None and folder.shows is Level.INSTANCE:
            yield path, self._images.in_folder(folder, fresh=True, extra_bases=bases)
        elif folder is not None:
            listing = self._subfolders.list(folder, bases)
            for entry, row in zip(listing.entries, listing.in_order, strict=True):
                with suppress(UnknownResource):  # deleted meanwhile
                    below = (*path, entry.name)
                    yield from self._below(folder.below(row.id), folder.shows, row.id, below, extra_bases)
