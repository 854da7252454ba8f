"""The drive as a WebDAV collection of Orthanc's own HTTP server."""

import logging
import unicodedata
from collections.abc import Sequence

from davfs.cache import LruSet
from davfs.doors.collection.error_codes import error_code
from davfs.doors.collection.memory_limit import QUIET_SECONDS, MemoryLimit
from davfs.entry import Content, Entry, EntryKind, Path
from davfs.errors import Forbidden, IsAFolder, NoSpace, NotAFolder, NotFound, PathError, TooLarge
from davfs.filesystem.drive import Drive
from davfs.sdk import core
from davfs.sdk.core import ErrorCode
from davfs.sdk.log import audit

MOUNT = "drive"
"""The one folder of the collection's root, which people mount: a request for the root itself kills Orthanc's core."""

_TOO_LARGE, _TOO_LARGE_SECONDS = 10_000, 60.0
"""Files that were too large, and are not opened again for so many seconds."""
_log = logging.getLogger(__name__)


class DriveCollection:
    """`davfs.sdk.callbacks.WebDavCollection` that shows a drive.

    Args:
        drive: The drive.
    """

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._limit = MemoryLimit(image=core.largest_response())
        self._too_large = LruSet[Path](_TOO_LARGE, lifetime=_TOO_LARGE_SECONDS)
        self._no_space = LruSet[type[NoSpace]](1, lifetime=QUIET_SECONDS)

    def stat(self, path: Path) -> Entry | None:
        """See `WebDavCollection`."""
        if not path:
            return self._mount()
        try:
            return self._drive.stat(_existing(path))
        except PathError:
            return None

    def check_size(self, path: Path, entry: Entry) -> None:
        """See `WebDavCollection`."""
        self._limit.check_shown(path, entry)

    def list_folder(self, path: Path) -> Sequence[Entry] | None:
        """See `WebDavCollection`."""
        if not path:
            return [self._mount()]
        try:
            return list(self._drive.list(_existing(path)))
        except (NotFound, NotAFolder):
            return None

    def _mount(self) -> Entry:
        return Entry(MOUNT, EntryKind.FOLDER, self._drive.stat(()).modified)

    def read_file(self, path: Path, user: str) -> Content | None:
        """See `WebDavCollection`."""
        try:
            if path in self._too_large:  # or Orthanc would read all of it, to be refused again
                self._limit.check_read(path, self._drive.stat(_existing(path)))
            content = self._drive.read(_existing(path))
        except (NotFound, IsAFolder):
            return None
        try:
            self._limit.check_read(path, content.entry)
        except TooLarge as error:
            self._too_large.add(path)
            with content:  # which closes it
                _audit(user, "read", content.entry.resource, error)
            raise
        _audit(user, "read", content.entry.resource)
        return content

    def write_file(self, path: Path, user: str, content: memoryview) -> bool:
        """See `WebDavCollection`."""
        try:
            entry = self._drive.write(_inside(path), content, user=user)
        except Forbidden as error:
            return _forbid(user, "write", error)
        except PathError as error:
            if isinstance(error, NoSpace) and NoSpace not in self._no_space:
                self._no_space.add(NoSpace)
                _log.warning("an upload was refused: %s", error.reason)
            _audit(user, "write", "", error)
            raise
        _audit(user, "write", entry.resource)
        return True

    def make_folder(self, path: Path, user: str) -> bool:
        """See `WebDavCollection`."""
        try:
            self._drive.make_folder(_inside(path), user=user)
        except Forbidden as error:
            return _forbid(user, "make folder", error)
        return True

    def delete_item(self, path: Path, user: str) -> bool:
        """See `WebDavCollection`."""
        try:
            resource = self._drive.delete(_existing(path))
        except Forbidden as error:
            return _forbid(user, "delete", error)
        _audit(user, "delete", resource)
        return True

    def error_code(self, error: Exception) -> ErrorCode | None:
        """See `WebDavCollection`."""
        return error_code(error)


def _inside(path: Path) -> Path:
    """Return the path below the mounted folder, in NFC (macOS sends NFD)."""
    if not path or path[0] != MOUNT:
        raise NotFound(path, "there is no such folder")
    return tuple(segment if segment.isascii() else unicodedata.normalize("NFC", segment) for segment in path[1:])


def _existing(path: Path) -> Path:
    """Return the path of something that exists, below the mounted folder. All its names are UTF-8."""
    if not all(segment.isascii() or _is_text(segment) for segment in path):
        raise NotFound(path, "there is nothing of that name")
    return _inside(path)


def _is_text(segment: str) -> bool:
    try:
        segment.encode()
    except UnicodeEncodeError:
        return False
    return True


def _audit(user: str, action: str, resource: str, error: PathError | None = None) -> None:
    """Write an audit line: who did what to which resource, and the result. It holds no names and no paths."""
    result = type(error).__name__ if error else "done"
    audit(user, action, resource, result)


def _forbid(user: str, action: str, error: Forbidden) -> bool:
    _audit(user, action, "", error)
    _log.info("%s refused: %s", action, error.reason)
    return False
