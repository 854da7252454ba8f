"""Turns errors of the operating system into errors about a path of the inbox."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

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
from davfs.spool.items import DEEPEST, is_name

REASONS: dict[type[PathError], str] = {
    NotFound: "Nothing is there.",
    NotAFolder: "This is a file, not a folder.",
    IsAFolder: "This is a folder, not a file.",
    AlreadyExists: "The name is taken.",
    ParentMissing: "The folder that should hold it does not exist.",
}
"""The reasons of errors that users see."""

FULL_DISK = "The disk of the inbox is full."


def check_names(path: Path, below: int = 0) -> None:
    """Check that a file or folder can be kept at a path.

    Args:
        path: Where.
        below: Levels of folders below it.

    Raises:
        BadName: A name, or the depth, does not allow it.
    """
    if len(path) + below > DEEPEST:
        raise BadName(path, f"Folders can be nested {DEEPEST} levels deep, and no deeper.")
    if not all(map(is_name, path)):
        raise BadName(path, "The inbox cannot keep a file or folder of this name.")


@contextmanager
def missing(path: Path, error: type[PathError]) -> Iterator[None]:
    """Raise ``error`` if a part of the path does not exist, is no folder, or is a link."""
    try:
        yield
    except OSError as cause:
        if cause.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        raise error(path, REASONS[error]) from cause


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise errors of the disk as errors about a path.

    Raises:
        NoSpace: The disk is full, or supports no more copies of this file.
        BadName: The name is too long.
        Busy: Another process removed a folder of the spool, which is made again.
    """
    try:
        yield
    except OSError as cause:
        if cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(path, FULL_DISK) from cause
        if cause.errno == errno.EMLINK:
            raise NoSpace(path, "There are too many copies of this file.") from cause
        if cause.errno == errno.ENAMETOOLONG:  # some file systems keep less than LONGEST_NAME
            raise BadName(path, "The name is too long for the disk of the inbox.") from cause
        if cause.errno == errno.ENOENT:
            raise Busy(path, "The inbox's folder was removed from the disk meanwhile. Try again.") from cause
        raise
