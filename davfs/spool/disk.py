"""The steps that change the spool's files and folders: each is done in full, or not at all.

Names change under one lock, so that looking at a file and removing or replacing it is one step: Linux has no "unlink if
it still is that file", and a file that was acknowledged must not fall to an old decision. Content is written and
synchronised without the lock. No file is ever changed in place: a copy is another name of the same inode. Dead
properties are moved and removed with the names, under the same lock.

The paths in errors are relative to ``files``.
"""

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.errors import AlreadyExists, Busy, IsAFolder, NotFound, ParentMissing
from davfs.spool.dead_properties import DeadProperties
from davfs.spool.descriptors import closing, empty, open_folder, unlink, walk
from davfs.spool.disk_errors import REASONS, missing
from davfs.spool.entity_tags import EntityTags
from davfs.spool.folders import SpoolFolders
from davfs.spool.originals import Originals
from davfs.spool.property_tracker import PropertyTracker
from davfs.spool.quota import PROPERTIES, SpoolQuota
from davfs.spool.renaming import Location, exchange, rename

_ATTEMPTS = 3
_ATTEMPTS_TO_DISCARD = 20


class Disk(SpoolFolders):
    """Changes the folders of a spool.

    Args:
        root: Where they are; made if it is missing.
        quota: Counts files and names.

    Raises:
        OSError: They cannot be made, or not be used.
    """

    def __init__(self, root: DiskPath, quota: SpoolQuota) -> None:
        super().__init__(root)
        self._quota = quota
        self.originals = Originals(self.sent)
        self.properties = DeadProperties(root / "properties.sqlite", partial(quota.note, PROPERTIES))
        self._tracker = PropertyTracker(self.files, self.properties)
        try:
            self.tags = EntityTags(root / "tags.key")
            empty(self.incoming)
            empty(self.scratch)
            self.recount()
        except BaseException:
            self.properties.close()
            raise

    def recount(self) -> None:
        """Count all files again, and forget the properties and receipts of deleted ones."""
        self._quota.forget_all()
        self._quota.note(PROPERTIES, self.properties.size)
        with closing(open_folder(self.files)) as files:
            found = [status for _, _, status in walk(files)]
        for status in found:
            self._count(status)
        self._tracker.clean_up()
        self.originals.load([status for status in found if stat.S_ISREG(status.st_mode)])

    @staticmethod
    def freed_inode(parent: int, name: str) -> int:
        """Return the inode whose bytes are free once a name is gone; 0 if none are."""
        try:
            found = os.lstat(name, dir_fd=parent)
        except FileNotFoundError:
            return 0
        return found.st_ino if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 else 0

    @contextmanager
    def temporary(self) -> Iterator[DiskPath]:
        """Yield a path for a new file or folder, which `place` or `move` renames; otherwise it is removed."""
        path = self.temporary_path()
        try:
            yield path
        finally:
            self._discard(path)

    def place(self, temporary: DiskPath, target: Location, *, replace: bool) -> os.stat_result:
        """Rename a complete temporary file or link to its path, and return its status.

        Raises:
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            ParentMissing: The folder is gone.
        """
        status = temporary.lstat()
        with self.lock, missing(target[1], ParentMissing):
            old = self._status(target, replace=replace)
            if old and stat.S_ISDIR(old.st_mode):
                raise IsAFolder(target[1], REASONS[IsAFolder])
            self._rename((None, (str(temporary),)), status, target, old)
        return status

    def move(self, source: Location, target: Location, *, replace: bool, copied: Path = (), deep: bool = True) -> None:
        """Rename a file, link or folder; the target is missing at no moment.

        If one of the two is a folder, they are exchanged: the old one is at the source until it is removed, which comes
        next.

        Args:
            source: Its name.
            target: Its new name.
            replace: Whether a file or folder of that name is replaced.
            copied: Path of which the source is a copy; of none by default.
            deep: Whether it was copied with all that is below it.

        Raises:
            NotFound: The source is gone.
            AlreadyExists: The name is taken and must not be replaced.
            ParentMissing: The folder that should hold the target is gone.
            Forbidden: One is inside the other, or the disk cannot exchange them.
        """
        self.restore()
        with self.lock:
            with missing(source[1], NotFound):
                moved = os.lstat(source[1][-1], dir_fd=source[0])
            with missing(target[1], ParentMissing):
                displaced = self._rename(source, moved, target, self._status(target, replace=replace))
            if copied:
                self._tracker.copied(copied, target, deep=deep)
            else:
                self._tracker.moved(source, target)
        if displaced:
            self._discard(displaced)

    def duplicate(self, source: Location, target: Location) -> None:
        """Give a file or a link a second name, which must not be taken.

        Raises:
            NotFound: It is gone.
            Busy: It has become a folder.
            NoSpace: The inbox has too many names.
        """
        (parent, path), (target_parent, target_path) = source, target
        self._quota.check(path, 0, names=1)
        try:
            with self.lock, missing(path, NotFound):
                os.link(path[-1], target_path[-1], src_dir_fd=parent, dst_dir_fd=target_parent, follow_symlinks=False)
                self._count(os.lstat(target_path[-1], dir_fd=target_parent))
        except PermissionError as error:
            raise Busy(path, "It was replaced by a folder while it was copied.") from error

    def make_link(self, text: str, target: Location, *, replace: bool) -> os.stat_result:
        """Make a link, which replaces a file or another link if that is allowed, and return its status.

        Raises:
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            ParentMissing: The folder is gone.
        """
        parent, path = target
        with suppress(FileExistsError), self.lock, missing(path, ParentMissing):
            os.symlink(text, path[-1], dir_fd=parent)
            status = os.lstat(path[-1], dir_fd=parent)
            self._count(status)
            return status
        with self.temporary() as temporary:
            temporary.symlink_to(text)
            return self.place(temporary, target, replace=replace)

    def replace_by_link(self, text: str, location: Location, expected: os.stat_result) -> bool:
        """Replace the very file that has this status by a link of the same date; return False if it is gone."""
        parent, path = location
        with self.temporary() as temporary:
            temporary.symlink_to(text)
            os.utime(temporary, ns=(expected.st_mtime_ns, expected.st_mtime_ns), follow_symlinks=False)
            with self.lock, suppress(FileNotFoundError):
                found = os.lstat(path[-1], dir_fd=parent)
                if _is_unchanged(found, expected):
                    self._rename((None, (str(temporary),)), temporary.lstat(), location, found)
                    return True
        return False

    def set_property(self, path: Path, name: str, value: bytes, user: str) -> None:
        """Set a dead property; raises `NotFound` if nothing is there, `NoSpace` if it cannot be written."""
        with self.parent(path, NotFound) if path else self.folder(path, NotFound) as parent, self.lock:
            with missing(path, NotFound):
                os.lstat(path[-1] if path else ".", dir_fd=parent)
            self._tracker.set((parent if path else None, path), name, value, user)

    def copy_properties(self, source: Path, target: Path) -> None:
        """Give a file, unless it is gone, the dead properties of another one."""
        with suppress(NotFound), self.parent(target, NotFound) as parent, self.lock:
            self._tracker.copied(source, (parent, target), deep=False)

    def make_folder(self, location: Location) -> None:
        """Make a folder.

        Raises:
            AlreadyExists: The name is taken.
            ParentMissing: The folder that should hold it is gone.
            NoSpace: The inbox has too many names.
        """
        try:
            with missing(location[1], ParentMissing):
                self.make_draft_folder(location[1], location)
        except FileExistsError as error:
            raise AlreadyExists(location[1], REASONS[AlreadyExists]) from error

    def make_draft_folder(self, path: Path, location: Location) -> None:
        """Make a folder for a path.

        Raises:
            OSError: It cannot be made.
            NoSpace: The inbox has too many names.
        """
        self._quota.check(path, 0, names=1)
        with self.lock:
            os.mkdir(location[1][-1], mode=0o700, dir_fd=location[0])
            self._count(os.lstat(location[1][-1], dir_fd=location[0]))

    def remove(self, parent: int, path: Path, expected: os.stat_result) -> bool:
        """Remove the very file or link that has this status; return False if it is gone or was replaced."""
        with self.lock, suppress(FileNotFoundError):
            found = os.lstat(path[-1], dir_fd=parent)
            if _is_unchanged(found, expected):
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

    @staticmethod
    def _status(location: Location, *, replace: bool) -> os.stat_result | None:
        """Return the status of a name, None if it is free; raise `AlreadyExists` unless it may be replaced."""
        parent, path = location
        try:
            found = os.lstat(path[-1], dir_fd=parent)
        except FileNotFoundError:
            return None
        if not replace:
            raise AlreadyExists(path, REASONS[AlreadyExists])
        return found

    def _rename(
        self, source: Location, moved: os.stat_result, target: Location, old: os.stat_result | None
    ) -> DiskPath | None:
        """Rename the source to the target; return the path of what has to be removed then, if folders are exchanged."""
        if old and os.path.samestat(moved, old):  # two names of one file: rename(2) would leave both
            os.unlink(source[1][-1], dir_fd=source[0])
            self._forget(moved)
        elif old and (stat.S_ISDIR(moved.st_mode) or stat.S_ISDIR(old.st_mode)):
            exchange(source, target)
            aside = self.scratch / uuid.uuid4().hex
            rename(source, (None, (str(aside),)))
            return aside
        else:
            rename(source, target)
            if old:
                self._forget(old)
            self._count(moved)
        return None

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


def _is_unchanged(found: os.stat_result, expected: os.stat_result) -> bool:
    return os.path.samestat(found, expected) and found.st_mtime_ns == expected.st_mtime_ns
