"""Opens files and folders by descriptors; no link is followed, even if another process changes the disk meanwhile."""

import errno
import fcntl
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.orthanc import Buffer

_DEEPEST = 100
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # O_NONBLOCK: a pipe must not hang its reader
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Close a descriptor at the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_folder(name: str | DiskPath, parent: int | None = None) -> int:
    """Open a folder, by its name in an open one or by its whole path; the caller closes the descriptor.

    Raises:
        OSError: It does not exist, or is not a folder.
    """
    return os.open(name, _FOLDER, dir_fd=parent)


def open_below(root: DiskPath, path: Path) -> int:
    """Open a folder below another one, segment by segment; the caller closes the descriptor.

    Raises:
        OSError: A part of the path does not exist, or is not a folder.
    """
    descriptor = open_folder(root)
    for name in path:
        with closing(descriptor) as parent:
            descriptor = open_folder(name, parent)
    return descriptor


def current_path(root: DiskPath, folder: int, name: str) -> Path | None:
    """Return the path of a name in an open folder, relative to a root: the folder may have been moved meanwhile.

    Args:
        root: The root, without a link in its path.
        folder: The open one.
        name: The name.

    Returns:
        The path; None if the folder is not below the root any more.
    """
    where = _where(folder)
    above, _, below = where.partition(str(root))
    return None if above or below[:1] not in ("", "/") else (*below.split("/")[1:], name)


def _where(folder: int) -> str:
    """Return the path of an open folder."""
    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(folder, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    return os.readlink(f"/proc/self/fd/{folder}")  # noqa: PTH115  six times as fast, at every name that goes


def open_file(parent: int | None, name: str) -> io.FileIO:
    """Open a regular file for reading; the caller closes it.

    Raises:
        OSError: It does not exist, or is not a regular file.
    """
    descriptor = os.open(name, _READ, dir_fd=parent)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "no regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def new_file(target: DiskPath) -> io.FileIO:
    """Make a file for its owner alone, open for writing and reading; the caller closes it.

    Raises:
        OSError: It cannot be made.
    """
    return os.fdopen(os.open(target, _NEW, 0o600), "w+b", buffering=0)


def write_all(file: io.FileIO, content: Buffer) -> None:
    """Append all of a buffer, by several system calls if necessary.

    Raises:
        OSError: It could not be written.
    """
    with memoryview(content) as rest:
        done = 0
        while done < len(rest):
            done += file.write(rest[done:])


def write_synced(target: DiskPath, content: Buffer) -> None:
    """Make a file, and synchronise its content to the disk.

    Raises:
        OSError: It could not be written.
    """
    with new_file(target) as file:
        write_all(file, content)
        os.fsync(file.fileno())


def walk(folder: int, path: Path = ()) -> Iterator[tuple[int, Path, os.stat_result]]:
    """Yield all below an open folder, leaves first: its parent folder, its path, and its status before the descent.

    Folders that are nested deeper than clients can nest them are not descended into.
    """
    for name in os.listdir(folder):
        try:
            status = os.lstat(name, dir_fd=folder)
            descend = stat.S_ISDIR(status.st_mode) and len(path) < _DEEPEST
            inner = open_folder(name, folder) if descend else None
        except OSError:  # gone meanwhile
            continue
        if inner is not None:
            with closing(inner):
                yield from walk(inner, (*path, name))
        yield folder, (*path, name), status


def empty(folder: DiskPath) -> None:
    """Remove all in a folder, as far as that is possible.

    Raises:
        OSError: The folder cannot be opened.
    """
    with closing(open_folder(folder)) as descriptor:
        for parent, path, status in walk(descriptor):
            with suppress(OSError):
                unlink(parent, path[-1], status)


def unlink(parent: int | None, name: str, status: os.stat_result) -> None:
    """Remove a name that had this status: an empty folder, or anything else.

    Raises:
        OSError: It is gone, replaced or filled meanwhile.
    """
    if stat.S_ISDIR(status.st_mode):
        os.rmdir(name, dir_fd=parent)
    else:
        os.unlink(name, dir_fd=parent)
