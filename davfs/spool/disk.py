"""The spool's folders on the disk, and the steps that change them: each is done in full, or not at all.

::

    root/files/      what the inbox shows, under the same names
    root/incoming/   files that are being written; emptied at every start
    root/scratch/    for whoever works on what comes in; emptied at every start
    root/sent/       which files stand for an instance of Orthanc (davfs.spool.originals)
    root/properties.sqlite   (davfs.spool.dead_properties)
    root/tags.key    (davfs.spool.entity_tags)

Nothing here follows a link: every path is walked from ``files`` through descriptors. Names come and go under one lock,
so that looking at what is there and removing or replacing it is one step: Linux has no "unlink if it still is that
file", and a file that was acknowledged must not fall to an old decision. Content is written and synchronised without
the lock. No file is ever changed in its place, so that a copy is another name of it, and takes no room. Dead properties
go with the names, under the same lock.

The paths in errors are relative to ``files``.
"""

import logging
import os
import stat
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.errors import AlreadyExists, Busy, IsAFolder, NotFound, ParentMissing, PathError
from davfs.spool.dead_properties import DeadProperties
from davfs.spool.descriptors import closing, empty, open_below, open_folder, unlink, walk
from davfs.spool.disk_errors import REASONS, missing
from davfs.spool.entity_tags import EntityTags
from davfs.spool.items import DEEPEST, is_name
from davfs.spool.originals import Originals
from davfs.spool.property_tracker import PropertyTracker
from davfs.spool.quota import PROPERTIES, SpoolQuota
from davfs.spool.renaming import Location, exchange, rename

_ATTEMPTS = 3
_ATTEMPTS_TO_DISCARD = 20
_log = logging.getLogger(__name__)


class Disk:
    """The folders of the spool. No other process may use them.

    Args:
        root: Where they are; made where it is missing.
        quota: Is told what comes and goes.

    Raises:
        OSError: They cannot be made, or not be used.
    """

    def __init__(self, root: DiskPath, quota: SpoolQuota) -> None:
        self.files = root.resolve() / "files"
        self.scratch = root / "scratch"
        self._incoming = root / "incoming"
        self._sent = root / "sent"
        self._quota = quota
        self.originals = Originals(self._sent)
        self.properties = DeadProperties(root / "properties.sqlite", partial(quota.note, PROPERTIES))
        self._tracker = PropertyTracker(self.files, self.properties)
        self._changing = threading.Lock()
        self._paths = tuple(map(str, self._folders))
        try:
            self._make_folders()
            self.tags = EntityTags(root / "tags.key")
            empty(self._incoming)
            empty(self.scratch)
            self._count_all()
        except BaseException:
            self.properties.close()
            raise

    def restore(self) -> None:
        """Make folders again that somebody else removed."""
        if self._are_there(self._paths):
            return
        self._restore()

    def _restore(self) -> None:
        with self._changing:
            if self._are_there(self._paths):  # another thread was faster
                return
            _log.warning("a folder of the spool was removed by somebody else, and is made again")
            self._make_folders()
            self._quota.forget_all()
            self._quota.note(PROPERTIES, self.properties.size)
            self._count_all()

    def status(self) -> os.stat_result:
        """Return the status of the folder that holds all others."""
        self.restore()
        return self.files.stat()

    def free(self) -> int:
        """Return how many bytes the disk has room for."""
        self.restore()
        found = os.statvfs(self.files)
        return found.f_bavail * found.f_frsize

    @staticmethod
    def gives_way(parent: int, name: str) -> int:
        """Return the inode whose bytes are free once a name is gone; 0 where none are."""
        try:
            found = os.lstat(name, dir_fd=parent)
        except FileNotFoundError:
            return 0
        return found.st_ino if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 else 0

    @contextmanager
    def folder(self, path: Path, error: type[PathError]) -> Iterator[int]:
        """Open a folder; ``error`` where that is not possible."""
        if not self._are_there(self._paths[:1]):
            self._restore()
        with missing(path, error):
            descriptor = open_below(self.files, path)
        with closing(descriptor):
            yield descriptor

    @contextmanager
    def parent(self, path: Path, error: type[PathError]) -> Iterator[int]:
        """Open the folder that holds a path. In the context, each segment of the path is fit for the disk."""
        if not path or len(path) > DEEPEST or not all(map(is_name, path)):
            raise error(path, REASONS[error])
        with self.folder(path[:-1], error) as parent:
            yield parent

    def walk(self) -> Iterator[tuple[int, Path, os.stat_result]]:
        """Yield all files and folders, as `davfs.spool.descriptors.walk` does."""
        self.restore()
        with closing(open_folder(self.files)) as files:
            yield from walk(files)

    @contextmanager
    def temporary(self) -> Iterator[DiskPath]:
        """Yield the path for something new, which `place` or `move` gives its name; dropped at the end otherwise."""
        self.restore()
        path = self._incoming / uuid.uuid4().hex
        try:
            yield path
        finally:
            self._discard(path)

    def place(self, temporary: DiskPath, target: Location, *, replace: bool) -> os.stat_result:
        """Give a complete temporary file or link its name, and return its status.

        Raises:
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            ParentMissing: The folder is gone.
        """
        status = temporary.lstat()
        with self._changing, missing(target[1], ParentMissing):
            old = self._occupant(target, replace=replace)
            if old and stat.S_ISDIR(old.st_mode):
                raise IsAFolder(target[1], REASONS[IsAFolder])
            self._put((None, (str(temporary),)), status, target, old)
        return status

    def move(self, source: Location, target: Location, *, replace: bool, copied: Path = (), deep: bool = True) -> None:
        """Give a file, link or folder another name; what had that name before is missing at no moment, and then gone.

        Where one of the two is a folder, they change places first: until the old one is removed, which comes next, it
        stands at the source.

        Args:
            source: What.
            target: Its new name.
            replace: Whether what has that name gives way.
            copied: What the source is a copy of; of nothing by default.
            deep: Whether it was copied with all that is below it.

        Raises:
            NotFound: The source is gone.
            AlreadyExists: The name is taken and must not be replaced.
            ParentMissing: The folder that should hold the target is gone.
            Forbidden: One lies in the other, or the disk cannot let them change places.
        """
        self.restore()
        with self._changing:
            with missing(source[1], NotFound):
                moved = os.lstat(source[1][-1], dir_fd=source[0])
            with missing(target[1], ParentMissing):
                displaced = self._put(source, moved, target, self._occupant(target, replace=replace))
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
        """
        (parent, path), (target_parent, target_path) = source, target
        names = (path[-1], target_path[-1])
        try:
            with self._changing, missing(path, NotFound):
                os.link(*names, src_dir_fd=parent, dst_dir_fd=target_parent, follow_symlinks=False)
        except PermissionError as error:
            raise Busy(path, "It was replaced by a folder while it was copied.") from error

    def link(self, text: str, target: Location, *, replace: bool) -> os.stat_result:
        """Make a link, which replaces a file or another link where that is allowed, and return its status.

        Raises:
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            ParentMissing: The folder is gone.
        """
        parent, path = target
        with suppress(FileExistsError), self._changing, missing(path, ParentMissing):
            os.symlink(text, path[-1], dir_fd=parent)
            return os.lstat(path[-1], dir_fd=parent)
        with self.temporary() as temporary:
            temporary.symlink_to(text)
            return self.place(temporary, target, replace=replace)

    def become_link(self, text: str, spot: Location, expected: os.stat_result) -> bool:
        """Put a link of the same date in the place of the very file that has this status; False where it is gone."""
        parent, path = spot
        with self.temporary() as temporary:
            temporary.symlink_to(text)
            os.utime(temporary, ns=(expected.st_mtime_ns, expected.st_mtime_ns), follow_symlinks=False)
            with self._changing, suppress(FileNotFoundError):
                found = os.lstat(path[-1], dir_fd=parent)
                if os.path.samestat(found, expected) and found.st_mtime_ns == expected.st_mtime_ns:
                    rename((None, (str(temporary),)), spot)
                    self._forget(found)
                    return True
        return False

    def set_property(self, path: Path, name: str, value: bytes, user: str) -> None:
        """Keep a dead property of what is there; `NotFound` where nothing is, `NoSpace` if it cannot be written."""
        with self.parent(path, NotFound) if path else self.folder(path, NotFound) as parent, self._changing:
            with missing(path, NotFound):
                os.lstat(path[-1] if path else ".", dir_fd=parent)
            self._tracker.set((parent if path else None, path), name, value, user)

    def copy_properties(self, source: Path, target: Path) -> None:
        """Give a file, unless it is gone, the dead properties of another one."""
        with suppress(NotFound), self.parent(target, NotFound) as parent, self._changing:
            self._tracker.copied(source, (parent, target), deep=False)

    def make_folder(self, parent: int, path: Path) -> None:
        """Make a folder.

        Raises:
            AlreadyExists: The name is taken.
            ParentMissing: The folder that should hold it is gone.
        """
        with self._changing, missing(path, ParentMissing):
            try:
                os.mkdir(path[-1], mode=0o700, dir_fd=parent)
            except FileExistsError as error:
                raise AlreadyExists(path, REASONS[AlreadyExists]) from error

    def remove(self, parent: int, path: Path, expected: os.stat_result) -> bool:
        """Remove the very file or link that has this status; False where it is gone, or another took its place."""
        with self._changing, suppress(FileNotFoundError):
            found = os.lstat(path[-1], dir_fd=parent)
            if os.path.samestat(found, expected) and found.st_mtime_ns == expected.st_mtime_ns:
                self._unlink(parent, path[-1], found)
                return True
        return False

    def remove_empty(self, parent: int, path: Path) -> bool:
        """Remove a folder; False where it is gone, or not empty."""
        with self._changing, suppress(OSError):
            os.rmdir(path[-1], dir_fd=parent)
            self._tracker.gone(parent, path[-1])
            return True
        return False

    def delete_file(self, parent: int, path: Path) -> None:
        """Remove a file or a link.

        Raises:
            NotFound: Nothing is there.
            Busy: It has become a folder.
        """
        with self._changing, missing(path, NotFound):
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

    @property
    def _folders(self) -> tuple[DiskPath, ...]:
        return self.files, self.scratch, self._incoming, self._sent

    @staticmethod
    def _are_there(folders: Iterable[str]) -> bool:
        return all(os.access(folder, os.F_OK) for folder in folders)  # a fifth of what pathlib takes

    def _make_folders(self) -> None:
        self.files.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in self._folders:
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)

    def _count_all(self) -> None:
        with closing(open_folder(self.files)) as files:
            found = [status for _, _, status in walk(files)]
        for status in found:
            self._count(status)
        self._tracker.clean_up()
        self.originals.load([status for status in found if stat.S_ISREG(status.st_mode)])

    def _occupant(self, target: Location, *, replace: bool) -> os.stat_result | None:
        """Return what a name stands for now, None for nothing; raise `AlreadyExists` unless it may be replaced."""
        parent, path = target
        try:
            found = os.lstat(path[-1], dir_fd=parent)
        except FileNotFoundError:
            return None
        if not replace:
            raise AlreadyExists(path, REASONS[AlreadyExists])
        return found

    def _put(
        self, source: Location, moved: os.stat_result, target: Location, old: os.stat_result | None
    ) -> DiskPath | None:
        """Give the source the target's name; return where what had to step aside is now."""
        if old and os.path.samestat(moved, old):  # two names of one file: rename(2) would leave both
            os.unlink(source[1][-1], dir_fd=source[0])
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
        """Remove what no path of the inbox leads to any more, a folder with all that is in it.

        Whoever had opened the folder before may still put something into it.
        """
        for _ in range(_ATTEMPTS_TO_DISCARD):
            with suppress(OSError):
                if stat.S_ISDIR(path.lstat().st_mode):
                    with closing(open_folder(path)) as folder:
                        self._empty(folder)
                with self._changing:
                    self._unlink(None, str(path), path.lstat())
            if not os.path.lexists(path):
                return

    def _empty(self, folder: int) -> None:
        for parent, path, _ in walk(folder):
            with self._changing, suppress(OSError):  # gone or filled: the folder's own removal will tell
                self._unlink(parent, path[-1], os.lstat(path[-1], dir_fd=parent))

    def _unlink(self, parent: int | None, name: str, found: os.stat_result) -> None:
        unlink(parent, name, found)
        self._forget(found)
        self._tracker.gone(parent, name)

    def _count(self, status: os.stat_result) -> None:
        self._quota.note(status.st_ino, status.st_size if stat.S_ISREG(status.st_mode) else 0)

    def _forget(self, status: os.stat_result) -> None:
        """Count a file no more, unless what was removed was one name of several."""
        if status.st_nlink <= 1:
            self._quota.note(status.st_ino, 0)
            self.originals.forget(status)
