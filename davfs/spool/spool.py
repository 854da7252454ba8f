"""The real folder behind inbox/: ordinary files, folders, and receipts for what Orthanc holds.

The paths in errors are relative to the inbox.
"""

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
from davfs.spool.moving import FileMover
from davfs.spool.originals import key
from davfs.spool.quota import Reservation, SpoolQuota
from davfs.spool.reading import SpoolReader
from davfs.spool.upload_file import UploadFile

_log = logging.getLogger(__name__)


class Spool(SpoolReader):
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
        self._quota = SpoolQuota(maximum_size)
        super().__init__(Disk(root, self._quota), maximum_age, now)
        self._mover = FileMover(self._disk, self)
        self._quota.make_room = self._make_room
        self.scratch = self._disk.scratch

    @property
    def used(self) -> int:
        """Bytes of all ordinary files, those that are being written included, and of dead properties.

        A copied file counts once.
        """
        return self._quota.used

    @property
    def available(self) -> int:
        """Bytes that may still come, by the quota and by the disk; what was kept as it was sent gives way to them."""
        free, allowed = self._disk.free(), self._quota.available
        return (free if allowed is None else min(free, allowed)) + self._disk.originals.size

    def check_write(self, path: Path, size: int = 0) -> int:
        """Raise what `write` of so many bytes would raise, as far as can be known before.

        Returns:
            Inode of the file that would give way and free its bytes; 0 for none.

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
            gives_way = self._disk.gives_way(parent, path[-1])
        if item and item.entry.is_folder:
            raise IsAFolder(path, REASONS[IsAFolder])
        self._quota.check(path, size, gives_way)
        return gives_way

    def write(self, path: Path, content: Buffer, *, replace: bool = True, receipt: Receipt | None = None) -> Item:
        """Keep a file durably: when this returns it has been synchronised to the disk.

        Args:
            path: Where to.
            content: All of its bytes.
            replace: Whether a file or a receipt of this name gives way.
            receipt: What it stands for; None for itself.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            NoSpace: The quota, or the disk, does not allow it.
        """
        gives_way = self.check_write(path)
        with self._quota.reserve(path, len(content), gives_way) as reserved, self._disk.temporary() as temporary:
            with disk_errors(path):
                write_synced(temporary, content)
            return self._keep(temporary, reserved, path, replace=replace, receipt=receipt)

    def receive(self, path: Path, size: int | None = None) -> UploadFile:
        """Begin a file that comes in pieces; the caller closes it, as a context manager.

        Args:
            path: Where to.
            size: Bytes that are to come; None where that is not known.

        Raises:
            PathError: What `write` would raise, as far as it can be known before.
        """
        gives_way = self.check_write(path)
        while size and size > self._disk.free():
            if not self._make_room(size - self._disk.free()):
                raise NoSpace(path, FULL_DISK)
        with disk_errors(path), ExitStack() as resources:
            reservation = resources.enter_context(self._quota.reserve(path, size or 0, gives_way))
            temporary = resources.enter_context(self._disk.temporary())
            file = resources.enter_context(new_file(temporary))
            return UploadFile(path, file, reservation, partial(self._keep, temporary, reservation), resources.pop_all())

    def adopt(self, path: Path) -> UploadFile:
        """Take an ordinary file once more, as if it came in now; it stays where it is. The caller closes it.

        Raises:
            NotFound: Nothing is there, or a receipt.
            IsAFolder: It is a folder.
        """
        with self._disk.parent(path, NotFound) as parent, disk_errors(path), ExitStack() as resources:
            if self.find(parent, path).entry.is_folder:
                raise IsAFolder(path, REASONS[IsAFolder])
            reservation = resources.enter_context(self._quota.reserve(path, 0))
            temporary = resources.enter_context(self._disk.temporary())
            self._disk.duplicate((parent, path), (None, (str(temporary),)))
            with missing(path, NotFound):
                file = resources.enter_context(open_file(None, str(temporary)))
            return UploadFile(path, file, reservation, partial(self._keep, temporary, reservation), resources.pop_all())

    def drop_adopted(self, path: Path, adopted: UploadFile) -> None:
        """Remove a file that was adopted unless something else has taken its place."""
        with suppress(NotFound), self._disk.parent(path, NotFound) as parent:
            if self._disk.remove(parent, path, adopted.status()):
                os.fsync(parent)

    def put_receipt(self, path: Path, receipt: Receipt, *, replace: bool = True) -> Item:
        """Put a receipt at a path.

        It is not synchronised: it holds no content, and Orthanc has the file whatever becomes of it.

        Args:
            path: Where to.
            receipt: What stands there then.
            replace: Whether a file or another receipt gives way.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
        """
        check_names(path)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            self.clear_hidden(parent, path)
            status = self._disk.link(receipt.target, (parent, path), replace=replace)
        return receipt_item(path[-1], receipt, status, self._disk.tags)

    def drop_receipt(self, path: Path, receipt: Receipt) -> None:
        """Remove a receipt unless something else has taken its place."""
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
        """
        check_names(path)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            self.clear_hidden(parent, path)
            self._disk.make_folder(parent, path)
            os.fsync(parent)

    def move(self, source: Path, target: Path, *, replace: bool) -> None:
        """See `davfs.spool.moving.FileMover.move`."""
        self._mover.move(source, target, replace=replace)
        self._disk.properties.shrink()

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """See `davfs.spool.moving.FileMover.copy`."""
        with self._room_for_copies(source, target, deep=deep) as annotated:
            self._mover.copy(source, target, replace=replace, deep=deep, annotated=annotated)
        self._disk.properties.shrink()

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
        """See `davfs.spool.reading.SpoolReader.expire`."""
        expired = super().expire()
        self._disk.properties.shrink()
        return expired

    @property
    def properties(self) -> DeadProperties:
        """The dead properties, by path; they are set by `set_property`, and go with their files by themselves."""
        return self._disk.properties

    def check_properties(self, path: Path, values: Mapping[str, bytes], user: str = "") -> int:
        """Check whether a file or folder can have these dead properties, and return how many bytes more that are.

        Raises:
            NoSpace: They are too large, or there are too many, or the quota does not allow it.
        """
        growth = max(0, self._disk.properties.growth(path, values, user))
        self._quota.check(path, growth)
        return growth

    def set_property(self, path: Path, name: str, value: bytes, user: str = "") -> None:
        """Keep a dead property of a file, a receipt or a folder, which can be the inbox itself.

        Args:
            path: Where.
            name: In Clark's notation.
            value: As XML.
            user: Who sets it; empty for somebody without a name.

        Raises:
            NotFound: Nothing is there.
            NoSpace: As for `check_properties`, or it cannot be written.
        """
        with self._quota.reserve(path, self.check_properties(path, {name: value}, user)):
            self._disk.set_property(path, name, value, user)

    def copy_properties(self, source: Path, target: Path) -> None:
        """Give a file the dead properties of another one, as far as there is room for them."""
        with self._room_for_copies(source, target, deep=False) as annotated:
            if annotated:
                self._disk.copy_properties(source, target)

    @contextmanager
    def _room_for_copies(self, source: Path, target: Path, *, deep: bool) -> Iterator[bool]:
        """Reserve room for copies of dead properties; False where there is none, for which no file is refused."""
        with ExitStack() as reserved:
            try:
                growth = self._disk.properties.growth_by_copy(source, target, deep=deep)
                reserved.enter_context(self._quota.reserve(target, growth))
            except NoSpace:
                _log.info("a copy in the inbox has no dead properties, for which there was no room")
                yield False
            else:
                yield True

    def close(self) -> None:
        """Close the file of dead properties."""
        self._disk.properties.close()

    def _keep(
        self, temporary: DiskPath, reservation: Reservation, path: Path, *, replace: bool, receipt: Receipt | None
    ) -> Item:
        """Give a file that is complete and synchronised its lasting name."""
        check_names(path)
        with disk_errors(path), self._disk.parent(path, ParentMissing) as parent:
            self.clear_hidden(parent, path)
            with self._marking(temporary, receipt):
                status = self._disk.place(temporary, (parent, path), replace=replace)
            reservation.release()
            os.fsync(parent)
        return self._marked(file_item(path[-1], status, self._disk.tags), status)

    @contextmanager
    def _marking(self, file: DiskPath, receipt: Receipt | None) -> Iterator[None]:
        """Remember what a file stands for before it can be seen; forget it where that fails."""
        status = file.lstat()
        if receipt:
            self._disk.originals.add(status, receipt)
        try:
            yield
        except BaseException:
            self._disk.originals.forget(status)
            raise

    def _make_room(self, missing: int) -> bool:
        """Replace the oldest originals by receipts; False where there are none.

        All names are looked through: so it is done for more than is needed now.
        """
        chosen = self._disk.originals.oldest(max(missing, self.used // 16))
        freed = False
        for parent, path, status in self._disk.walk():
            receipt = self._disk.originals.find(status) if key(status) in chosen else None
            if receipt and self._disk.become_link(receipt.target, (parent, path), status):
                freed = True
        return freed
