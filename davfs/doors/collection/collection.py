"""The drive behind the six callbacks."""

import logging
import threading
import unicodedata
from collections.abc import Sequence

from davfs.doors.collection.error_codes import error_code
from davfs.doors.collection.memory_limit import LogThrottle, MemoryLimit
from davfs.entry import Content, Entry, EntryKind, Path
from davfs.errors import Forbidden, IsAFolder, NoSpace, NotAFolder, NotFound, PathError, TooLarge
from davfs.filesystem.drive import Drive
from davfs.filesystem.recent import Recent
from davfs.sdk import core
from davfs.sdk.callbacks import Request
from davfs.sdk.core import ErrorCode
from davfs.sdk.log import audit

MOUNT = "drive"
"""The one folder of the collection's root, which is what people mount: a request for the root itself kills the core."""

_REMEMBERED = 60.0
"""Seconds in which a file that was too large is not opened again."""
_log = logging.getLogger(__name__)


class DriveCollection:
    """`davfs.sdk.callbacks.WebDavCollection` over a drive.

    Args:
        drive: What is behind the door.
    """

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._limit = MemoryLimit(image=core.largest_answer())
        self._too_large = Recent(_REMEMBERED)
        self._no_space = LogThrottle()
        self._asked: dict[int, tuple[Path, Entry]] = {}

    def is_folder(self, path: Path, request: Request) -> bool:
        """See `WebDavCollection`. Called in each PROPFIND, unless `list_folder` has found a folder before."""
        if not path:
            return True
        try:
            entry = self._drive.stat(_existing(path))
        except PathError:
            return False
        if not entry.is_folder and request.depth is not None:
            self._asked[threading.get_ident()] = path, entry
        return entry.is_folder

    def list_folder(self, path: Path, request: Request) -> Sequence[Entry] | None:  # noqa: ARG002  WebDavCollection's form
        """See `WebDavCollection`. What a PROPFIND with depth 1 asks first."""
        if not path:
            return [Entry(MOUNT, EntryKind.FOLDER, self._drive.stat(()).modified)]
        try:
            return list(self._drive.list(_existing(path)))
        except (NotFound, NotAFolder):
            return None

    def read_file(self, path: Path, request: Request) -> Content | Entry | None:
        """See `WebDavCollection`. The only callback of GET and HEAD, and the second of a PROPFIND on a file.

        The core asks for the whole content in each case. It is a PROPFIND, which needs the size alone, where this very
        thread has just been told that the path is no folder, in answer to a request with a Depth header. Both have to
        hold, so that no GET can ever be answered without its bytes.
        """
        asked, entry = self._asked.pop(threading.get_ident(), (None, None))
        if asked == path and entry is not None:
            self._limit.check_shown(path, entry)
            return entry
        return self._read(path, request)

    def _read(self, path: Path, request: Request) -> Content | None:
        try:
            if self._too_large.has(path):  # or Orthanc would read all of it, to be refused once more
                self._limit.check_read(path, self._drive.stat(_existing(path)))
            content = self._drive.read(_existing(path))
        except (NotFound, IsAFolder):
            return None
        try:
            self._limit.check_read(path, content.entry)
        except TooLarge as error:
            self._too_large.note(path)
            with content:  # which closes it
                _record(request, "read", content.entry.resource, error)
            raise
        _record(request, "read", content.entry.resource)
        return content

    def write_file(self, path: Path, request: Request, content: memoryview) -> bool:
        """See `WebDavCollection`."""
        try:
            entry = self._drive.write(_inside(path), content)
        except Forbidden as error:
            return _forbid(request, "write", error)
        except PathError as error:
            if isinstance(error, NoSpace) and self._no_space.is_due():
                _log.warning("an upload was refused: %s", error.reason)
            _record(request, "write", "", error)
            raise
        _record(request, "write", entry.resource)
        return True

    def make_folder(self, path: Path, request: Request) -> bool:
        """See `WebDavCollection`."""
        try:
            self._drive.make_folder(_inside(path), user=request.user)
        except Forbidden as error:
            return _forbid(request, "make folder", error)
        return True

    def delete_item(self, path: Path, request: Request) -> bool:
        """See `WebDavCollection`."""
        try:
            resource = self._drive.delete(_existing(path))
        except Forbidden as error:
            return _forbid(request, "delete", error)
        _record(request, "delete", resource)
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
    """Return the path below the mounted folder; nothing that exists has a name that is no UTF-8."""
    if not all(segment.isascii() or _is_text(segment) for segment in path):
        raise NotFound(path, "there is nothing of that name")
    return _inside(path)


def _is_text(segment: str) -> bool:
    try:
        segment.encode()
    except UnicodeEncodeError:
        return False
    return True


def _record(request: Request, action: str, resource: str, error: PathError | None = None) -> None:
    """Write an audit line: who did what to which resource, and what came of it. Names and paths stay out."""
    result = type(error).__name__ if error else "done"
    audit(request.user, action, resource, result)


def _forbid(request: Request, action: str, error: Forbidden) -> bool:
    _record(request, action, "", error)
    _log.info("%s refused: %s", action, error.reason)
    return False
