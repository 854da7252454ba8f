"""An unfinished upload: a file in the spool's folder incoming/."""

import errno
import io
import mmap
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol, Self

from davfs.entry import Path
from davfs.orthanc import Buffer
from davfs.spool.descriptors import write_all
from davfs.spool.disk_errors import disk_errors
from davfs.spool.items import Item, Receipt
from davfs.spool.quota import Reservation


class Keep(Protocol):
    """Keeps an upload in the inbox: renames its file, for example."""

    def __call__(self, path: Path, upload: "UploadFile", *, replace: bool, receipt: Receipt | None) -> Item:
        """See `UploadFile.keep`."""


class UploadFile:
    """A file in incoming/: a context manager that removes it unless it is kept.

    Args:
        path: Where it is to go.
        file: The file, open.
        reservation: Counts it in the quota.
        keep: Keeps it.
        free_disk: Frees so many bytes of the disk; returns False if it cannot.
        resources: Closed at the end.

    Attributes:
        source: Entity tag of the file of the inbox that it is a copy of; empty for none.
    """

    needed = 0
    """Bytes that keeping it takes from the quota: they were reserved when they came."""

    def __init__(  # noqa: PLR0913  the parts of it
        self,
        path: Path,
        file: io.FileIO,
        *,
        reservation: Reservation,
        keep: Keep,
        resources: ExitStack,
        free_disk: Callable[[int], bool] = lambda _size: False,
    ) -> None:
        self._path = path
        self._file = file
        self._reservation = reservation
        self._keep = keep
        self._free_disk = free_disk
        self._resources = resources
        self._size = 0
        self.source = ""

    def write(self, block: Buffer) -> None:
        """Append bytes.

        Raises:
            NoSpace: The quota, or the disk, does not allow it.
        """
        self._reservation.grow(self._size + len(block))
        with disk_errors(self._path):
            try:
                write_all(self._file, block)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._free_disk(len(block)):
                    raise
                self._file.seek(self._size)
                write_all(self._file, block)
        self._size += len(block)

    def sync(self) -> None:
        """Synchronise the file to the disk."""
        with disk_errors(self._path):
            os.fsync(self._file.fileno())

    def status(self) -> os.stat_result:
        """Return the file's status."""
        return os.fstat(self._file.fileno())

    def view(self) -> memoryview:
        """Return what was written, mapped into memory: pages are read as they are accessed."""
        size = self.status().st_size
        if not size:  # which cannot be mapped
            return memoryview(b"")
        # Left to the garbage collector: closing it would raise while a traceback still holds a view of it.
        return memoryview(mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ))

    def keep(self, path: Path, *, replace: bool = True, receipt: Receipt | None = None) -> Item:
        """Keep the file at its path durably.

        Args:
            path: Where to.
            replace: Whether a file or a receipt of this name is replaced.
            receipt: The instance that it is an original of; None for an ordinary file.

        Raises:
            BadName, ParentMissing, IsAFolder, AlreadyExists, NoSpace: As for `InboxFiles`.
        """
        if path != self._path:
            self._reservation.redirect(path)
        return self._keep(path, self, replace=replace, receipt=receipt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()
