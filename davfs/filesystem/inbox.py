"""inbox/: write anything here; DICOM files and ZIPs of DICOM are imported into Orthanc.

1. A complete file goes through the `davfs.imports.upload`. What is no DICOM stays until it expires.
2. For DICOM that was imported there stands a receipt, which serves Orthanc's bytes.
3. Files and folders can be renamed and copied. Whatever comes to an ordinary name without having gone through the
   upload handler goes through it then.
4. While a ZIP is being imported, a file beside it tells how far that is (`davfs.filesystem.progress_files`).

Paths, also those in errors, are relative to the inbox.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace as altered

from davfs.entry import Content, Entry, Opened, Path
from davfs.errors import AlreadyExists, Forbidden, NotFound, PathError, UnknownResource
from davfs.filesystem.area import QuotaUsage, Upload
from davfs.filesystem.forwarded import ForwardedImages
from davfs.filesystem.progress_files import ProgressFiles
from davfs.filesystem.stored import open_stored
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.imports.upload import REJECTED, CompleteBytes, InboxUpload, UploadHandler, is_aside
from davfs.orthanc import Buffer, Instance, InstanceFiles
from davfs.spool.dead_properties import DeadProperties
from davfs.spool.items import Item
from davfs.spool.spool import Spool

_NO_UPLOAD = "Uploads are switched off on this drive."
_OWN = "Only the drive itself puts files here."


class Inbox:
    """The area of the drive that imports what is written into it.

    Args:
        orthanc: Serves the files that receipts stand for.
        spool: Keeps folders, ordinary files and receipts.
        lanes: Do the imports.
        importer: What the lanes are made to do.
        allow_upload: Whether anything can be changed.
        forwarded: Knows whether Orthanc deletes what it has stored.
    """

    def __init__(  # noqa: PLR0913  the parts of it
        self,
        orthanc: InstanceFiles,
        spool: Spool,
        lanes: Lanes,
        importer: Importer,
        *,
        allow_upload: bool = True,
        forwarded: ForwardedImages | None = None,
    ) -> None:
        self._forwarded = forwarded or ForwardedImages()
        self._orthanc = orthanc
        self._spool = spool
        self._uploads = UploadHandler(spool, lanes, importer)
        self._progress = ProgressFiles(self._uploads.running)
        self._allow_upload = allow_upload

    def stat(self, path: Path) -> Entry:
        """Return the entry at a path; a receipt is checked against Orthanc.

        Raises:
            NotFound: Nothing is there, or Orthanc does not have the instance any more, and has not just handed it on.
        """
        told = self._told(path)
        if told:
            return told.entry
        item = self._find(path)
        try:
            return self._now(item)
        except UnknownResource as error:
            if self._forwarded.lists(item.entry.modified):
                return item.entry
            raise self._gone(path, item) from error

    def list(self, path: Path) -> Iterable[Entry]:
        """Return the entries of a folder, by name; receipts whose instance Orthanc does not have any more are dropped.

        Raises:
            NotFound: Nothing is there.
            NotAFolder: It is a file.
        """
        self._find(path)
        entries = list(self._present(path, self._spool.list(path)))
        entries += self._progress.in_folder(path, {entry.name for entry in entries})
        return entries if path else [entry for entry in entries if entry.name != REJECTED or self._has_rejected()]

    def read(self, path: Path) -> Content:
        """Open a file; the caller closes it, as a context manager.

        Raises:
            NotFound: Nothing is there, or Orthanc does not have the instance any more.
            IsAFolder: It is a folder.
        """
        told = self._told(path)
        if told:
            return told
        item = self._find(path)
        if item.receipt is None:
            return self._spool.open(path)
        try:
            # The entry first: bytes that came meanwhile under an old tag are asked for again, the reverse would not be.
            entry = self._now(item)
            if item.has_original:
                return self._spool.open(path)
            return open_stored(self._orthanc, entry, item.receipt.instance)
        except UnknownResource as error:
            raise self._gone(path, item) from error

    def write(self, path: Path, content: Buffer) -> Entry:
        """Take a complete file; returns when Orthanc has it, or when it lies on the disk.

        Args:
            path: Where to.
            content: All of its bytes; they are not copied, and not used after the return.

        Raises:
            Forbidden: Nothing can be written here.
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            Rejected: Orthanc refused it.
            Conflict: Orthanc holds a different file with the same identifiers.
            NoSpace: The quota, or Orthanc's storage, is used up.
            Busy: No worker was free in time; nothing was kept.
            Unavailable: Orthanc does not answer; nothing was kept.
        """
        self._check_changeable(path)
        return self._uploaded(self._uploads.handle(path, CompleteBytes(self._spool, content)))

    def receive(self, path: Path, size: int | None = None) -> Upload:
        """Begin a file that comes in pieces; see `AcceptsUploads`, and `write` for what `finish` raises.

        Its bytes go to the disk as they come, and are mapped from there to be imported.
        """
        self._check_changeable(path)
        return InboxUpload(path, self._spool.receive(path, size), self._uploads, self._uploaded)

    def make_folder(self, path: Path, *, user: str = "") -> None:  # noqa: ARG002  as `Writable` has it
        """Make a folder.

        Raises:
            Forbidden: Nothing can be made here.
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            AlreadyExists: The name is taken.
        """
        if not path and self._allow_upload:
            raise AlreadyExists(path, "The inbox exists.")
        self._check_changeable(path)
        self._spool.make_folder(path)

    def delete(self, path: Path) -> str:
        """Remove a file or a folder with all in it; images stay in Orthanc.

        Returns:
            Nothing (``""``): no resource of Orthanc's is deleted.

        Raises:
            Forbidden: Nothing can be deleted here, or it is the inbox itself.
            NotFound: Nothing is there.
        """
        if not self._allow_upload:
            raise Forbidden(path, _NO_UPLOAD)
        if not path:
            raise Forbidden(path, "The inbox itself cannot be deleted.")
        if self._told(path):
            self._progress.hide(path)
            return ""
        self._find(path)
        self._spool.delete(path)
        return ""

    def move(self, source: Path, target: Path, *, replace: bool) -> None:
        """Give a file, or a folder with all that is in it, another path; see `Movable`.

        What was kept without being imported (see `is_aside`) and gets an ordinary name is imported as if it was written
        there: programs save under another name first. Where Orthanc refuses it, it stays where it is.

        Raises:
            NotFound, AlreadyExists, ParentMissing, BadName: See `Movable`.
            Forbidden: This cannot be moved, or not to there.
            IsAFolder: A folder is at the target of a file that is imported.
            Rejected, Conflict, NoSpace, Busy, Unavailable: As for `write`, where it is imported.
        """
        if source in ((), (REJECTED,)) and self._allow_upload:
            raise Forbidden(source, "The drive's own folders cannot be moved.")
        if not self._starts_anew(source, target, replace=replace, deep=True):
            self._spool.move(source, target, replace=replace)
            return
        with self._spool.adopt(source) as adopted:
            self._uploads.handle(target, adopted, replace=replace, keep_refused=source[0] != REJECTED)
            self._spool.copy_properties(source, target)
            self._spool.remove_adopted(source, adopted)

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """Copy a file or a folder; see `Movable`, and `move` for what is imported then and what is raised.

        A copy takes no room: it is the same file on the disk, with the same date, and expires with it.
        """
        if not self._starts_anew(source, target, replace=replace, deep=deep):
            self._spool.copy(source, target, replace=replace, deep=deep)
            return
        with self._spool.adopt(source) as adopted:
            self._uploads.handle(target, adopted, replace=replace, keep_refused=source[0] != REJECTED)
            self._spool.copy_properties(source, target)

    def properties(self) -> DeadProperties:
        """See `HasProperties`."""
        return self._spool.properties

    def check_properties(self, path: Path, values: Mapping[str, bytes], user: str) -> None:
        """See `HasProperties`."""
        self._spool.check_properties(path, values, user)

    def set_property(self, path: Path, name: str, value: bytes, user: str) -> None:
        """See `HasProperties`."""
        self._spool.set_property(path, name, value, user)

    def quota(self) -> QuotaUsage:
        """Return how full the inbox is, by its quota and its disk; receipts take no room."""
        return QuotaUsage(self._spool.used, self._spool.available)

    def takes_files(self, path: Path) -> bool:
        """Return True if files can be written into a folder of the inbox."""
        return self._allow_upload and path[:1] != (REJECTED,)

    def _starts_anew(self, source: Path, target: Path, *, replace: bool, deep: bool) -> bool:
        """Check what can be told of a move or a copy before; return whether it is to be imported at the target."""
        self._check_changeable(target)
        if not source:
            raise Forbidden(source, "The inbox itself cannot be copied.")
        if self._told(source):
            raise Forbidden(source, "This file only tells how far an import is: it can be read.")
        entry = self.stat(source)
        if not replace and self._is_there(target):
            raise AlreadyExists(target, "The name is taken.")
        if not is_aside(source) or is_aside(target) or (entry.is_folder and not deep):
            return False
        if entry.is_folder:
            raise Forbidden(source, "What is in this folder was never imported: take the files out of it one by one.")
        return self._find(source).receipt is None

    def _is_there(self, path: Path) -> bool:
        try:
            self.stat(path)  # which drops a receipt whose instance Orthanc does not have any more
        except NotFound:
            return False
        return True

    def _check_changeable(self, path: Path) -> None:
        if not self._allow_upload:
            raise Forbidden(path, _NO_UPLOAD)
        if not path:
            raise Forbidden(path, "The inbox itself cannot be replaced.")
        if path[0] == REJECTED:
            raise Forbidden(path, _OWN)

    def _find(self, path: Path) -> Item:
        item = self._spool.stat(path)
        if path == (REJECTED,) and not self._has_rejected():
            raise NotFound(path, "Nothing is there.")
        return item

    def _told(self, path: Path) -> Opened | None:
        """Return the file of this path that tells how far an import is, None where there is none, or another file."""
        told = self._progress.find(path)
        if told is None or self._has(path) or not self._has(path[:-1]):
            return None
        return told

    def _has(self, path: Path) -> bool:
        try:
            self._spool.stat(path)
        except NotFound:
            return False
        return True

    def _now(self, item: Item) -> Entry:
        """Return what an item shows now; the image of a receipt can have been replaced in Orthanc.

        Raises:
            UnknownResource: Orthanc does not have the instance any more.
        """
        if item.receipt is None:
            return item.entry
        found = self._orthanc.instances([item.receipt.instance])
        if not found:
            raise UnknownResource("the instance does not exist any more")
        return _shown(item, found[0])

    def _uploaded(self, item: Item) -> Entry:
        """Return what an item shows that was uploaded now; its image may be gone: it was stored, and then deleted."""
        if item.receipt is None:
            return item.entry
        if item.uuid:
            return altered(item.entry, etag=item.uuid)
        try:
            return _shown(item, self._orthanc.instance(item.receipt.instance))
        except UnknownResource:
            self._forwarded.note()
            return item.entry

    def _present(self, path: Path, items: Sequence[Item]) -> Iterator[Entry]:
        instances = [item.receipt.instance for item in items if item.receipt]
        there = {each.id: each for each in self._orthanc.instances(instances)}
        for item in items:
            if item.receipt is None:
                yield item.entry
            elif item.receipt.instance in there:
                yield _shown(item, there[item.receipt.instance])
            elif self._forwarded.lists(item.entry.modified):
                yield item.entry
            else:
                self._spool.remove_receipt((*path, item.entry.name), item.receipt)

    def _has_rejected(self) -> bool:
        try:
            return bool(self._spool.list((REJECTED,)))
        except PathError:
            return False

    def _gone(self, path: Path, item: Item) -> NotFound:
        """Return the error for the instance of a receipt that Orthanc does not have any more, and drop the receipt."""
        if item.receipt and not self._forwarded.lists(item.entry.modified):
            self._spool.remove_receipt(path, item.receipt)
        return NotFound(path, "Orthanc does not have it any more.")


def _shown(item: Item, instance: Instance) -> Entry:
    """Return a receipt's entry: of what was sent, where it keeps that, else with size, tag and date of Orthanc's file.

    The date is that of the upload, unless the file came later: Orthanc may replace it ("OverwriteInstances"), or it was
    deleted there and sent once more.
    """
    entry = item.entry
    if item.has_original:
        return entry
    modified = max(entry.modified, instance.received or entry.modified)
    return altered(entry, size=instance.size, etag=instance.uuid or entry.etag, modified=modified)
