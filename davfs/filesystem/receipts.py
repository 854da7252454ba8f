"""Shows the receipts of the inbox: entries of files that were imported, checked against Orthanc."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from davfs.entry import Entry, Path
from davfs.errors import NotFound, UnknownResource
from davfs.filesystem.forwarded import ForwardedImages
from davfs.orthanc import Instance, InstanceFiles, OrthancId
from davfs.spool.files import InboxFiles
from davfs.spool.items import Item


@dataclass(frozen=True, slots=True)
class TrashLookup:
    """What receipts have to know about the trash.

    Attributes:
        refresh: Takes note of what other drives have put into the trash; called by each request first.
        hidden: Returns those of the instances that are in the trash.
    """

    refresh: Callable[[], object] = lambda: None
    hidden: Callable[[Sequence[OrthancId]], Collection[OrthancId]] = lambda _instances: ()


class Receipts:
    """Returns the entries of items of the spool, and removes receipts whose instance Orthanc does not have any more.

    Args:
        orthanc: Has the instances.
        spool: Keeps the receipts.
        forwarded: Remembers if Orthanc deletes images as soon as it has stored them.
        trash: Knows which instances are in the trash: their receipts are not shown, and not removed.
    """

    def __init__(
        self,
        orthanc: InstanceFiles,
        spool: InboxFiles,
        forwarded: ForwardedImages,
        trash: TrashLookup = TrashLookup(),
    ) -> None:
        self._trash = trash
        self._orthanc = orthanc
        self._spool = spool
        self._forwarded = forwarded

    def entry(self, item: Item) -> Entry:
        """Return the entry of an item now; the image of a receipt can have been replaced in Orthanc.

        Raises:
            UnknownResource: Orthanc does not have the instance any more.
        """
        if item.receipt is None:
            return item.entry
        self._trash.refresh()
        found = self._orthanc.instances([item.receipt.instance])
        if not found:
            raise UnknownResource("the instance does not exist any more")
        return _entry(item, found[0])

    def entry_after_upload(self, item: Item) -> Entry:
        """Return the entry of an item that was just uploaded; Orthanc can have stored its image and deleted it."""
        if item.receipt is None:
            return item.entry
        if item.uuid:
            return item.entry._replace(etag=item.uuid)
        try:
            return _entry(item, self._orthanc.instance(item.receipt.instance))
        except UnknownResource:
            self._forwarded.add()
            return item.entry

    def entries(self, folder: Path, items: Sequence[Item]) -> Iterator[Entry]:
        """Yield the entries of the items in a folder that exist now."""
        instances = [item.receipt.instance for item in items if item.receipt]
        if instances:
            self._trash.refresh()
        existing = {each.id: each for each in self._orthanc.instances(instances)}
        in_trash = self._trash.hidden([one for one in instances if one not in existing])
        for item in items:
            if item.receipt and item.receipt.instance in existing:
                yield _entry(item, existing[item.receipt.instance])
            elif item.receipt is None or self.is_listed(item):
                yield item.entry
            elif item.receipt.instance not in in_trash:
                self._spool.remove_receipt((*folder, item.entry.name), item.receipt)

    def is_listed(self, item: Item) -> bool:
        """Return True if a receipt is listed although Orthanc does not have its instance any more."""
        return self._forwarded.is_listed(item.entry.modified)

    def remove(self, path: Path, item: Item) -> NotFound:
        """Remove the receipt of an instance that Orthanc does not have any more; return the error to raise."""
        if item.receipt and not self.is_listed(item) and not self._trash.hidden([item.receipt.instance]):
            self._spool.remove_receipt(path, item.receipt)
        return NotFound(path, "Orthanc does not have it any more.")


def _entry(item: Item, instance: Instance) -> Entry:
    """Return the entry of a receipt: that of the uploaded file if it is kept, otherwise with Orthanc's size and tag.

    The date is that of the upload, or of Orthanc's file if that is later: Orthanc can have replaced it
    ("OverwriteInstances"), or it was deleted there and uploaded again.
    """
    entry = item.entry
    if item.has_original:
        return entry
    modified = max(entry.modified, instance.received or entry.modified)
    return entry._replace(size=instance.size, etag=instance.uuid or entry.etag, modified=modified)
