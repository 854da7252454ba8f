"""The spool's folders on the disk, and the steps that change them: each is done in full, or not at all.

::

    root/files/      what the inbox shows, under the same names
    root/incoming/   files that are being written; emptied at every start
    root/scratch/    for whoever works on what comes in; emptied at every start

Nothing here follows a link: every path is walked from ``files`` through descriptors. Names come and go under one lock,
so that looking at what is there and removing it is one step: Linux has no "unlink if it still is that file", and a file
that was acknowledged must not fall to an old decision. Content is written and synchronised without the lock.

The paths in errors are relative to ``files``.
"""

import errno
import os
import stat
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.errors import (
    AlreadyExists,
    BadName,
    Busy,
    IsAFolder,
    NoSpace,
    NotAFolder,
    NotFound,
    ParentMissing,
    PathError,
)
from davfs.imports.descriptors import closing, empty, open_below, open_folder, unlink, walk
from davfs.imports.items import is_name
from davfs.imports.quota import Quota

REASONS: dict[type[PathError], str] = {
    NotFound: "Nothing is there.",
    NotAFolder: "This is a file, not a folder.",
    IsAFolder: "This is a folder, not a file.",
    AlreadyExists: "The name is taken.",
    ParentMissing: "The folder that should hold it does not exist.",
}
"""What the errors tell the user."""

_DEEPEST = 64
_ATTEMPTS = 3


class Disk:
    """The folders of the spool. No other process may use them.

    Args:
        root: Where they are; made where it is missing.
        quota: Is told what comes and goes.

    Raises:
        OSError: They cannot be made, or not be used.
    """

    def __init__(self, root: DiskPath, quota: Quota) -> None:
        self.files = root / "files"
        self.scratch = root / "scratch"
        self._incoming = root / "incoming"
        self._quota = quota
        self._changing = threading.Lock()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.files, self.scratch, self._incoming):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        empty(self._incoming)
        empty(self.scratch)
        for _, path, status in self.walk():
            quota.note(path, _size(status))

    @contextmanager
    def folder(self, path: Path, error: type[PathError]) -> Iterator[int]:
        """Open a folder; ``error`` where that is not possible."""
        with missing(path, error):
            descriptor = open_below(self.files, path)
        with closing(descriptor):
            yield descriptor

    @contextmanager
    def parent(self, path: Path, error: type[PathError]) -> Iterator[int]:
        """Open the folder that holds a path. In the context, each segment of the path is fit for the disk."""
        if not path or len(path) > _DEEPEST or not all(map(is_name, path)):
            raise error(path, REASONS[error])
        with self.folder(path[:-1], error) as parent:
            yield parent

    def walk(self) -> Iterator[tuple[int, Path, os.stat_result]]:
        """Yield all files and folders, as `davfs.imports.descriptors.walk` does."""
        with closing(open_folder(self.files)) as files:
            yield from walk(files)

    @contextmanager
    def temporary(self) -> Iterator[DiskPath]:
        """Yield the path for a new file or link, which `place` gives its name; dropped at the end otherwise."""
        path = self._incoming / uuid.uuid4().hex
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def place(self, temporary: DiskPath, parent: int, path: Path, *, replace: bool) -> os.stat_result:
        """Give a complete temporary file or link its name, and return its status.

        Raises:
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            ParentMissing: The folder is gone.
        """
        status = temporary.lstat()
        with self._changing, _taken(path), missing(path, ParentMissing):
            if replace:
                os.rename(temporary, path[-1], dst_dir_fd=parent)
            else:
                os.link(temporary, path[-1], dst_dir_fd=parent, follow_symlinks=False)
            self._quota.note(path, _size(status))
        return status

    def link(self, target: str, parent: int, path: Path) -> os.stat_result:
        """Make a link, which replaces a file or another link, and return its status.

        Raises:
            IsAFolder: A folder of this name exists.
            ParentMissing: The folder is gone.
        """
        with suppress(FileExistsError), missing(path, ParentMissing):
            os.symlink(target, path[-1], dir_fd=parent)
            return os.lstat(path[-1], dir_fd=parent)
        with self.temporary() as temporary:
            temporary.symlink_to(target)
            return self.place(temporary, parent, path, replace=True)

    def make_folder(self, parent: int, path: Path) -> None:
        """Make a folder.

        Raises:
            AlreadyExists: The name is taken.
            ParentMissing: The folder that should hold it is gone.
        """
        with _taken(path), missing(path, ParentMissing):
            os.mkdir(path[-1], mode=0o700, dir_fd=parent)

    def remove(self, parent: int, path: Path, expected: os.stat_result) -> bool:
        """Remove the very file or link that has this status; False where it is gone, or another took its place."""
        with self._changing, suppress(FileNotFoundError):
            found = os.lstat(path[-1], dir_fd=parent)
            if os.path.samestat(found, expected) and found.st_mtime_ns == expected.st_mtime_ns:
                self._unlink(parent, path, found)
                return True
        return False

    def delete_file(self, parent: int, path: Path) -> None:
        """Remove a file or a link.

        Raises:
            NotFound: Nothing is there.
            Busy: It has become a folder.
        """
        try:
            with self._changing, missing(path, NotFound):
                os.unlink(path[-1], dir_fd=parent)
                self._quota.note(path, 0)
        except IsADirectoryError as error:
            raise Busy(path, "It was replaced by a folder while it was deleted.") from error

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
                for found in walk(folder, path):
                    self._drop(*found)
            with suppress(OSError):
                os.rmdir(path[-1], dir_fd=parent)
                return
        raise Busy(path, "The folder is being filled while it is deleted.")

    def _drop(self, parent: int, path: Path, status: os.stat_result) -> None:
        with self._changing, suppress(OSError):  # gone, filled, or replaced: the folder's own removal will tell
            self._unlink(parent, path, status)

    def _unlink(self, parent: int, path: Path, status: os.stat_result) -> None:
        unlink(parent, path[-1], status)
        self._quota.note(path, 0)


def check_names(path: Path) -> None:
    """Tell whether something may be kept at a path.

    Raises:
        BadName: A name, or the depth, does not allow it.
    """
    if len(path) > _DEEPEST:
        raise BadName(path, f"Folders can be nested {_DEEPEST} levels deep, and no deeper.")
    if not all(map(is_name, path)):
        raise BadName(path, "The inbox cannot keep a file or folder of this name.")


@contextmanager
def missing(path: Path, error: type[PathError]) -> Iterator[None]:
    """Raise ``error`` where a part of the path is not there, is no folder, or is a link."""
    try:
        yield
    except OSError as cause:
        if cause.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        raise error(path, REASONS[error]) from cause


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise what a disk that is full, or keeps shorter names, means for a path.

    Raises:
        NoSpace: The disk is full.
        BadName: The name is too long.
    """
    try:
        yield
    except OSError as cause:
        if cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(path, "The disk of the inbox is full.") from cause
        if cause.errno == errno.ENAMETOOLONG:  # some file systems keep less than LONGEST_NAME
            raise BadName(path, "The name is too long for the disk of the inbox.") from cause
        raise


@contextmanager
def _taken(path: Path) -> Iterator[None]:
    try:
        yield
    except IsADirectoryError as error:
        raise IsAFolder(path, REASONS[IsAFolder]) from error
    except FileExistsError as error:
        raise AlreadyExists(path, REASONS[AlreadyExists]) from error


def _size(status: os.stat_result) -> int:
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
