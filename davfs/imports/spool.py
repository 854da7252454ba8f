"""The real folder on disk behind inbox/: ordinary files, folders, and receipts for what Orthanc holds.

::

    root/files/      what the inbox shows, under the same names
    root/incoming/   files that are being written; emptied at every start

A receipt is a dangling symbolic link at the place of the file: its target names an instance of Orthanc and a size. So
listing, renaming and deleting need no second database, and replacing a file by its receipt is one atomic rename.

Nothing here follows a link: every path is walked from ``files`` through descriptors (``O_NOFOLLOW``). Something on the
disk that is neither a folder, a regular file nor a receipt is never shown, and never in the way. The same holds for
what has expired, until `Spool.expire` removes it.

The paths in errors are relative to ``files``.
"""

import errno
import io
import os
import re
import stat
import threading
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from mimetypes import guess_type
from pathlib import Path as DiskPath
from typing import Self

from davfs.entry import Content, Entry, Kind, Path
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
from davfs.orthanc import Buffer, OrthancId

LONGEST_NAME = 255
"""Bytes of UTF-8 that a name may have, which is what Linux keeps."""

_DEEPEST = 64
_BLOCK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ATTEMPTS = 3
_REASONS: dict[type[PathError], str] = {
    NotFound: "Nothing is there.",
    NotAFolder: "This is a file, not a folder.",
    IsAFolder: "This is a folder, not a file.",
    AlreadyExists: "The name is taken.",
    ParentMissing: "The folder that should hold it does not exist.",
}
_RECEIPT = re.compile(r"orthanc-instance:([0-9a-f]{8}(?:-[0-9a-f]{8}){4})\?size=(0|[1-9][0-9]{0,18})")
# Separators, control characters, and what XML 1.0 §2.2 cannot carry.
_ILLEGAL = re.compile("[\x00-\x1f\x7f-\x9f/\\\\\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Stands for a file that Orthanc holds.

    Attributes:
        instance: Orthanc's identifier of the instance.
        size: Bytes of the file that Orthanc serves.
    """

    instance: OrthancId
    size: int

    @property
    def target(self) -> str:
        """The receipt as the target of a link."""
        return f"orthanc-instance:{self.instance}?size={self.size}"


@dataclass(frozen=True, slots=True)
class Item:
    """A folder, an ordinary file, or a receipt."""

    entry: Entry
    receipt: Receipt | None = None


def is_name(name: str) -> bool:
    """Tell whether a name can be kept on the disk and shown by WebDAV.

    Names end without a dot: Orthanc's core strips those from requests, so such a name could never be asked for.
    """
    return (
        not name.endswith(".")
        and name != ""
        and not _ILLEGAL.search(name)
        and len(name.encode()) <= LONGEST_NAME
        and unicodedata.is_normalized("NFC", name)
    )


class Spool:
    """The files of the inbox.

    Args:
        root: Folder on disk; made where it is missing. No other process may use it.
        maximum_size: Bytes of all ordinary files together; 0 for no limit. Receipts count nothing.
        maximum_age: Seconds after which a file or a receipt expires.
        now: Clock, in seconds since the epoch.
    """

    def __init__(
        self, root: DiskPath, *, maximum_size: int, maximum_age: float, now: Callable[[], float] = time.time
    ) -> None:
        self._files = root / "files"
        self._incoming = root / "incoming"
        self._maximum_age = maximum_age
        self._now = now
        for folder in (root, self._files, self._incoming):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        self._quota = _Quota(maximum_size)
        self._start()

    def stat(self, path: Path) -> Item:
        """Return what is at a path.

        Raises:
            NotFound: Nothing is there.
        """
        if not path:
            return Item(_folder_entry("", self._files.stat()))
        with self._parent(path, NotFound) as parent:
            return self._find(parent, path)

    def list(self, path: Path) -> list[Item]:
        """Return what is in a folder, by name.

        Raises:
            NotFound: Nothing is there.
            NotAFolder: It is a file.
        """
        if not self.stat(path).entry.is_folder:
            raise NotAFolder(path, _REASONS[NotAFolder])
        with self._folder(path, NotFound) as folder:
            names = sorted(os.listdir(folder))  # noqa: PTH208  pathlib knows no descriptors
            items = [self._item(folder, name) for name in names if is_name(name)]
        return [item for item in items if item]

    def open(self, path: Path) -> Content:
        """Open an ordinary file; the caller closes it, as a context manager.

        Raises:
            NotFound: Nothing is there, or a receipt.
            IsAFolder: It is a folder.
        """
        with self._parent(path, NotFound) as parent:
            if self._find(parent, path).entry.is_folder:
                raise IsAFolder(path, _REASONS[IsAFolder])
            with _missing(path, NotFound):
                descriptor = os.open(path[-1], _READ, dir_fd=parent)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise NotFound(path, _REASONS[NotFound])
        return _OpenFile(os.fdopen(descriptor, "rb", buffering=0), _file_entry(path[-1], status))

    def check_write(self, path: Path, size: int = 0) -> None:
        """Raise what `write` of so many bytes would raise, as far as can be known before.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            NoSpace: The quota does not allow it.
        """
        _check_names(path)
        with self._parent(path, ParentMissing) as parent:
            item = self._item(parent, path[-1])
        if item and item.entry.is_folder:
            raise IsAFolder(path, _REASONS[IsAFolder])
        self._quota.check(path, size)

    def write(self, path: Path, content: Buffer, *, replace: bool = True) -> Item:
        """Keep a file durably: when this returns it has been synchronised to the disk.

        Args:
            path: Where to.
            content: All of its bytes.
            replace: Whether a file or a receipt of this name gives way.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            NoSpace: The quota, or the disk, does not allow it.
        """
        self.check_write(path)
        with self._quota.reserved(path, len(content)), _disk_errors(path), self._parent(path, ParentMissing) as parent:
            temporary = self._temporary()
            try:
                status = _write_synced(temporary, content)
                self._place(temporary, parent, path, replace=replace)
            finally:
                temporary.unlink(missing_ok=True)
            os.fsync(parent)
        return Item(_file_entry(path[-1], status))

    def put_receipt(self, path: Path, receipt: Receipt) -> Item:
        """Put a receipt at a path, replacing a file or another receipt.

        It is not synchronised: it holds no content, and Orthanc has the file whatever becomes of it.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
        """
        self.check_write(path)
        with _disk_errors(path), self._parent(path, ParentMissing) as parent:
            temporary = self._temporary()
            temporary.symlink_to(receipt.target)
            status = temporary.lstat()
            try:
                self._place(temporary, parent, path, replace=True)
            finally:
                temporary.unlink(missing_ok=True)
        return Item(_receipt_entry(path[-1], receipt, status), receipt)

    def drop_receipt(self, path: Path, receipt: Receipt) -> None:
        """Remove a receipt unless something else has taken its place."""
        with suppress(NotFound, FileNotFoundError), self._parent(path, NotFound) as parent:
            status = os.lstat(path[-1], dir_fd=parent)
            if _read_receipt(parent, path[-1]) == receipt:
                self._remove(parent, path, status)

    def make_folder(self, path: Path) -> None:
        """Make a folder.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            AlreadyExists: The name is taken.
        """
        _check_names(path)
        with _disk_errors(path), self._parent(path, ParentMissing) as parent:
            self._clear_hidden(parent, path)
            with _missing(path, ParentMissing):
                self._mkdir(parent, path)
            os.fsync(parent)

    def delete(self, path: Path) -> None:
        """Remove a file, a receipt, or a folder with all in it, from the leaves up.

        Raises:
            NotFound: Nothing is there.
            Busy: It was filled, or replaced, again and again meanwhile.
        """
        with self._parent(path, NotFound) as parent:
            if self._find(parent, path).entry.is_folder:
                self._delete_folder(parent, path)
            else:
                self._delete_file(parent, path)

    def expire(self) -> int:
        """Remove what is older than the maximum age, and folders that are old and empty; return how many."""
        with _closing(self._walk_to(())) as files:
            return sum(self._expire_one(*found) for found in _walk(files, ()))

    def _start(self) -> None:
        """Drop what was being written when the last process ended, and count the rest."""
        with _closing(os.open(self._incoming, _FOLDER)) as incoming:
            for folder, path, status in _walk(incoming, ()):
                _unlink(folder, path[-1], status)
        with _closing(self._walk_to(())) as files:
            for folder, path, _ in _walk(files, ()):
                self._account(folder, path)

    @contextmanager
    def _folder(self, path: Path, error: type[PathError]) -> Iterator[int]:
        """Open a folder without following links; ``error`` where that is not possible."""
        with _missing(path, error):
            descriptor = self._walk_to(path)
        with _closing(descriptor):
            yield descriptor

    @contextmanager
    def _parent(self, path: Path, error: type[PathError]) -> Iterator[int]:
        """Open the folder that holds a path. In the context, each segment of the path is fit for the disk."""
        if not path or len(path) > _DEEPEST or not all(map(is_name, path)):
            raise error(path, _REASONS[error])
        with self._folder(path[:-1], error) as parent:
            yield parent

    def _walk_to(self, path: Path) -> int:
        descriptor = os.open(self._files, _FOLDER)
        for name in path:
            try:
                inner = os.open(name, _FOLDER, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = inner
        return descriptor

    def _find(self, parent: int, path: Path) -> Item:
        item = self._item(parent, path[-1])
        if item is None:
            raise NotFound(path, _REASONS[NotFound])
        return item

    def _item(self, folder: int, name: str) -> Item | None:
        """Return what a name in an open folder shows, None where it shows nothing."""
        try:
            status = os.lstat(name, dir_fd=folder)
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(status.st_mode):
            return Item(_folder_entry(name, status))
        if self._is_old(status):
            return None
        if stat.S_ISREG(status.st_mode):
            return Item(_file_entry(name, status))
        receipt = _read_receipt(folder, name)
        return Item(_receipt_entry(name, receipt, status), receipt) if receipt else None

    def _is_old(self, status: os.stat_result) -> bool:
        return self._now() - status.st_mtime > self._maximum_age

    def _temporary(self) -> DiskPath:
        return self._incoming / uuid.uuid4().hex

    def _place(self, temporary: DiskPath, parent: int, path: Path, *, replace: bool) -> None:
        """Give a complete temporary file or link its name, in one step."""
        try:
            if replace:
                os.rename(temporary, path[-1], dst_dir_fd=parent)
            else:
                os.link(temporary, path[-1], dst_dir_fd=parent, follow_symlinks=False)
        except IsADirectoryError as error:
            raise IsAFolder(path, _REASONS[IsAFolder]) from error
        except FileExistsError as error:
            raise AlreadyExists(path, _REASONS[AlreadyExists]) from error
        except FileNotFoundError as error:
            raise ParentMissing(path, _REASONS[ParentMissing]) from error
        self._account(parent, path)

    def _mkdir(self, parent: int, path: Path) -> None:
        try:
            os.mkdir(path[-1], mode=0o700, dir_fd=parent)
        except FileExistsError as error:
            raise AlreadyExists(path, _REASONS[AlreadyExists]) from error

    def _remove(self, parent: int, path: Path, status: os.stat_result) -> bool:
        """Remove the very file or link that has this status: what took its place meanwhile is put back.

        Linux has no "unlink if it still is that one", and an acknowledged file must not fall to an old decision.
        """
        aside = self._temporary()
        aside.touch(mode=0o600)  # onto a file no folder can be renamed: folders stay where they are
        try:
            os.rename(path[-1], aside, src_dir_fd=parent)
            found = aside.lstat()
            same = os.path.samestat(found, status) and found.st_mtime_ns == status.st_mtime_ns
            if not same:
                with suppress(FileExistsError, FileNotFoundError):  # a newer one, or the folder went
                    os.link(aside, path[-1], dst_dir_fd=parent, follow_symlinks=False)
        except NotADirectoryError:
            return False
        finally:
            aside.unlink()
        self._account(parent, path)
        return same

    def _clear_hidden(self, parent: int, path: Path) -> None:
        with suppress(FileNotFoundError):
            status = os.lstat(path[-1], dir_fd=parent)
            if self._item(parent, path[-1]) is None:
                self._remove(parent, path, status)

    def _delete_file(self, parent: int, path: Path) -> None:
        try:
            with _missing(path, NotFound):
                os.unlink(path[-1], dir_fd=parent)
        except IsADirectoryError as error:
            raise Busy(path, "It was replaced by a folder while it was deleted.") from error
        self._account(parent, path)

    def _delete_folder(self, parent: int, path: Path) -> None:
        for _ in range(_ATTEMPTS):
            with _missing(path, NotFound):
                folder = os.open(path[-1], _FOLDER, dir_fd=parent)
            with _closing(folder):
                for inner, below, status in _walk(folder, path):
                    _unlink(inner, below[-1], status)
                    self._account(inner, below)
            with suppress(OSError):
                os.rmdir(path[-1], dir_fd=parent)
                return
        raise Busy(path, "The folder is being filled while it is deleted.")

    def _expire_one(self, folder: int, path: Path, status: os.stat_result) -> bool:
        if not self._is_old(status):
            return False
        with suppress(OSError):  # filled, or gone, meanwhile
            if not stat.S_ISDIR(status.st_mode):
                return self._remove(folder, path, status)
            os.rmdir(path[-1], dir_fd=folder)
            return True
        return False

    def _account(self, folder: int, path: Path) -> None:
        """Tell the quota what is at a path now."""
        try:
            status = os.lstat(path[-1], dir_fd=folder)
        except FileNotFoundError:
            self._quota.note(path, 0)
        else:
            self._quota.note(path, status.st_size if stat.S_ISREG(status.st_mode) else 0)


class _OpenFile:
    """An ordinary file, open for reading."""

    def __init__(self, file: io.FileIO, entry: Entry) -> None:
        self._file = file
        self.entry = entry

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Yield the bytes in blocks. Not mapped: a file that is cut off on the disk would end the process."""
        stop = self.entry.size if stop is None else min(stop, self.entry.size)
        while start < stop:
            block = os.pread(self._file.fileno(), min(_BLOCK, stop - start), start)
            if not block:
                return
            yield memoryview(block)
            start += len(block)


class _Quota:
    """Counts the bytes of ordinary files, those being written included."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._sizes: dict[Path, int] = {}
        self._used = 0
        self._lock = threading.Lock()

    def check(self, path: Path, size: int) -> None:
        with self._lock:
            self._check(path, size)

    @contextmanager
    def reserved(self, path: Path, size: int) -> Iterator[None]:
        with self._lock:
            self._check(path, size)
            self._used += size
        try:
            yield
        finally:
            with self._lock:
                self._used -= size

    def note(self, path: Path, size: int) -> None:
        with self._lock:
            self._used += size - self._sizes.pop(path, 0)
            if size:
                self._sizes[path] = size

    def _check(self, path: Path, size: int) -> None:
        needed = self._used + size - self._sizes.get(path, 0)
        if self._maximum and size and needed > self._maximum:
            raise NoSpace(path, "The inbox is full.")


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _walk(folder: int, path: Path) -> Iterator[tuple[int, Path, os.stat_result]]:
    """Yield all below an open folder, leaves first: the folder it is in, its path, its status before the descent."""
    for name in os.listdir(folder):
        try:
            status = os.lstat(name, dir_fd=folder)
            inner = os.open(name, _FOLDER, dir_fd=folder) if stat.S_ISDIR(status.st_mode) else None
        except OSError:  # gone meanwhile
            continue
        if inner is not None:
            with _closing(inner):
                yield from _walk(inner, (*path, name))
        yield folder, (*path, name), status


def _unlink(folder: int, name: str, status: os.stat_result) -> None:
    with suppress(OSError):  # gone, filled, or replaced meanwhile: the folder's own removal will tell
        if stat.S_ISDIR(status.st_mode):
            os.rmdir(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


def _write_synced(target: DiskPath, content: Buffer) -> os.stat_result:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        return os.fstat(file.fileno())


def _read_receipt(folder: int, name: str) -> Receipt | None:
    try:
        parsed = _RECEIPT.fullmatch(os.readlink(name, dir_fd=folder))
    except OSError:  # no link (any more)
        return None
    return Receipt(OrthancId(parsed[1]), int(parsed[2])) if parsed else None


def _check_names(path: Path) -> None:
    if len(path) > _DEEPEST:
        raise BadName(path, f"Folders can be nested {_DEEPEST} levels deep, and no deeper.")
    if not all(map(is_name, path)):
        raise BadName(path, "The inbox cannot keep a file or folder of this name.")


@contextmanager
def _missing(path: Path, error: type[PathError]) -> Iterator[None]:
    """Raise ``error`` where a part of the path is not there, is no folder, or is a link."""
    try:
        yield
    except OSError as cause:
        if cause.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        raise error(path, _REASONS[error]) from cause


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        if cause.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(path, "The disk of the inbox is full.") from cause
        if cause.errno == errno.ENAMETOOLONG:  # some file systems keep less than LONGEST_NAME
            raise BadName(path, "The name is too long for the disk of the inbox.") from cause
        raise


def _modified(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)


def _folder_entry(name: str, status: os.stat_result) -> Entry:
    return Entry(name, Kind.FOLDER, _modified(status))


def _file_entry(name: str, status: os.stat_result) -> Entry:
    etag = f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"
    media_type, encoding = guess_type(name)
    if media_type is None or encoding:  # "x.tar.gz" is no tar for whoever opens it
        media_type = "application/octet-stream"
    return Entry(name, Kind.FILE, _modified(status), status.st_size, etag, media_type)


def _receipt_entry(name: str, receipt: Receipt, status: os.stat_result) -> Entry:
    # With the receipt's date: Orthanc's "OverwriteInstances" may put another content under the same id.
    etag = f"{receipt.instance}-{status.st_mtime_ns:x}"
    return Entry(name, Kind.FILE, _modified(status), receipt.size, etag, "application/dicom", resource=receipt.instance)
