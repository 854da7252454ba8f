"""inbox/: write anything here; DICOM files and ZIPs of DICOM are imported into Orthanc.

1. A complete file is sniffed. What is no DICOM stays as an ordinary file until it expires.
2. DICOM is imported by the queue, and the write ends when Orthanc has it. In the file's place stands a receipt, which
   serves Orthanc's bytes. A ZIP is imported too, but stays itself: Orthanc cannot give its bytes back.
3. What Orthanc refuses goes to rejected/ with the reason in a text file, and the write is an error.

Paths, also those in errors, are relative to the inbox.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TypeVar

from davfs.entry import Content, Entry, Opened, Path
from davfs.errors import (
    AlreadyExists,
    BadFile,
    Busy,
    Conflict,
    Contradiction,
    Forbidden,
    NoSpace,
    NotFound,
    PathError,
    Refused,
    Rejected,
    StorageFull,
    UnknownResource,
)
from davfs.imports.importer import UNREADABLE, Importer
from davfs.imports.items import LONGEST_NAME, Item, Receipt
from davfs.imports.queue import ImportQueue
from davfs.imports.sniff import Sniffed, is_junk, sniff
from davfs.imports.spool import Spool
from davfs.orthanc import Buffer, Orthanc

REJECTED = "rejected"
"""The folder of the inbox that holds what Orthanc refused."""

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 5
_LONGEST_SUFFIX = 32  # bytes; what is longer is no suffix, but a name with a dot in it
_NO_UPLOAD = "Uploads are switched off on this drive."
T = TypeVar("T")


class Inbox:
    """The area of the drive that imports what is written into it.

    Args:
        orthanc: Serves the files that receipts stand for.
        spool: Keeps folders, ordinary files and receipts.
        queue: Does the imports.
        importer: What the queue is made to do.
        allow_upload: Whether anything can be changed.
    """

    def __init__(
        self, orthanc: Orthanc, spool: Spool, queue: ImportQueue, importer: Importer, *, allow_upload: bool = True
    ) -> None:
        self._orthanc = orthanc
        self._spool = spool
        self._queue = queue
        self._importer = importer
        self._allow_upload = allow_upload

    def stat(self, path: Path) -> Entry:
        """Return the entry at a path; a receipt is checked against Orthanc.

        Raises:
            NotFound: Nothing is there, or Orthanc does not have the instance any more.
        """
        item = self._find(path)
        if item.receipt is None:
            return item.entry
        with self._gone(path, item.receipt):
            return replace(item.entry, size=self._orthanc.instance_size(item.receipt.instance))

    def list(self, path: Path) -> Iterable[Entry]:
        """Return the entries of a folder, by name; receipts whose instance Orthanc does not have any more are dropped.

        Raises:
            NotFound: Nothing is there.
            NotAFolder: It is a file.
        """
        self._find(path)
        entries = [item.entry for item in self._present(path, self._spool.list(path))]
        return entries if path else [entry for entry in entries if entry.name != REJECTED or self._has_rejected()]

    def read(self, path: Path) -> Content:
        """Open a file; the caller closes it, as a context manager.

        Raises:
            NotFound: Nothing is there, or Orthanc does not have the instance any more.
            IsAFolder: It is a folder.
        """
        item = self._find(path)
        if item.receipt is None:
            return self._spool.open(path)
        with self._gone(path, item.receipt):
            return Opened(item.entry, self._orthanc.instance_file(item.receipt.instance))

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
        view = memoryview(content)
        found = Sniffed.NOTHING if any(map(is_junk, path)) else sniff(view)
        if found in (Sniffed.DICOM, Sniffed.MAYBE_DICOM):
            return self._write_dicom(path, view, certain=found is Sniffed.DICOM).entry
        if found is Sniffed.ZIP:
            self._spool.check_write(path, len(view))
            self._import(path, view, lambda: self._importer.import_zip(view))
        return self._spool.write(path, view).entry

    def make_folder(self, path: Path) -> None:
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
        self._find(path)
        self._spool.delete(path)
        return ""

    def _check_changeable(self, path: Path) -> None:
        if not self._allow_upload:
            raise Forbidden(path, _NO_UPLOAD)
        if not path:
            raise Forbidden(path, "The inbox itself cannot be replaced.")
        if path[0] == REJECTED:
            raise Forbidden(path, "Only the drive itself puts files here.")

    def _find(self, path: Path) -> Item:
        item = self._spool.stat(path)
        if path == (REJECTED,) and not self._has_rejected():
            raise NotFound(path, "Nothing is there.")
        return item

    def _present(self, path: Path, items: Sequence[Item]) -> Iterator[Item]:
        instances = [item.receipt.instance for item in items if item.receipt]
        there = self._orthanc.existing(instances)
        for item in items:
            if item.receipt is None or item.receipt.instance in there:
                yield item
            else:
                self._spool.drop_receipt((*path, item.entry.name), item.receipt)

    def _has_rejected(self) -> bool:
        try:
            return bool(self._spool.list((REJECTED,)))
        except PathError:
            return False

    @contextmanager
    def _gone(self, path: Path, receipt: Receipt) -> Iterator[None]:
        """Drop the receipt of an instance that Orthanc does not have any more."""
        try:
            yield
        except UnknownResource as error:
            self._spool.drop_receipt(path, receipt)
            raise NotFound(path, "Orthanc does not have it any more.") from error

    def _write_dicom(self, path: Path, view: memoryview, *, certain: bool) -> Item:
        self._spool.check_write(path)
        job = self._importer.import_dicom if certain else self._importer.import_maybe
        imported = self._import(path, view, lambda: job(view))
        if imported is None:
            return self._spool.write(path, view)
        return self._spool.put_receipt(path, Receipt(imported.id, imported.size))

    def _import(self, path: Path, view: memoryview, job: Callable[[], T]) -> T:
        """Have the queue do an import; keep the file in rejected/ where Orthanc refuses it."""
        try:
            return self._queue.run(job)
        except Busy as error:
            raise Busy(path, f"Nothing was imported: {error.reason}. Try again later.") from error
        except (Refused, BadFile, StorageFull) as error:
            details = error.details if isinstance(error, Refused) else ()
            self._keep_refused(_refusal(path, error), view, details)
            # Not kept in a variable: an error that its own traceback leads to would keep hold of the caller's memory.
            raise _refusal(path, error) from error

    def _keep_refused(self, refusal: PathError, view: memoryview, details: tuple[str, ...]) -> None:
        """Put a refused file and the reason into rejected/; where that fails, the refusal still is the error."""
        when = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        lines = ["/".join(refusal.path), f"was not imported on {when}.", "", refusal.reason, *details, ""]
        try:
            self._write_refused(refusal.path[-1], view, "\n".join(lines).encode())
        except (PathError, OSError) as error:
            _LOG.warning("a refused file could not be kept in the inbox: %s", type(error).__name__)

    def _write_refused(self, name: str, view: memoryview, text: bytes) -> None:
        with suppress(AlreadyExists):
            self._spool.make_folder((REJECTED,))
        for _ in range(_ATTEMPTS):
            free = self._free_name(name)
            with suppress(AlreadyExists):  # another refusal of the same name was faster
                self._spool.write((REJECTED, free), view, replace=False)
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


def _refusal(path: Path, error: Refused | BadFile | StorageFull) -> PathError:
    match error:
        case Contradiction():
            return Conflict(path, error.reason)
        case StorageFull():
            return NoSpace(path, "Orthanc has no room for it.")
        case BadFile():
            return Rejected(path, UNREADABLE)
    return Rejected(path, error.reason)


def _numbered(name: str, number: int) -> str:
    """Put a number before the suffix of a name, and shorten its stem until ``.txt`` fits behind it."""
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > _LONGEST_SUFFIX:
        suffix = ""
    ending = suffix if number == 1 else f" ({number}){suffix}"
    stem = name.removesuffix(suffix).encode()
    return stem[: LONGEST_NAME - len(f"{ending}.txt".encode())].decode(errors="ignore") + ending
