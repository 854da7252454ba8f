"""The drive as a WebDAV collection of Orthanc's own HTTP server."""

import logging
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from davfs.audit.record import AuditAction, Client
from davfs.audit.trail import AuditTrail
from davfs.cache import LruSet
from davfs.doors.access_report import AccessReport, action_of, wants_listing
from davfs.doors.collection.error_codes import error_code
from davfs.doors.collection.memory_limit import QUIET_SECONDS, MemoryLimit
from davfs.doors.collection.recorded_content import RecordedContent
from davfs.entry import Content, Entry, EntryKind, Path
from davfs.errors import Forbidden, IsAFolder, NoSpace, NotAFolder, NotFound, OrthancError, PathError, TooLarge
from davfs.filesystem.drive import Drive
from davfs.imports.report import reported_imports
from davfs.sdk import core
from davfs.sdk.core import ErrorCode

MOUNT = "drive"
"""The one folder of the collection's root, which people mount: a request for the root itself kills Orthanc's core."""

_TOO_LARGE, _TOO_LARGE_SECONDS = 10_000, 60.0
"""Files that were too large, and are not opened again for so many seconds."""
_log = logging.getLogger(__name__)


class DriveCollection:
    """`davfs.sdk.callbacks.WebDavCollection` that shows a drive.

    Args:
        drive: The drive.
        audit: The audit trail.
    """

    def __init__(self, drive: Drive, audit: AuditTrail) -> None:
        self._drive = drive
        self._audit = audit
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

    def list_folder(self, path: Path, client: Client) -> Sequence[Entry] | None:
        """See `WebDavCollection`."""
        if not path:
            return [self._mount()]
        try:
            inside = _existing(path)
            if wants_listing(self._audit, inside):
                return self._list_recorded(inside, client)
            return list(self._drive.list(inside))
        except (NotFound, NotAFolder):
            return None

    def _list_recorded(self, path: Path, client: Client) -> Sequence[Entry] | None:
        report = AccessReport(AuditAction.LIST)
        entry, listed = self._drive.browse(path)
        if listed is None:
            return None
        entries = list(listed)
        report.listed(path, entry, entries)
        self._record(report, client)
        return entries

    def _mount(self) -> Entry:
        return Entry(MOUNT, EntryKind.FOLDER, self._drive.stat(()).modified)

    def read_file(self, path: Path, client: Client) -> Content | None:
        """See `WebDavCollection`; the access is recorded when the content is closed."""
        report = AccessReport(AuditAction.READ)
        try:
            with self._recorded(report, client):
                content = self._open(path, report)
        except (NotFound, IsAFolder):
            return None
        return RecordedContent(content, report, lambda ended: self._record(ended, client))

    def _open(self, path: Path, report: AccessReport) -> Content:
        """Open a file that is not too large."""
        inside = _existing(path)
        if path in self._too_large:  # or Orthanc would read all of it, to be refused again
            self._limit.check_read(path, self._drive.stat(inside))
        content = self._drive.read(inside)
        report.opened(inside, content)
        try:
            self._limit.check_read(path, content.entry)
        except TooLarge:
            self._too_large.add(path)
            with content:  # which closes it
                raise
        return content

    def write_file(self, path: Path, client: Client, content: memoryview) -> bool:
        """See `WebDavCollection`."""
        report = AccessReport(action_of("PUT", path[1:]), bytes=len(content))
        try:
            with self._recorded(report, client), reported_imports() as imported:
                try:
                    report.done(self._drive.write(_inside(path), content, user=client.user))
                finally:
                    report.imported(imported)
        except Forbidden as error:
            return _forbid("write", error)
        except NoSpace as error:
            if NoSpace not in self._no_space:
                self._no_space.add(NoSpace)
                _log.warning("an upload was refused: %s", error.reason)
            raise
        self._record(report, client)
        return True

    def make_folder(self, path: Path, client: Client) -> bool:
        """See `WebDavCollection`."""
        try:
            self._drive.make_folder(_inside(path), user=client.user)
        except Forbidden as error:
            return _forbid("make folder", error)
        return True

    def delete_item(self, path: Path, client: Client) -> bool:
        """See `WebDavCollection`."""
        report = AccessReport(action_of("DELETE", path[1:]))
        try:
            with self._recorded(report, client):
                inside = _existing(path)
                with suppress(PathError, OrthancError):  # deleting it says better what is wrong
                    report.foreseen(self._drive.stat(inside), self._audit)
                report.deleted(self._drive.delete(inside, by=client))
        except Forbidden as error:
            return _forbid("delete", error)
        self._record(report, client)
        return True

    @contextmanager
    def _recorded(self, report: AccessReport, client: Client) -> Iterator[None]:
        """Record the access if it fails."""
        try:
            yield
        except IsAFolder:
            raise
        except Exception as error:
            report.failed(error)
            self._record(report, client)
            raise

    def _record(self, report: AccessReport, client: Client) -> None:
        record = report.record(client)
        if record is not None:
            self._audit.record(record)

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


def _forbid(action: str, error: Forbidden) -> bool:
    _log.info("%s refused: %s", action, error.reason)
    return False
