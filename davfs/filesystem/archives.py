"""What an archive of a folder holds: the DICOM files below it, at the paths that the drive shows them at."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from davfs.cache import LruCache
from davfs.catalog.plan import Folder
from davfs.derived.file import DerivedFile
from davfs.derived.files import DerivedFiles
from davfs.entry import Path
from davfs.errors import UnknownResource
from davfs.filesystem.files import Files
from davfs.filesystem.folders import Listings
from davfs.filesystem.images import Images
from davfs.filesystem.node import Node
from davfs.orthanc.model import Level, OrthancId

_KEPT = 100
"""Archives of which it is remembered what they hold: those of the folders that people have open."""
_MEMBERS = 50_000
"""What all of them hold: some 20 MB."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A folder of files in an archive.

    Attributes:
        path: Where it is.
        files: What is in it.
    """

    path: Path
    files: Files


class Archives:
    """Makes the archives of one layout.

    Args:
        listings: The layout's folders.
        images: The layout's files.
        derived_files: Makes the archives.
    """

    def __init__(self, listings: Listings, images: Images, derived_files: DerivedFiles) -> None:
        self._listings = listings
        self._images = images
        self._derived_files = derived_files
        self._kept: LruCache[str | None, tuple[Sequence[Branch], DerivedFile]] = LruCache(_KEPT, _MEMBERS)

    def made(self, owner: Node) -> DerivedFile:
        """Return the archive of all DICOM files below a folder, as they are now.

        Raises:
            UnknownResource: Its resource is gone.
        """
        branches = list(self._below(owner.folder, owner.level, owner.id, ()))
        kept = self._kept.get(owner.id)
        if kept is not None and _same(kept[0], branches):
            return kept[1]
        members = [self._images.member(one.files, entry, one.path) for one in branches for entry in one.files.entries]
        made = self._derived_files.archive(members)
        self._kept.put(owner.id, (branches, made), len(members))
        return made

    def _below(self, folder: Folder | None, level: Level | None, resource: str | None, path: Path) -> Iterator[Branch]:
        if folder is None and level and resource:  # the layout ends here
            yield Branch(path, self._images.below(level, OrthancId(resource)))
        elif folder is not None and folder.shows is Level.INSTANCE:
            yield Branch(path, self._images.of(folder, fresh=True))
        elif folder is not None:
            listed = self._listings.list(folder)
            for entry, node in zip(listed.entries, listed.nodes, strict=True):
                with suppress(UnknownResource):  # deleted this very moment
                    yield from self._below(folder.below(node), folder.shows, node, (*path, entry.name))


def _same(some: Sequence[Branch], others: Sequence[Branch]) -> bool:
    """Tell whether two archives hold the same files under the same names."""
    return len(some) == len(others) and all(
        one.path == other.path and one.files is other.files for one, other in zip(some, others, strict=True)
    )
