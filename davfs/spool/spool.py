"""The folder on the disk behind inbox/: ordinary files, folders, and receipts for files that Orthanc holds.

The paths in errors are relative to the inbox.
"""

import io
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
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
from davfs.spool.quota import Reservation, SpoolQuota
from davfs.spool.space import SpaceMaker
from davfs.spool.upload_file import UploadFile

_log = logging.getLogger(__name__)


class Spool(SpoolMover):
    """The files of the inbox: `davfs.spool.files.InboxFiles`.

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
        self._space = SpaceMaker(self._disk, quota, now)
        self._quota.free_space = self._space
        self.scratch = self._disk.scratch

    @property
    def used(self) -> int:
        """See `InboxFiles`."""
        return self._quota.used

    @property
    def available(self) -> int:
        """See `InboxFiles`."""
        free, allowed = self._disk.free(), self._quota.available
        return (free if allowed is None else min(free, allowed)) + self._disk.originals.size

    def check_write(self, path: Path, size: int = 0) -> int:
        """See `InboxFiles`.

        Returns:
            Inode of the file that would be replaced and free its bytes; 0 for none.
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
        """See `InboxFiles`."""
        replaced = self.check_write(path)
        with self._quota.reserve(path, len(content), replaced) as reserved, self._disk.temporary() as temporary:
            with disk_errors(path):
                write_synced(temporary, content)
            return self._keep(temporary, reserved, path, replace=replace, receipt=receipt)

    def receive(self, path: Path, size: int | None = None) -> UploadFile:
        """See `InboxFiles`."""
        replaced = self.check_write(path, size or 0)
        if size and size > self._disk.free() + self._disk.originals.size:
            raise NoSpace(path, FULL_DISK)
        with disk_errors(path), ExitStack() as resources:
            reservation = resources.enter_context(self._quota.reserve(path, 0, replaced))
            temporary = resources.enter_context(self._disk.temporary())
            file = resources.enter_context(new_file(temporary))
            return self._upload_file(path, file, reservation, temporary, resources)

    def adopt(self, path: Path) -> UploadFile:
        """See `InboxFiles`."""
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
            free_disk=self._space.remove_originals,
            resources=resources.pop_all(),
        )

    def remove_adopted(self, path: Path, adopted: UploadFile) -> None:
        """See `InboxFiles`."""
        with suppress(NotFound), self._disk.parent(path, NotFound) as parent:
            if self._disk.remove(parent, path, adopted.status()):
                os.fsync(parent)

    def put_receipt(self, path: Path, receipt: Receipt, *, replace: bool = True) -> Item:
        """See `InboxFiles`."""
        check_names(path)
        with suppress(NoSpace):
            self._quota.check(path, 0, names=1)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            self.remove_hidden(parent, path)
            status = self._disk.make_link(receipt.target, (parent, path), replace=replace)
        return receipt_item(path[-1], receipt, status, self._disk.tags)

    def remove_receipt(self, path: Path, receipt: Receipt) -> None:
        """See `InboxFiles`."""
        with suppress(NotFound, FileNotFoundError), self._disk.parent(path, NotFound) as parent:
            status = os.lstat(path[-1], dir_fd=parent)
            if receipt in (read_receipt(parent, path[-1]), self._disk.originals.find(status)):
                self._disk.remove(parent, path, status)

    def make_folder(self, path: Path) -> None:
        """See `InboxFiles`."""
        check_names(path)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            self.remove_hidden(parent, path)
            self._disk.make_folder((parent, path))
            os.fsync(parent)

    def delete(self, path: Path) -> None:
        """See `InboxFiles`; a folder goes from the leaves up."""
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
        """See `InboxFiles`."""
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
        """See `InboxFiles`."""
        with self._quota.reserve(path, self.check_properties(path, {name: value}, user)):
            self._disk.set_property(path, name, value, user)

    def close(self) -> None:
        """See `InboxFiles`."""
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
