"""The folder on the disk behind inbox/: ordinary files, folders, and receipts for files that Orthanc holds.

The paths in errors are relative to the inbox.
"""

import io
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from heapq import nsmallest
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.errors import IsAFolder, NoSpace, NotFound, ParentMissing
from davfs.orthanc import Buffer
from davfs.spool.dead_properties import DeadProperties
from davfs.spool.descriptors import new_file, open_file, write_synced
from davfs.spool.disk import Disk
from davfs.spool.disk_errors import FULL_DISK, REASONS, check_names, disk_errors, missing
from davfs.spool.items import Item, Receipt, file_item, read_receipt, receipt_item
from davfs.spool.moving import SpoolMover
from davfs.spool.originals import original_key
from davfs.spool.quota import Reservation, Shortage, SpoolQuota
from davfs.spool.upload_file import UploadFile

_log = logging.getLogger(__name__)

_RECEIPTS_AT_ONCE = 1000
"""Receipts that are removed at least when there are too many names: all names are read for it."""
_PAUSE = 60.0
"""Seconds in which receipts are not searched again after none was found: until then there are a few names too many."""


class Spool(SpoolMover):
    """The files of the inbox.

    Args:
        root: Folder on disk; made if it is missing. No other process may use it.
        maximum_size: The quota: bytes of all ordinary files together, and names (`davfs.spool.quota`); 0 for no limit.
        maximum_age: Seconds after which a file or a receipt expires; 0 for no limit.
        now: Clock, in seconds since the epoch.

    Attributes:
        scratch: Folder for temporary files of imports; emptied at every start.

    Raises:
        OSError: The folder cannot be made, or not be used.
    """

    def __init__(
        self, root: DiskPath, *, maximum_size: int, maximum_age: float, now: Callable[[], float] = time.time
    ) -> None:
        quota = SpoolQuota(maximum_size)
        super().__init__(Disk(root, quota), quota, maximum_age, now)
        self._quota.free_space = self._free_space
        self._no_receipts_until = 0.0
        self.scratch = self._disk.scratch

    @property
    def used(self) -> int:
        """Bytes of all ordinary files, unfinished uploads included, and of dead properties.

        A copied file counts once.
        """
        return self._quota.used

    @property
    def available(self) -> int:
        """Bytes that may still come, by the quota and by the disk; includes those of originals, which can be freed."""
        free, allowed = self._disk.free(), self._quota.available
        return (free if allowed is None else min(free, allowed)) + self._disk.originals.size

    def check_write(self, path: Path, size: int = 0) -> int:
        """Raise what `write` of so many bytes would raise, as far as can be known before.

        Returns:
            Inode of the file that would be replaced and free its bytes; 0 for none.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            NoSpace: The quota does not allow it.
        """
        check_names(path)
        self._disk.restore()
        with self._disk.parent(path, ParentMissing) as parent:
            item = self.item(parent, path[-1])
            replaced = self._disk.freed_inode(parent, path[-1])
        if item and item.entry.is_folder:
            raise IsAFolder(path, REASONS[IsAFolder])
        self._quota.check(path, size, replaced, names=not item, removable=self._disk.originals.size)
        return replaced

    def write(self, path: Path, content: Buffer, *, replace: bool = True, receipt: Receipt | None = None) -> Item:
        """Keep a file durably: when this returns it has been synchronised to the disk.

        Args:
            path: Where to.
            content: All of its bytes.
            replace: Whether a file or a receipt of this name is replaced.
            receipt: The instance that it is an original of; None for an ordinary file.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            NoSpace: The quota, or the disk, does not allow it.
        """
        replaced = self.check_write(path)
        with self._quota.reserve(path, len(content), replaced) as reserved, self._disk.temporary() as temporary:
            with disk_errors(path):
                write_synced(temporary, content)
            return self._keep(temporary, reserved, path, replace=replace, receipt=receipt)

    def receive(self, path: Path, size: int | None = None) -> UploadFile:
        """Begin an upload that comes in pieces; the caller closes it, as a context manager.

        Its bytes are reserved as they come, and not when their number is announced: a client that sends nothing then
        takes no room from others.

        Args:
            path: Where to.
            size: Bytes that are to come; None if that is not known.

        Raises:
            PathError: What `write` would raise, as far as it can be known before.
        """
        replaced = self.check_write(path, size or 0)
        if size and size > self._disk.free() + self._disk.originals.size:
            raise NoSpace(path, FULL_DISK)
        with disk_errors(path), ExitStack() as resources:
            reservation = resources.enter_context(self._quota.reserve(path, 0, replaced))
            temporary = resources.enter_context(self._disk.temporary())
            file = resources.enter_context(new_file(temporary))
            return self._upload_file(path, file, reservation, temporary, resources)

    def adopt(self, path: Path) -> UploadFile:
        """Upload an ordinary file of the inbox again; it stays where it is. The caller closes it.

        Raises:
            NotFound: Nothing is there, or a receipt.
            IsAFolder: It is a folder.
            NoSpace: The inbox has too many names.
        """
        with self._disk.parent(path, NotFound) as parent, disk_errors(path), ExitStack() as resources:
            if self.find(parent, path).entry.is_folder:
                raise IsAFolder(path, REASONS[IsAFolder])
            reservation = resources.enter_context(self._quota.reserve(path, 0))
            temporary = resources.enter_context(self._disk.temporary())
            self._disk.duplicate((parent, path), (None, (str(temporary),)))
            with missing(path, NotFound):
                file = resources.enter_context(open_file(None, str(temporary)))
            return self._upload_file(path, file, reservation, temporary, resources)

    def _upload_file(
        self, path: Path, file: io.FileIO, reservation: Reservation, temporary: DiskPath, resources: ExitStack
    ) -> UploadFile:
        return UploadFile(
            path,
            file,
            reservation=reservation,
            keep=partial(self._keep_upload, temporary, reservation),
            free_disk=self._remove_originals,
            resources=resources.pop_all(),
        )

    def remove_adopted(self, path: Path, adopted: UploadFile) -> None:
        """Remove a file that was adopted unless it was replaced meanwhile."""
        with suppress(NotFound), self._disk.parent(path, NotFound) as parent:
            if self._disk.remove(parent, path, adopted.status()):
                os.fsync(parent)

    def put_receipt(self, path: Path, receipt: Receipt, *, replace: bool = True) -> Item:
        """Write a receipt at a path.

        It is not synchronised: it holds no content, and Orthanc has the file anyway. It is never refused for its room:
        the oldest receipts are removed instead.

        Args:
            path: Where to.
            receipt: The receipt.
            replace: Whether a file or another receipt is replaced.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
        """
        check_names(path)
        with suppress(NoSpace):
            self._quota.check(path, 0, names=1)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            self.remove_hidden(parent, path)
            status = self._disk.make_link(receipt.target, (parent, path), replace=replace)
        return receipt_item(path[-1], receipt, status, self._disk.tags)

    def remove_receipt(self, path: Path, receipt: Receipt) -> None:
        """Remove a receipt unless it was replaced meanwhile."""
        with suppress(NotFound, FileNotFoundError), self._disk.parent(path, NotFound) as parent:
            status = os.lstat(path[-1], dir_fd=parent)
            if receipt in (read_receipt(parent, path[-1]), self._disk.originals.find(status)):
                self._disk.remove(parent, path, status)

    def make_folder(self, path: Path) -> None:
        """Make a folder.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            AlreadyExists: The name is taken.
            NoSpace: The inbox has too many names.
        """
        check_names(path)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            self.remove_hidden(parent, path)
            self._disk.make_folder((parent, path))
            os.fsync(parent)

    def delete(self, path: Path) -> None:
        """Remove a file, a receipt, or a folder with all in it, from the leaves up.

        Raises:
            NotFound: Nothing is there.
            Busy: It was filled, or replaced, again and again meanwhile.
        """
        with self._disk.parent(path, NotFound) as parent:
            if self.find(parent, path).entry.is_folder:
                self._disk.delete_folder(parent, path)
            else:
                self._disk.delete_file(parent, path)
        self._disk.properties.shrink()

    def expire(self) -> int:
        """See `SpoolReader.expire`."""
        expired = super().expire()
        self._disk.properties.shrink()
        return expired

    @property
    def properties(self) -> DeadProperties:
        """The dead properties, by path; they are set by `set_property`, and go with their files by themselves."""
        return self._disk.properties

    def check_properties(self, path: Path, values: Mapping[str, bytes], user: str = "") -> int:
        """Check if a file or folder can have these dead properties; return by how many bytes the properties grow.

        Raises:
            NoSpace: They are too large, or there are too many, or the quota does not allow it.
        """
        growth = max(0, self._disk.properties.growth(path, values, user))
        self._quota.check(path, growth, removable=self._disk.originals.size)
        return growth

    def set_property(self, path: Path, name: str, value: bytes, user: str = "") -> None:
        """Set a dead property of a file, a receipt or a folder, which can be the inbox itself.

        Args:
            path: Where.
            name: In Clark's notation.
            value: As XML.
            user: Who sets it; empty without a login.

        Raises:
            NotFound: Nothing is there.
            NoSpace: As for `check_properties`, or it cannot be written.
        """
        with self._quota.reserve(path, self.check_properties(path, {name: value}, user)):
            self._disk.set_property(path, name, value, user)

    def close(self) -> None:
        """Close the file of dead properties."""
        self._disk.properties.close()

    def _keep_upload(  # noqa: PLR0913  a file with all that is known of it
        self,
        temporary: DiskPath,
        reservation: Reservation,
        path: Path,
        upload: UploadFile,
        *,
        replace: bool,
        receipt: Receipt | None,
    ) -> Item:
        upload.sync()
        return self._keep(temporary, reservation, path, replace=replace, receipt=receipt)

    def _keep(
        self, temporary: DiskPath, reservation: Reservation, path: Path, *, replace: bool, receipt: Receipt | None
    ) -> Item:
        """Rename a file that is complete and synchronised to its path."""
        check_names(path)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            self.remove_hidden(parent, path)
            with self._original(temporary, receipt):
                status = self._disk.place(temporary, (parent, path), replace=replace)
            reservation.release()
            os.fsync(parent)
        return self._with_receipt(file_item(path[-1], status, self._disk.tags), status)

    @contextmanager
    def _original(self, file: DiskPath, receipt: Receipt | None) -> Iterator[None]:
        """Add the receipt of an original before anybody can see the file; forget it on an error."""
        status = file.lstat()
        if receipt:
            self._disk.originals.add(status, receipt)
        try:
            yield
        except BaseException:
            self._disk.originals.forget(status)
            raise

    def _free_space(self, shortage: Shortage) -> bool:
        """Remove originals or receipts, the oldest first; return False if there are none."""
        return self._remove_receipts(shortage.names) if shortage.names > 0 else self._remove_originals(shortage.bytes)

    def _remove_originals(self, size: int) -> bool:
        """Replace the oldest originals by receipts; more than needed, since all names are read for it."""
        chosen = self._disk.originals.oldest(max(size, self.used // 16))
        freed = False
        for parent, path, status in self._disk.walk() if chosen else ():
            receipt = self._disk.originals.find(status) if original_key(status) in chosen else None
            if receipt and self._disk.replace_by_link(receipt.target, (parent, path), status):
                freed = True
        return freed

    def _remove_receipts(self, count: int) -> bool:
        if self._now() < self._no_receipts_until:
            return False
        receipts = (
            (status.st_mtime_ns, path, status)
            for parent, path, status in self._disk.walk()
            if stat.S_ISLNK(status.st_mode) and read_receipt(parent, path[-1])
        )
        removed = False
        for _, path, status in nsmallest(max(count, _RECEIPTS_AT_ONCE), receipts):
            with suppress(NotFound), self._disk.parent(path, NotFound) as parent:
                removed = self._disk.remove(parent, path, status) or removed
        if not removed:
            self._no_receipts_until = self._now() + _PAUSE
        return removed
