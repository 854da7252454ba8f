"""The real folder behind inbox/: ordinary files, folders, and receipts for what Orthanc holds.

Something on the disk that is neither a folder, a regular file nor a receipt is never shown, and never in the way. The
same holds for what has expired, until `Spool.expire` removes it.

The paths in errors are relative to the inbox.
"""

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path as DiskPath

from davfs.entry import Content, Path
from davfs.errors import IsAFolder, NotAFolder, NotFound, ParentMissing
from davfs.imports.descriptors import open_file, write_synced
from davfs.imports.disk import REASONS, Disk, check_names, disk_errors, missing
from davfs.imports.items import (
    Item,
    OpenFile,
    Receipt,
    file_item,
    folder_item,
    is_name,
    read_item,
    read_receipt,
    receipt_item,
)
from davfs.imports.quota import Quota
from davfs.orthanc import Buffer


class Spool:
    """The files of the inbox.

    Args:
        root: Folder on disk; made where it is missing. No other process may use it.
        maximum_size: Bytes of all ordinary files together; 0 for no limit. Receipts count nothing.
        maximum_age: Seconds after which a file or a receipt expires; 0 for no limit.
        now: Clock, in seconds since the epoch.

    Attributes:
        scratch: Folder for temporary files of whoever works on what comes in; emptied at every start.

    Raises:
        OSError: The folder cannot be made, or not be used.
    """

    def __init__(
        self, root: DiskPath, *, maximum_size: int, maximum_age: float, now: Callable[[], float] = time.time
    ) -> None:
        self._maximum_age = maximum_age
        self._now = now
        self._quota = Quota(maximum_size)
        self._disk = Disk(root, self._quota)
        self.scratch = self._disk.scratch

    def stat(self, path: Path) -> Item:
        """Return what is at a path.

        Raises:
            NotFound: Nothing is there.
        """
        if not path:
            return folder_item("", self._disk.files.stat())
        with self._disk.parent(path, NotFound) as parent:
            return self._find(parent, path)

    def list(self, path: Path) -> list[Item]:
        """Return what is in a folder, by name.

        Raises:
            NotFound: Nothing is there.
            NotAFolder: It is a file.
        """
        if not self.stat(path).entry.is_folder:
            raise NotAFolder(path, REASONS[NotAFolder])
        with self._disk.folder(path, NotFound) as folder:
            names = sorted(os.listdir(folder))  # noqa: PTH208  pathlib knows no descriptors
            items = [self._item(folder, name) for name in names if is_name(name)]
        return [item for item in items if item]

    def open(self, path: Path) -> Content:
        """Open an ordinary file; the caller closes it, as a context manager.

        Raises:
            NotFound: Nothing is there, or a receipt.
            IsAFolder: It is a folder.
        """
        with self._disk.parent(path, NotFound) as parent:
            if self._find(parent, path).entry.is_folder:
                raise IsAFolder(path, REASONS[IsAFolder])
            with missing(path, NotFound):
                return OpenFile(path[-1], open_file(parent, path[-1]))

    def check_write(self, path: Path, size: int = 0) -> None:
        """Raise what `write` of so many bytes would raise, as far as can be known before.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            NoSpace: The quota does not allow it.
        """
        check_names(path)
        with self._disk.parent(path, ParentMissing) as parent:
            item = self._item(parent, path[-1])
        if item and item.entry.is_folder:
            raise IsAFolder(path, REASONS[IsAFolder])
        self._quota.check(path, size)

    def write(self, path: Path, content: Buffer, *, replace: bool = True) -> Item:
        """Keep a file durably: when this returns it has been synchronised to the disk.

        Args:
            path: Where to.
            content: All of its bytes.
            replace: Whether a file or a receipt of this name gives way.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            NoSpace: The quota, or the disk, does not allow it.
        """
        self.check_write(path)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            if not replace:
                self._clear_hidden(parent, path)
            with self._quota.reserved(path, len(content)), self._disk.temporary() as temporary:
                write_synced(temporary, content)
                status = self._disk.place(temporary, parent, path, replace=replace)
            os.fsync(parent)
        return file_item(path[-1], status)

    def put_receipt(self, path: Path, receipt: Receipt) -> Item:
        """Put a receipt at a path, replacing a file or another receipt.

        It is not synchronised: it holds no content, and Orthanc has the file whatever becomes of it.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
        """
        check_names(path)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            status = self._disk.link(receipt.target, parent, path)
        return receipt_item(path[-1], receipt, status)

    def drop_receipt(self, path: Path, receipt: Receipt) -> None:
        """Remove a receipt unless something else has taken its place."""
        with suppress(NotFound, FileNotFoundError), self._disk.parent(path, NotFound) as parent:
            status = os.lstat(path[-1], dir_fd=parent)
            if read_receipt(parent, path[-1]) == receipt:
                self._disk.remove(parent, path, status)

    def make_folder(self, path: Path) -> None:
        """Make a folder.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            AlreadyExists: The name is taken.
        """
        check_names(path)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            self._clear_hidden(parent, path)
            self._disk.make_folder(parent, path)
            os.fsync(parent)

    def delete(self, path: Path) -> None:
        """Remove a file, a receipt, or a folder with all in it, from the leaves up.

        Raises:
            NotFound: Nothing is there.
            Busy: It was filled, or replaced, again and again meanwhile.
        """
        with self._disk.parent(path, NotFound) as parent:
            if self._find(parent, path).entry.is_folder:
                self._disk.delete_folder(parent, path)
            else:
                self._disk.delete_file(parent, path)

    def expire(self) -> int:
        """Remove what is older than the maximum age, and folders that are old and empty; return how many."""
        return sum(self._expire_one(*found) for found in self._disk.walk())

    def _find(self, parent: int, path: Path) -> Item:
        item = self._item(parent, path[-1])
        if item is None:
            raise NotFound(path, REASONS[NotFound])
        return item

    def _item(self, parent: int, name: str) -> Item | None:
        """Return what a name in an open folder shows, None where it shows nothing."""
        try:
            status = os.lstat(name, dir_fd=parent)
        except FileNotFoundError:
            return None
        expired = self._is_old(status) and not stat.S_ISDIR(status.st_mode)
        return None if expired else read_item(parent, name, status)

    def _is_old(self, status: os.stat_result) -> bool:
        return 0 < self._maximum_age < self._now() - status.st_mtime

    def _clear_hidden(self, parent: int, path: Path) -> None:
        with suppress(FileNotFoundError):
            status = os.lstat(path[-1], dir_fd=parent)
            if self._item(parent, path[-1]) is None:
                self._disk.remove(parent, path, status)

    def _expire_one(self, parent: int, path: Path, status: os.stat_result) -> bool:
        if not self._is_old(status):
            return False
        with suppress(OSError):  # filled, or gone, meanwhile
            if not stat.S_ISDIR(status.st_mode):
                return self._disk.remove(parent, path, status)
            os.rmdir(path[-1], dir_fd=parent)
            return True
        return False
