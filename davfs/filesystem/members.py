"""What an archive of a folder holds: the DICOM files below it, at the paths that the drive shows them at."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from davfs.catalog.plan import Folder
from davfs.entry import Path
from davfs.errors import UnknownResource
from davfs.filesystem.files import Files
from davfs.filesystem.folders import Listings
from davfs.filesystem.images import Images
from davfs.filesystem.node import Node
from davfs.generated.archive import Member
from davfs.orthanc.model import Level, OrthancId


class Members:
    """Finds the members of archives in one layout.

    Args:
        listings: The layout's folders.
        images: The layout's files.
    """

    def __init__(self, listings: Listings, images: Images) -> None:
        self._listings = listings
        self._images = images

    def of(self, owner: Node) -> Sequence[Member]:
        """Return the DICOM files below a folder, as they are now.

        Raises:
            UnknownResource: Its resource is gone.
        """
        return list(self._below(owner.folder, owner.level, owner.id, ()))

    def _below(self, folder: Folder | None, level: Level | None, resource: str | None, path: Path) -> Iterator[Member]:
        if folder is None and level and resource:  # the layout ends here
            yield from self._files(self._images.below(level, OrthancId(resource)), path)
        elif folder is not None and folder.shows is Level.INSTANCE:
            yield from self._files(self._images.of(folder, fresh=True), path)
        elif folder is not None:
            listed = self._listings.list(folder)
            for entry, node in zip(listed.entries, listed.nodes, strict=True):
                with suppress(UnknownResource):  # deleted this very moment
                    yield from self._below(folder.below(node), folder.shows, node, (*path, entry.name))

    def _files(self, files: Files, path: Path) -> Iterator[Member]:
        for entry in files.entries:
            opener = self._images.opener(files, OrthancId(entry.resource))
            yield Member((*path, entry.name), entry.size, entry.etag, entry.modified, opener)
