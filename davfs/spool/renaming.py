"""Renames files and folders, each by one system call."""

import ctypes
import errno
import os
from typing import TypeAlias

from davfs.entry import Path
from davfs.errors import Forbidden

Location: TypeAlias = tuple[int | None, Path]
"""An open folder, and a path whose last segment is a name in it; no folder if that segment is an absolute path."""

_CURRENT_FOLDER = -100  # AT_FDCWD, which an absolute path ignores
_EXCHANGE = 2  # RENAME_EXCHANGE
_LIBC = ctypes.CDLL(None, use_errno=True)


def rename(source: Location, target: Location) -> None:
    """Rename a file, link or folder; a file or link of that name is replaced.

    Raises:
        Forbidden: It is a folder, and the target is inside it.
        OSError: Anything else.
    """
    (parent, path), (target_parent, target_path) = source, target
    try:
        os.rename(path[-1], target_path[-1], src_dir_fd=parent, dst_dir_fd=target_parent)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise Forbidden(target_path, "A folder cannot be put into itself.") from error


def exchange(one: Location, other: Location) -> None:
    """Exchange two names, of files or folders; neither is missing at any moment.

    Raises:
        Forbidden: One is inside the other, or the file system cannot do it.
        OSError: Anything else.
    """
    try:
        _exchange(one, other)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EXDEV):
            raise
        raise Forbidden(other[1], "It cannot replace what is there: delete that first.") from error


def _exchange(one: Location, other: Location) -> None:
    """Call renameat2(2), which Python's os module does not have; glibc has it since 2.28."""
    try:
        renameat2 = _LIBC.renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if renameat2(*_arguments(one), *_arguments(other), ctypes.c_uint(_EXCHANGE)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _arguments(location: Location) -> tuple[int, bytes]:
    parent, path = location
    return _CURRENT_FOLDER if parent is None else parent, os.fsencode(path[-1])
