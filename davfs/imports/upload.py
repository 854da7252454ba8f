"""Decides what becomes of an upload into the inbox.

1. It is sniffed. What is no DICOM becomes an ordinary file.
2. DICOM is imported, in the lane of its kind; in the file's place stands a receipt. Where Orthanc stores other bytes
   than were sent, the receipt keeps those (`davfs.spool.originals`). A ZIP is imported too, but stays itself.
3. What Orthanc refuses goes to rejected/ with the reason in a text file, and the refusal is an error.

Paths, also those in errors, are relative to the inbox.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace as altered
from datetime import UTC, datetime
from pathlib import PurePosixPath
from types import TracebackType
from typing import Protocol, Self, TypeVar

from davfs.elements.walk import Walk
from davfs.entry import Entry, Path
from davfs.errors import (
    AlreadyExists,
    BadFile,
    Busy,
    Conflict,
    Contradiction,
    NoSpace,
    PathError,
    Refused,
    Rejected,
    StorageFull,
)
from davfs.imports.importer import UNREADABLE, Imported, Importer
from davfs.imports.lanes import Lanes
from davfs.imports.progress import Progress, RunningImports
from davfs.imports.queue import ImportQueue
from davfs.imports.same_image import SlowComparison
from davfs.imports.sniff import OFFERED, FileType, is_junk, looks_like_zip, sniff
from davfs.imports.zip_directory import has_few_members
from davfs.imports.zip_import import ZipImporter
from davfs.orthanc import Buffer
from davfs.spool.items import LONGEST_NAME, Item, Receipt
from davfs.spool.spool import Spool
from davfs.spool.upload_file import UploadFile

REJECTED = "rejected"
"""The folder of the inbox that holds what Orthanc refused."""

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 5
_LONGEST_SUFFIX = 32  # bytes; what is longer is no suffix, but a name with a dot in it
T = TypeVar("T")


class CompleteFile(Protocol):
    """A complete file that has no lasting name yet."""

    @property
    def needed(self) -> int:
        """Bytes that keeping it takes from the quota."""

    def view(self) -> memoryview:
        """Return its bytes."""

    def keep(self, path: Path, *, replace: bool = True, receipt: Receipt | None = None) -> Item:
        """Make an ordinary file of it, as `Spool.write` does; with a receipt, one that keeps what was sent."""


class CompleteBytes:
    """A `CompleteFile` in the caller's memory.

    Args:
        spool: Keeps it.
        content: All of its bytes.
    """

    def __init__(self, spool: Spool, content: Buffer) -> None:
        self._spool = spool
        self._view = memoryview(content)
        self.needed = len(self._view)

    def view(self) -> memoryview:
        """See `CompleteFile`."""
        return self._view

    def keep(self, path: Path, *, replace: bool = True, receipt: Receipt | None = None) -> Item:
        """See `CompleteFile`."""
        return self._spool.write(path, self._view, replace=replace, receipt=receipt)


class UploadHandler:
    """Imports files, or keeps them.

    Args:
        spool: Keeps ordinary files and receipts.
        lanes: Do the imports.
        importer: What the lanes are made to do.

    Attributes:
        running: The ZIPs that are being imported.
    """

    def __init__(self, spool: Spool, lanes: Lanes, importer: Importer) -> None:
        self._spool = spool
        self._lanes = lanes
        self._importer = importer
        self.running = RunningImports()
        self._zips = ZipImporter(importer, scratch=spool.scratch)

    def handle(self, path: Path, file: CompleteFile, *, replace: bool = True, keep_refused: bool = True) -> Item:
        """Take a complete file; returns when Orthanc has it, or when it lies on the disk.

        Args:
            path: Where to.
            file: The file.
            replace: Whether a file or a receipt at the path gives way.
            keep_refused: Whether what Orthanc refuses goes to rejected/.

        Raises:
            PathError: As for `davfs.filesystem.area.Writable.write`; AlreadyExists where nothing gives way.
            Unavailable: Orthanc does not answer; nothing was kept.
        """
        try:
            return self._import_or_keep(path, file, replace=replace)
        except (Refused, BadFile, StorageFull) as error:
            if keep_refused:
                self._keep_refused(_refusal(path, error), file, _details(error))
            # Not kept in a variable: an error that its own traceback leads to would keep hold of the caller's memory.
            raise _refusal(path, error) from error

    def _import_or_keep(self, path: Path, file: CompleteFile, *, replace: bool) -> Item:
        view = file.view()
        if is_aside(path):
            return file.keep(path, replace=replace)
        if looks_like_zip(view):
            self._take_zip(path, view, file.needed)
            return file.keep(path, replace=replace)
        found = sniff(view)
        if found in OFFERED:
            self._spool.check_write(path)
            imported = self._import(path, view, found)
            if imported:
                return self._keep_imported(path, file, imported, replace=replace)
        return file.keep(path, replace=replace)

    def _import(self, path: Path, view: memoryview, found: FileType) -> Imported | None:
        job = self._importer.import_maybe if found is FileType.UNLIKELY_DICOM else self._importer.import_dicom
        walk = Walk(view)
        try:
            return self._run(path, self._lanes.of_dicom(view, walk), lambda: job(view, walk, quick=True))
        except SlowComparison:
            return self._run(path, self._lanes.complex, lambda: job(view))

    def _take_zip(self, path: Path, view: memoryview, needed: int) -> None:
        """Import a ZIP where it holds DICOM; to find that out can take as long, unless it is small."""
        self._spool.check_write(path, needed)
        if has_few_members(view) and sniff(view) is not FileType.ZIP:
            return
        progress = Progress(lambda: self._lanes.zips.stopping)
        with self.running.entered(path, progress):
            self._run(path, self._lanes.zips, lambda: self._import_zip(view, progress))

    def _import_zip(self, view: memoryview, progress: Progress) -> None:
        if sniff(view, progress.check) is FileType.ZIP:
            self._zips.import_zip(view, progress)

    def _keep_imported(self, path: Path, file: CompleteFile, imported: Imported, *, replace: bool) -> Item:
        """Put a receipt in a file's place, where Orthanc stores other bytes one that keeps what was sent."""
        receipt = Receipt(imported.id, imported.size)
        if imported.altered:
            with suppress(NoSpace):
                return file.keep(path, replace=replace, receipt=receipt)
        return altered(self._spool.put_receipt(path, receipt, replace=replace), uuid=imported.uuid)

    @staticmethod
    def _run(path: Path, lane: ImportQueue, job: Callable[[], T]) -> T:
        try:
            return lane.run(job)
        except Busy as error:
            raise Busy(path, f"Nothing was imported: {error.reason}. Try again later.") from error

    def _keep_refused(self, refusal: PathError, file: CompleteFile, details: tuple[str, ...]) -> None:
        """Put a refused file and the reason into rejected/; where that fails, the refusal still is the error."""
        when = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        lines = ["/".join(refusal.path), f"was refused on {when}.", "", refusal.reason, *details, ""]
        try:
            self._write_refused(refusal.path[-1], file, "\n".join(lines).encode())
        except (PathError, OSError) as error:
            _LOG.warning("a refused file could not be kept in the inbox: %s", type(error).__name__)

    def _write_refused(self, name: str, file: CompleteFile, text: bytes) -> None:
        with suppress(AlreadyExists):
            self._spool.make_folder((REJECTED,))
        for _ in range(_ATTEMPTS):
            free = self._free_name(name)
            with suppress(AlreadyExists):  # another refusal of the same name was faster
                file.keep((REJECTED, free), replace=False)
                self._spool.write((REJECTED, f"{free}.txt"), text)
                return
        raise Busy((REJECTED, name), "Others take each free name first.")

    def _free_name(self, name: str) -> str:
        """Return the name, or the name with a number, for which neither a file nor a text is there."""
        taken = {item.entry.name for item in self._spool.list((REJECTED,))}
        number = 1
        while not taken.isdisjoint({candidate := _numbered(name, number), f"{candidate}.txt"}):
            number += 1
        return candidate


class InboxUpload:
    """A file of the inbox on its way in: `davfs.filesystem.area.Upload`.

    Args:
        path: Where to.
        file: Takes the bytes.
        handler: Takes the complete file.
        shown: Tells what came of it.
    """

    def __init__(self, path: Path, file: UploadFile, handler: UploadHandler, shown: Callable[[Item], Entry]) -> None:
        self._path = path
        self._file = file
        self._handler = handler
        self._shown = shown

    def write(self, block: Buffer) -> None:
        """See `Upload`."""
        self._file.write(block)

    def finish(self, *, replace: bool = True) -> Entry:
        """See `Upload`, and `UploadHandler.handle`."""
        with self._file:
            return self._shown(self._handler.handle(self._path, self._file, replace=replace))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, traceback)


def is_aside(path: Path) -> bool:
    """Return True if files at a path are never imported: in rejected/, or under a name that only desktops use."""
    return path[:1] == (REJECTED,) or any(map(is_junk, path))


def _refusal(path: Path, error: Refused | BadFile | StorageFull) -> PathError:
    match error:
        case Contradiction():
            return Conflict(path, error.reason)
        case StorageFull():
            return NoSpace(path, "Orthanc has no room for it.")
        case BadFile():
            return Rejected(path, UNREADABLE)
    return Rejected(path, error.reason)


def _details(error: Refused | BadFile | StorageFull) -> tuple[str, ...]:
    """Return what the text beside a refused file says beyond the reason."""
    return error.details if isinstance(error, Refused) else (f"Orthanc's answer: {error.reason}.",)


def _numbered(name: str, number: int) -> str:
    """Put a number before the suffix of a name, and shorten its stem until ``.txt`` fits behind it."""
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > _LONGEST_SUFFIX:
        suffix = ""
    ending = suffix if number == 1 else f" ({number}){suffix}"
    stem = name.removesuffix(suffix).encode()
    return stem[: LONGEST_NAME - len(f"{ending}.txt".encode())].decode(errors="ignore") + ending
