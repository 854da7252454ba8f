"""inbox/: the folder for uploads, from which DICOM files and ZIPs of DICOM files are imported into Orthanc.

1. `davfs.imports.upload` decides what a complete upload is. A file that is not DICOM stays until it expires.
2. A DICOM file that was imported is replaced by a receipt, which serves Orthanc's bytes.
3. Files and folders can be renamed and copied. A file that was not imported because of its name, such as that of a
   temporary file, is imported when it is renamed to an ordinary one.
4. While a ZIP is being imported, a text file beside it shows the progress (`davfs.filesystem.progress_files`).

Paths, including those of errors, are relative to the inbox.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from davfs.audit.record import NOBODY, Client
from davfs.derived.checksums import StoredChecksums
from davfs.entry import Content, Entry, Opened, Path
from davfs.errors import AlreadyExists, Forbidden, NotFound, UnknownResource
from davfs.filesystem.area import QuotaUsage, Upload
from davfs.filesystem.beside import BESIDE
from davfs.filesystem.forwarded import ForwardedImages
from davfs.filesystem.own_folders import READ_ONLY, OwnFolders
from davfs.filesystem.progress_files import ProgressFiles
from davfs.filesystem.receipts import Receipts, TrashLookup
from davfs.filesystem.stored import open_stored
from davfs.filesystem.upload_records import UploadRecords
from davfs.imports.complete_file import CompleteBytes
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.imports.upload import InboxUpload, UploadHandler, is_never_imported
from davfs.orthanc import Buffer, InstanceFiles
from davfs.spool.files import ClientProperties, InboxFiles
from davfs.spool.items import Item

_NO_UPLOAD = "Uploads are switched off on this drive."
_OWN = "Only the drive itself puts files here."


class Inbox:
    """The area of the drive that imports uploads.

    Args:
        orthanc: Serves the imported files.
        spool: Keeps folders, ordinary files and receipts.
        lanes: Run the imports.
        importer: Imports a file.
        allow_upload: Whether anything can be changed.
        forwarded: Remembers if Orthanc deletes images as soon as it has stored them.
        stored: Checksums of the imported files; None if they are not known.
        accepting: Whether there is a quarantine, and accepted/ for what is let in all the same.
        trash: Knows which instances are in the trash.
    """

    def __init__(  # noqa: PLR0913  the parts of it
        self,
        orthanc: InstanceFiles,
        spool: InboxFiles,
        lanes: Lanes,
        importer: Importer,
        *,
        allow_upload: bool = True,
        forwarded: ForwardedImages | None = None,
        stored: StoredChecksums | None = None,
        accepting: bool = False,
        trash: TrashLookup = TrashLookup(),  # noqa: B008  it is immutable
    ) -> None:
        self._orthanc = orthanc
        self._spool = spool
        self._receipts = Receipts(orthanc, spool, forwarded or ForwardedImages(), trash)
        self._records = UploadRecords(spool, stored)
        self._uploads = UploadHandler(spool, lanes, importer)
        self._progress = ProgressFiles(self._uploads.running)
        self._allow_upload = allow_upload
        self._own = OwnFolders(spool, accepting=accepting and allow_upload)

    def stat(self, path: Path) -> Entry:
        """See `Area`; a receipt is not found if Orthanc does not have the instance, and has not just forwarded it."""
        progress_file = self._progress_file(path)
        if progress_file:
            return progress_file.entry
        item = self._find(path)
        try:
            return self._records.dated(path, self._receipts.entry(item))
        except UnknownResource as error:
            if self._receipts.is_listed(item):
                return item.entry
            raise self._receipts.remove(path, item) from error

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`; receipts whose instance Orthanc does not have any more are removed."""
        self._find(path)
        entries = self._records.all_dated(path, list(self._receipts.entries(path, self._spool.list(path))))
        entries += self._progress.in_folder(path, {entry.name for entry in entries})
        if path:
            return entries
        return [entry for entry in entries if entry.name != BESIDE and not self._own.is_hidden((entry.name,))]

    def read(self, path: Path) -> Content:
        """See `Area`; a receipt is not found if Orthanc does not have the instance any more."""
        progress_file = self._progress_file(path)
        if progress_file:
            return progress_file
        item = self._find(path)
        if item.receipt is None:
            return self._records.redated(path, self._spool.open(path))
        try:
            # The entry first: newer bytes with an old entity tag are read again, older ones with a new tag are not.
            entry = self._records.dated(path, self._receipts.entry(item))
            if item.has_original:
                return self._records.redated(path, self._spool.open(path))
            return open_stored(self._orthanc, entry, item.receipt.instance)
        except UnknownResource as error:
            raise self._receipts.remove(path, item) from error

    def write(self, path: Path, content: Buffer, *, user: str = "") -> Entry:  # noqa: ARG002  as `Writable` has it
        """See `Writable`; returns when the file is in Orthanc or on the disk. The bytes are not copied."""
        self._check_changeable(path)
        return self._receipts.entry_after_upload(self._uploads.handle(path, CompleteBytes(self._spool, content)))

    def receive(self, path: Path, size: int | None = None, *, user: str = "") -> Upload:  # noqa: ARG002
        """Begin an upload; see `AcceptsUploads`, and `write` for the errors of `finish`.

        Its bytes are written to the disk, and mapped into memory for the import.
        """
        self._check_changeable(path)
        return InboxUpload(path, self._spool.receive(path, size), self._uploads, self._receipts.entry_after_upload)

    def make_folder(self, path: Path, *, user: str = "") -> None:  # noqa: ARG002  as `Writable` has it
        """See `Writable`."""
        if not path and self._allow_upload:
            raise AlreadyExists(path, "The inbox exists.")
        self._check_changeable(path)
        self._spool.make_folder(path)

    def delete(self, path: Path, *, by: Client = NOBODY) -> str:  # noqa: ARG002  as `Deletable` has it
        """See `Deletable`; imported images stay in Orthanc, so no ids are returned."""
        if not self._allow_upload:
            raise Forbidden(path, _NO_UPLOAD)
        if not path:
            raise Forbidden(path, "The inbox itself cannot be deleted.")
        if self._progress_file(path):
            self._progress.hide(path)
            return ""
        self._find(path)
        self._spool.delete(path)
        self._own.remove_text(path)
        return ""

    def move(self, source: Path, target: Path, *, replace: bool, user: str = "") -> None:  # noqa: ARG002
        """Rename a file, or a folder with all that is in it; see `Movable`.

        A file whose name kept it from being imported (see `is_never_imported`), and that gets an ordinary name, is
        imported like an upload: programs save under another name first. If Orthanc refuses it, it keeps its name.

        Raises:
            NotFound, AlreadyExists, ParentMissing, BadName: See `Movable`.
            Forbidden: The source cannot be moved, or not to this target.
            IsAFolder: A folder is at the target of a file that is imported.
            Rejected, Conflict, NoSpace, Busy, Unavailable: As for `write`, if the file is imported.
        """
        if (not source or self._own.is_fixed(source)) and self._allow_upload:
            raise Forbidden(source, "The drive's own folders cannot be moved.")
        if self._accept_folder(source, target, replace=replace):
            return
        if not self._is_import(source, target, replace=replace, deep=True):
            self._spool.move(source, target, replace=replace)
            return
        with self._spool.adopt(source) as adopted:
            self._uploads.handle(target, adopted, replace=replace, keep_refused=source[0] not in READ_ONLY)
            self._spool.copy_properties(source, target)
            self._spool.remove_adopted(source, adopted)
            self._own.remove_text(source)

    def _accept_folder(self, source: Path, target: Path, *, replace: bool) -> bool:
        """Import the files of a folder in quarantine, one by one; return False for any other move."""
        names = self._own.accepted_files(source, target)
        if names is None:
            return False
        self._check_changeable(target)
        if not replace and self._exists(target):
            raise AlreadyExists(target, "The name is taken.")
        with suppress(AlreadyExists):
            self._spool.make_folder(target)
        for name in names:
            self.move((*source, name), (*target, name), replace=True)
        return True

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """Copy a file or a folder; see `Movable`, and `move` for what is imported and which errors are raised.

        A copy takes no space: it is the same file on the disk, with the same date, and expires with it.
        """
        if not self._is_import(source, target, replace=replace, deep=deep):
            self._spool.copy(source, target, replace=replace, deep=deep)
            return
        with self._spool.adopt(source) as adopted:
            self._uploads.handle(target, adopted, replace=replace, keep_refused=source[0] not in READ_ONLY)
            self._spool.copy_properties(source, target)

    def properties(self) -> ClientProperties:
        """See `HasProperties`."""
        return self._spool.properties

    def check_properties(self, path: Path, values: Mapping[str, bytes], user: str) -> None:
        """See `HasProperties`."""
        self._spool.check_properties(path, values, user)

    def set_property(self, path: Path, name: str, value: bytes, user: str) -> None:
        """See `HasProperties`."""
        self._spool.set_property(path, name, value, user)

    def upload_records(self) -> UploadRecords:
        """See `HasUploadRecords`."""
        return self._records

    def quota(self) -> QuotaUsage:
        """Return how full the inbox is, by its quota and its disk; receipts take no space."""
        return QuotaUsage(self._spool.used, self._spool.available)

    def takes_files(self, path: Path) -> bool:
        """See `AcceptsUploads`."""
        return self._allow_upload and not READ_ONLY.intersection(path[:1]) and path[:1] != (BESIDE,)

    def _is_import(self, source: Path, target: Path, *, replace: bool, deep: bool) -> bool:
        """Check a move or a copy in advance; return True if the source is to be imported at the target."""
        self._check_changeable(target)
        if not source:
            raise Forbidden(source, "The inbox itself cannot be copied.")
        if self._progress_file(source):
            raise Forbidden(source, "This file shows the progress of an import: it can only be read.")
        entry = self.stat(source)
        if not replace and self._exists(target):
            raise AlreadyExists(target, "The name is taken.")
        if not is_never_imported(source) or is_never_imported(target) or (entry.is_folder and not deep):
            return False
        if entry.is_folder:
            raise Forbidden(source, "What is in this folder was never imported: take the files out of it one by one.")
        return self._find(source).receipt is None

    def _exists(self, path: Path) -> bool:
        try:
            self.stat(path)  # which removes a receipt whose instance Orthanc does not have any more
        except NotFound:
            return False
        return True

    def _check_changeable(self, path: Path) -> None:
        if not self._allow_upload:
            raise Forbidden(path, _NO_UPLOAD)
        if not path:
            raise Forbidden(path, "The inbox itself cannot be replaced.")
        if path[0] in READ_ONLY or path[0] == BESIDE:
            raise Forbidden(path, _OWN)
        self._own.make(path)

    def _find(self, path: Path) -> Item:
        if path[:1] == (BESIDE,):
            raise NotFound(path, "Nothing is there.")
        self._own.make(path)
        item = self._spool.stat(path)
        if self._own.is_hidden(path):
            raise NotFound(path, "Nothing is there.")
        return item

    def _progress_file(self, path: Path) -> Opened | None:
        """Return the progress file at a path; None if there is none, or if an uploaded file is there."""
        progress_file = self._progress.find(path)
        if progress_file is None or self._has(path) or not self._has(path[:-1]):
            return None
        return progress_file

    def _has(self, path: Path) -> bool:
        try:
            self._spool.stat(path)
        except NotFound:
            return False
        return True
