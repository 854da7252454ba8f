"""Reads the spool: lists folders, opens files, and removes expired ones.

Anything on the disk that is neither a folder, a regular file nor a receipt is hidden, and never in the way. So is what
has expired, until it is removed. The paths in errors are relative to the inbox.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress

from davfs.entry import Content, Path
from davfs.errors import IsAFolder, NotAFolder, NotFound
from davfs.spool.descriptors import open_file
from davfs.spool.disk import Disk
from davfs.spool.disk_errors import REASONS, missing
from davfs.spool.items import Item, OpenFile, file_item, folder_item, is_name, original_item, read_item
from davfs.spool.quota import SpoolQuota


class SpoolReader:
    """The reading half of a spool.

    Args:
        disk: Holds the files.
        quota: Counts files that are read.
        maximum_age: Seconds after which a file or a receipt expires; 0 for no limit.
        now: Clock, in seconds since the epoch.
    """

    def __init__(self, disk: Disk, quota: SpoolQuota, maximum_age: float, now: Callable[[], float]) -> None:
        self._disk = disk
        self._quota = quota
        self._maximum_age = maximum_age
        self._now = now

    def stat(self, path: Path) -> Item:
        """Return the item at a path.

        Raises:
            NotFound: Nothing is there.
        """
        if not path:
            return folder_item("", self._disk.status())
        with self._disk.parent(path, NotFound) as parent:
            return self.find(parent, path)

    def list(self, path: Path) -> list[Item]:
        """Return the items of a folder, by name.

        Raises:
            NotFound: Nothing is there.
            NotAFolder: It is a file.
        """
        if not self.stat(path).entry.is_folder:
            raise NotAFolder(path, REASONS[NotAFolder])
        with self._disk.folder(path, NotFound) as folder:
            names = sorted(os.listdir(folder))  # noqa: PTH208  pathlib knows no descriptors
            items = [self.item(folder, name) for name in names if is_name(name)]
        return [item for item in items if item]

    def open(self, path: Path) -> Content:
        """Open an ordinary file; the caller closes it, as a context manager.

        Raises:
            NotFound: Nothing is there, or a receipt.
            IsAFolder: It is a folder.
        """
        with self._disk.parent(path, NotFound) as parent:
            if self.find(parent, path).entry.is_folder:
                raise IsAFolder(path, REASONS[IsAFolder])
            with missing(path, NotFound):
                file = open_file(parent, path[-1])
        status = os.fstat(file.fileno())
        item = self._with_receipt(file_item(path[-1], status, self._disk.tags), status)
        return OpenFile(item.entry, file, self._quota.reading(status.st_ino))

    def expire(self) -> int:
        """Remove files older than the maximum age, and folders that are old and empty; return how many."""
        return sum(self._expire_one(*found) for found in self._disk.walk())

    def find(self, parent: int, path: Path) -> Item:
        """Return the item at a path, by its name in its open folder.

        Raises:
            NotFound: Nothing is there.
        """
        item = self.item(parent, path[-1])
        if item is None:
            raise NotFound(path, REASONS[NotFound])
        return item

    def item(self, parent: int, name: str) -> Item | None:
        """Return the item of a name in an open folder; None if there is none, or a hidden one."""
        try:
            status = os.lstat(name, dir_fd=parent)
        except FileNotFoundError:
            return None
        expired = self._is_old(status) and not stat.S_ISDIR(status.st_mode)
        item = None if expired else read_item(parent, name, status, self._disk.tags)
        return self._with_receipt(item, status) if item else None

    def remove_hidden(self, parent: int, path: Path) -> None:
        """Remove what is hidden at a path, by its name in its open folder."""
        with suppress(FileNotFoundError):
            status = os.lstat(path[-1], dir_fd=parent)
            if self.item(parent, path[-1]) is None:
                self._disk.remove(parent, path, status)

    def _with_receipt(self, item: Item, status: os.stat_result) -> Item:
        """Return an item with its receipt, if it is an original."""
        receipt = self._disk.originals.find(status) if stat.S_ISREG(status.st_mode) else None
        return original_item(item, receipt) if receipt else item

    def _is_old(self, status: os.stat_result) -> bool:
        return 0 < self._maximum_age < self._now() - status.st_mtime

    def _expire_one(self, parent: int, path: Path, status: os.stat_result) -> bool:
        if not self._is_old(status):
            return False
        if stat.S_ISDIR(status.st_mode):
            return self._disk.remove_empty(parent, path)
        with suppress(OSError):  # gone meanwhile
            return self._disk.remove(parent, path, status)
        return False
