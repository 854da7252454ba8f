"""The half of a spool's disk that removes files and folders, and counts what is left; see `davfs.spool.disk`."""

import os
import stat
from contextlib import suppress
from functools import partial
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.errors import Busy, NotFound
from davfs.spool.dead_properties import DeadProperties
from davfs.spool.descriptors import closing, open_folder, unlink, walk
from davfs.spool.disk_errors import missing
from davfs.spool.folders import SpoolFolders
from davfs.spool.originals import Originals
from davfs.spool.property_tracker import PropertyTracker
from davfs.spool.quota import PROPERTIES, SpoolQuota

_ATTEMPTS = 3
_ATTEMPTS_TO_DISCARD = 20


class DiskRemover(SpoolFolders):
    """Removes files and folders of a spool.

    Args:
        root: Where they are; made if it is missing.
        quota: Counts files and names.

    Attributes:
        originals: The originals among the files.
        properties: The dead properties, which go with their files.

    Raises:
        OSError: They cannot be made, or not be used.
    """

    def __init__(self, root: DiskPath, quota: SpoolQuota) -> None:
        super().__init__(root)
        self._quota = quota
        self.originals = Originals(self.sent)
        self.properties = DeadProperties(root / "properties.sqlite", partial(quota.note, PROPERTIES))
        self._tracker = PropertyTracker(self.files, self.properties)

    @staticmethod
    def freed_inode(parent: int, name: str) -> int:
        """Return the inode whose bytes are free once a name is gone; 0 if none are."""
        try:
            found = os.lstat(name, dir_fd=parent)
        except FileNotFoundError:
            return 0
        return found.st_ino if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 else 0

    def remove(self, parent: int, path: Path, expected: os.stat_result) -> bool:
        """Remove the very file or link that has this status; return False if it is gone or was replaced."""
        with self.lock, suppress(FileNotFoundError):
            found = os.lstat(path[-1], dir_fd=parent)
            if is_unchanged(found, expected):
                self._unlink(parent, path[-1], found)
                return True
        return False

    def remove_empty(self, parent: int, path: Path) -> bool:
        """Remove a folder; return False if it is gone, or not empty."""
        with self.lock, suppress(OSError):
            found = os.lstat(path[-1], dir_fd=parent)
            os.rmdir(path[-1], dir_fd=parent)
            self._forget(found)
            self._tracker.gone(parent, path[-1])
            return True
        return False

    def delete_file(self, parent: int, path: Path) -> None:
        """Remove a file or a link.

        Raises:
            NotFound: Nothing is there.
            Busy: It has become a folder.
        """
        with self.lock, missing(path, NotFound):
            found = os.lstat(path[-1], dir_fd=parent)
            if stat.S_ISDIR(found.st_mode):
                raise Busy(path, "It was replaced by a folder while it was deleted.")
            self._unlink(parent, path[-1], found)

    def delete_folder(self, parent: int, path: Path) -> None:
        """Remove a folder with all in it, from the leaves up.

        Raises:
            NotFound: It is not there.
            Busy: It was filled again and again meanwhile.
        """
        for _ in range(_ATTEMPTS):
            with missing(path, NotFound):
                folder = open_folder(path[-1], parent)
            with closing(folder):
                self._empty(folder)
            if self.remove_empty(parent, path):
                return
        raise Busy(path, "The folder is being filled while it is deleted.")

    def _discard(self, path: DiskPath) -> None:
        """Remove a file, or a folder with all in it, to which no path of the inbox leads.

        A request that had opened the folder before may still put something into it.
        """
        for _ in range(_ATTEMPTS_TO_DISCARD):
            with suppress(OSError):
                if stat.S_ISDIR(path.lstat().st_mode):
                    with closing(open_folder(path)) as folder:
                        self._empty(folder)
                with self.lock:
                    self._unlink(None, str(path), path.lstat())
            if not os.path.lexists(path):
                return

    def _empty(self, folder: int) -> None:
        for parent, path, _ in walk(folder):
            with self.lock, suppress(OSError):  # gone or filled: then the folder itself cannot be removed
                self._unlink(parent, path[-1], os.lstat(path[-1], dir_fd=parent))

    def _unlink(self, parent: int | None, name: str, found: os.stat_result) -> None:
        unlink(parent, name, found)
        self._forget(found)
        self._tracker.gone(parent, name)

    def _count(self, status: os.stat_result) -> None:
        is_folder, is_file = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
        self._quota.note(status.st_ino, status.st_size if is_file else 0, 1 if is_folder else status.st_nlink)

    def _forget(self, status: os.stat_result) -> None:
        """Stop counting a removed name, which had this status."""
        left = 0 if stat.S_ISDIR(status.st_mode) else status.st_nlink - 1
        self._quota.note(status.st_ino, status.st_size if left and stat.S_ISREG(status.st_mode) else 0, left)
        if not left:
            self.originals.forget(status)


def is_unchanged(found: os.stat_result, expected: os.stat_result) -> bool:
    """Return True if a file is the one that had a status before."""
    return os.path.samestat(found, expected) and found.st_mtime_ns == expected.st_mtime_ns
