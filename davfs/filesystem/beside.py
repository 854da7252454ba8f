"""Files beside the images in the folders of layouts: what clients wrote there a moment ago.

A paper that is dropped on a study becomes a DICOM instance, which has a series' folder and a name of its own. But the
client looks for the file that it wrote, and for the files that it keeps beside it (``._report.pdf``, ``desktop.ini``).
So these are listed for an hour, by the resource of their folder; an attachment only while Orthanc has its instance.

They are in a hidden folder of the inbox, and so count in its quota, are the same on all nodes, and survive a crash.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from davfs import media_types
from davfs.entry import DICOM, Content, ContentAs, Entry, Path
from davfs.errors import AlreadyExists, NotFound, PathError, Unavailable, UnknownResource
from davfs.filesystem.stored import open_stored
from davfs.imports.complete_file import CompleteFile
from davfs.orthanc import Instance, InstanceFiles
from davfs.spool.files import InboxFiles
from davfs.spool.items import Item, Receipt

BESIDE: Final = ".beside-images"
"""The hidden folder of the inbox."""

SHOWN_SECONDS: Final = 3600.0
"""Seconds for which a file is shown; it is removed when its folder is listed later, or when it expires in the inbox."""


class BesideFiles:
    """Keeps files beside images.

    Args:
        orthanc: Has the instances of those that were attached or imported.
        spool: Keeps the files.
        now: Clock, in seconds since the epoch.
    """

    def __init__(self, orthanc: InstanceFiles, spool: InboxFiles, now: Callable[[], float] = time.time) -> None:
        self._orthanc = orthanc
        self._spool = spool
        self._now = now

    @staticmethod
    def path(folder: str, name: str) -> Path:
        """Return the path in the spool of a name in a folder, which is given by its key."""
        return BESIDE, hashlib.sha256(folder.encode()).hexdigest()[:40], name

    def keep(self, file: CompleteFile, path: Path, receipt: Receipt | None = None, *, replace: bool = True) -> None:
        """Keep a file, for an instance with its receipt; errors are those of `InboxFiles.write`."""
        self.make_folder(path[:-1])
        file.keep(path, replace=replace, receipt=receipt)

    def put_receipt(self, path: Path, receipt: Receipt) -> None:
        """Show an imported DICOM file by its receipt."""
        self.make_folder(path[:-1])
        self._spool.put_receipt(path, receipt)

    def make_folder(self, path: Path) -> None:
        """Make a folder of the spool, and those above it, unless they exist."""
        for depth in range(1, len(path) + 1):
            with suppress(AlreadyExists):
                self._spool.make_folder(path[:depth])

    def find(self, path: Path) -> Item | None:
        """Return the file at a path of the spool if it is shown, with the entry that is shown; None otherwise.

        Here and in `items`, nothing is shown while the inbox cannot be read: the images do not depend on it.
        """
        with suppress(NotFound, Unavailable, OSError):
            return next(self._shown(path[:-1], [self._spool.stat(path)]), None)
        return None

    def items(self, folder: str) -> Sequence[Item]:
        """Return the files that are shown in a folder."""
        path = self.path(folder, "")[:-1]
        with suppress(NotFound, Unavailable, OSError):
            return list(self._shown(path, self._spool.list(path)))
        return ()

    def open(self, path: Path, item: Item) -> Content:
        """Open a file that `find` has returned.

        Raises:
            NotFound: It has gone.
        """
        if item.receipt is None or item.has_original:
            content = self._spool.open(path)
            return ContentAs(content, content.entry._replace(media_type=item.entry.media_type))
        try:
            return open_stored(self._orthanc, item.entry, item.receipt.instance)
        except UnknownResource as error:
            raise NotFound(path, "it has been deleted") from error

    def _shown(self, folder: Path, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items that are shown; remove the others."""
        recent: list[Item] = []
        for item in items:
            if self._now() - item.entry.modified.timestamp() < SHOWN_SECONDS:
                recent.append(item)
            else:
                self._remove((*folder, item.entry.name))
        ids = [item.receipt.instance for item in recent if item.receipt]
        instances = {each.id: each for each in self._orthanc.instances(ids)} if ids else {}
        for item in recent:
            if item.receipt is None:
                yield item
            elif entry := _entry(item, item.receipt, instances.get(item.receipt.instance)):
                yield Item(entry, item.receipt, item.has_original)
            else:
                self._remove((*folder, item.entry.name))

    def _remove(self, path: Path) -> None:
        with suppress(PathError):
            self._spool.delete(path)


def _entry(item: Item, receipt: Receipt, instance: Instance | None) -> Entry | None:
    """Return the entry of a file that is in Orthanc; None if it is there no more, or cannot be shown as it was."""
    if instance is None:
        return None
    is_dicom = instance.size == receipt.size
    if not is_dicom and not item.has_original:  # the uploaded file made room for another one
        return None
    media_type = DICOM if is_dicom else media_types.of_name(item.entry.name)
    etag = item.entry.etag if item.has_original else instance.uuid or item.entry.etag
    return item.entry._replace(media_type=media_type, etag=etag)
