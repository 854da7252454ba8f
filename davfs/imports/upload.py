"""Decides what becomes of an upload into the inbox.

1. `sniff` detects its type. A file that is not DICOM is kept as an ordinary file.
2. DICOM is imported into Orthanc, in the lane of its kind, and a receipt takes the file's place. If Orthanc stores
   other bytes than were sent, the file itself is kept, with a receipt (`davfs.spool.originals`).
3. The DICOM files in a ZIP are imported, and the ZIP is kept as an ordinary file.
4. An upload that Orthanc refuses goes to ``rejected/`` with the reason, and the refusal is an error; one whose patient
   contradicts the archive goes to ``quarantine/`` in the same way. What is put into ``accepted/`` is not compared.

Paths, also those in errors, are relative to the inbox.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace as altered
from functools import partial
from pathlib import PurePosixPath
from typing import Self, TypeVar

from davfs import names
from davfs.elements.walk import Walk
from davfs.entry import Entry, Path
from davfs.errors import (
    BadFile,
    Busy,
    Conflict,
    Contradiction,
    Held,
    NoSpace,
    PathError,
    Refused,
    Rejected,
    StorageFull,
)
from davfs.imports.complete_file import CompleteBytes, CompleteFile
from davfs.imports.importer import UNREADABLE, Imported, Importer
from davfs.imports.lanes import Lanes
from davfs.imports.progress import Progress, RunningImports
from davfs.imports.quarantined import ACCEPTED, QUARANTINE, QuarantineFolder
from davfs.imports.queue import ImportQueue
from davfs.imports.rejected import REJECTED, RejectedFolder
from davfs.imports.report import report_import
from davfs.imports.same_image import SlowComparison
from davfs.imports.sniff import IMPORTABLE, FileType, is_junk, looks_like_zip, sniff
from davfs.imports.zip_directory import has_few_members
from davfs.imports.zip_import import ZipImporter
from davfs.orthanc import Buffer
from davfs.spool.files import InboxFiles
from davfs.spool.items import Item, Receipt
from davfs.spool.upload_file import UploadFile

T = TypeVar("T")


class UploadHandler:
    """Imports complete uploads into Orthanc, or keeps them as ordinary files.

    Args:
        spool: Keeps ordinary files and receipts.
        lanes: Run the imports.
        importer: Imports DICOM files.

    Attributes:
        running: The ZIPs that are being imported.
    """

    def __init__(self, spool: InboxFiles, lanes: Lanes, importer: Importer) -> None:
        self._spool = spool
        self._lanes = lanes
        self._importer = importer
        self._rejected = RejectedFolder(spool)
        self._quarantine = QuarantineFolder(spool)
        self._zips = ZipImporter(importer, scratch=spool.scratch, keep_held=self._keep_member)
        self.running = RunningImports()

    def handle(self, path: Path, file: CompleteFile, *, replace: bool = True, keep_refused: bool = True) -> Item:
        """Import an upload, or keep it; returns when Orthanc has it, or when it is on the disk.

        Args:
            path: Where to.
            file: The upload.
            replace: Whether a file or a receipt at the path is replaced.
            keep_refused: Whether an upload that Orthanc refuses goes to rejected/.

        Raises:
            PathError: As for `davfs.filesystem.area.Writable.write`; AlreadyExists if nothing may be replaced.
            Unavailable: Orthanc does not answer; nothing was kept.
        """
        try:
            return self._import_or_keep(path, file, replace=replace)
        except (Refused, BadFile, StorageFull) as error:
            if keep_refused:
                self._keep_refused(path, file, error)
            # Not kept in a variable: an error that its own traceback leads to would keep the caller's memory alive.
            raise refusal_of(path, error) from error

    def _keep_refused(self, path: Path, file: CompleteFile, error: Refused | BadFile | StorageFull) -> None:
        if isinstance(error, Held) and self._quarantine.keep_upload(error, path[-1], file):
            return
        self._rejected.keep(refusal_of(path, error), file, refusal_details(error))

    def _keep_member(self, error: Held, name: str, content: memoryview) -> None:
        stem = PurePosixPath(name.replace("\\", "/"))
        file = CompleteBytes(self._spool, content)
        self._quarantine.keep_upload(error, names.safe(stem.name), file)

    def _import_or_keep(self, path: Path, file: CompleteFile, *, replace: bool) -> Item:
        if is_never_imported(path):
            return file.keep(path, replace=replace)
        content = file.view()
        if looks_like_zip(content):
            self._import_zip(path, content, file.needed)
            return file.keep(path, replace=replace)
        file_type = sniff(content)
        imported = self._import_dicom(path, content, file_type) if file_type in IMPORTABLE else None
        if imported is None:
            return file.keep(path, replace=replace)
        report_import("instance", [imported.id])
        return self._put_receipt(path, file, imported, replace=replace)

    def _import_dicom(self, path: Path, content: memoryview, file_type: FileType) -> Imported | None:
        """Import a file in the lane of its kind; return None if it turns out to be no DICOM."""
        self._spool.check_write(path)
        unlikely = file_type is FileType.UNLIKELY_DICOM
        job = partial(
            self._importer.import_if_readable if unlikely else self._importer.import_dicom, accepted=is_accepted(path)
        )
        walk = Walk(content)
        try:
            return self._run(path, self._lanes.of_dicom(content, walk), lambda: job(content, walk, quick=True))
        except SlowComparison:
            return self._run(path, self._lanes.complex, lambda: job(content))

    def _put_receipt(self, path: Path, file: CompleteFile, imported: Imported, *, replace: bool) -> Item:
        """Put a receipt in the upload's place; if Orthanc stored other bytes, keep the file too, if there is room."""
        receipt = Receipt(imported.id, imported.size)
        if imported.altered:
            with suppress(NoSpace):
                return file.keep(path, replace=replace, receipt=receipt)
        return altered(self._spool.put_receipt(path, receipt, replace=replace), uuid=imported.uuid)

    def _import_zip(self, path: Path, content: memoryview, needed: int) -> None:
        """Import the DICOM files in a ZIP, if it has any; that is detected in the lane, unless the ZIP is small."""
        self._spool.check_write(path, needed)
        if has_few_members(content) and sniff(content) is not FileType.ZIP:
            return
        progress = Progress(lambda: self._lanes.zips.stopping)

        def job() -> None:
            if sniff(content, progress.check) is FileType.ZIP:
                self._zips.import_zip(content, progress, accepted=is_accepted(path))

        try:
            with self.running.show(path, progress):
                self._run(path, self._lanes.zips, job)
        finally:
            report_import("study", progress.studies, progress.imported)

    @staticmethod
    def _run(path: Path, lane: ImportQueue, job: Callable[[], T]) -> T:
        try:
            return lane.run(job)
        except Busy as error:
            raise Busy(path, f"Nothing was imported: {error.reason}. Try again later.") from error


class InboxUpload:
    """An upload into the inbox that comes in pieces: `davfs.filesystem.area.Upload`.

    Args:
        path: Where to.
        file: Takes the bytes.
        handler: Takes the complete file.
        entry: Returns the entry of what became of it.
    """

    def __init__(self, path: Path, file: UploadFile, handler: UploadHandler, entry: Callable[[Item], Entry]) -> None:
        self._path = path
        self._file = file
        self._handler = handler
        self._entry = entry

    def write(self, block: Buffer) -> None:
        """See `Upload`."""
        self._file.write(block)

    def finish(self, *, replace: bool = True) -> Entry:
        """See `Upload`, and `UploadHandler.handle`."""
        with self._file:
            return self._entry(self._handler.handle(self._path, self._file, replace=replace))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)


def is_never_imported(path: Path) -> bool:
    """Return True if files at a path are never imported: those that were refused, or with names that desktops use."""
    return path[:1] in {(REJECTED,), (QUARANTINE,)} or any(map(is_junk, path))


def is_accepted(path: Path) -> bool:
    """Return True if what is put there is imported whatever its patient contradicts."""
    return path[0] == ACCEPTED and len(path) > 1


def refusal_of(path: Path, error: Refused | BadFile | StorageFull) -> PathError:
    """Return the error about a path for the refusal of a file."""
    match error:
        case Contradiction() | Held():
            return Conflict(path, error.reason)
        case StorageFull():
            return NoSpace(path, "Orthanc has no room for it.")
        case BadFile():
            return Rejected(path, UNREADABLE)
    return Rejected(path, error.reason)


def refusal_details(error: Refused | BadFile | StorageFull) -> tuple[str, ...]:
    """Return what the text beside a refused file says beyond the reason."""
    return error.details if isinstance(error, Refused) else (f"Orthanc's answer: {error.reason}.",)
