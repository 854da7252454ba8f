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
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.errors import AlreadyExists, Busy, IsAFolder, NotFound, ParentMissing
from davfs.spool.descriptors import closing, empty, open_folder, walk
from davfs.spool.disk_errors import REASONS, missing
from davfs.spool.entity_tags import EntityTags
from davfs.spool.quota import PROPERTIES, SpoolQuota
from davfs.spool.removing import DiskRemover, is_unchanged
from davfs.spool.renaming import Location, exchange, rename


class Disk(DiskRemover):
    """Changes the folders of a spool.

    Args:
        root: Where they are; made if it is missing.
        quota: Counts files and names.

    Raises:
        OSError: They cannot be made, or not be used.
    """

    def __init__(self, root: DiskPath, quota: SpoolQuota) -> None:
        super().__init__(root, quota)
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
                if is_unchanged(found, expected):
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
