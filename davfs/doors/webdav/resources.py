"""Files and folders of the drive in the interface of WsgiDAV, which does LOCK, UNLOCK, PROPPATCH and OPTIONS."""

from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element, tostring

from wsgidav.dav_provider import _DAVResource

from davfs import checksums
from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ, user_of
from davfs.doors.webdav.http_errors import HttpError, as_http_errors
from davfs.doors.webdav.multistatus import CHECKSUMS
from davfs.doors.webdav.upload_headers import parse_upload_date
from davfs.entry import Entry, Path
from davfs.errors import AlreadyExists
from davfs.filesystem.area import HasProperties
from davfs.filesystem.drive import Drive
from davfs.spool.files import UPLOAD_RECORD

_PLANNED = "davfs.properties"
"""Key of the properties that a request is going to set."""
_MODIFIED = "{DAV:}lastmodified"
"""The date of a file where clients of ownCloud set it: ``getlastmodified`` is protected (RFC 4918 §15.7)."""
_WIN32 = "{urn:schemas-microsoft-com:}"


class DriveResource(_DAVResource):
    """A file or folder.

    Args:
        path: Its path.
        environ: The request.
        entry: Its entry.
    """

    provider: Any
    environ: Environ

    def __init__(self, path: Path, environ: Environ, entry: Entry) -> None:
        super().__init__(paths.joined(path), entry.is_folder, environ)
        self._segments = path
        self._entry = entry
        self._drive: Drive = self.provider.context.drive

    def get_ref_url(self) -> str:
        """Return the key for locks and properties."""
        return paths.quoted(self._segments, folder=self._entry.is_folder)

    def get_content_length(self) -> int:
        return self._entry.size

    def support_ranges(self) -> bool:
        return True

    def prevent_locking(self) -> bool:
        return not is_lockable(self._drive, self._segments, self._entry)

    def set_property_value(self, name: str, value: Element | None, *, dry_run: bool = False) -> None:
        """Set a dead property (RFC 4918 §4), or remove it; ignore those that Explorer sets after each upload.

        Args:
            name: In Clark's notation.
            value: Its element; None to remove it, which is no error if it does not exist.
            dry_run: Check it together with the others of the request, and change nothing.

        Raises:
            DAVError: The property is protected, nothing can be set here, or there is no space for it.
        """
        if name.startswith(_WIN32):
            return
        area = self._drive.properties_area(self._segments)
        if area is None or not _takes_files(self._drive, self._segments, self._entry):
            raise HttpError(HTTPStatus.FORBIDDEN, "Properties can be set in inbox/ only.")
        if name == _MODIFIED and value is not None:
            self._set_modified(value, dry_run=dry_run)
            return
        if name.startswith("{DAV:}") or name == UPLOAD_RECORD:
            super().set_property_value(name, value)  # which refuses it
        if name == CHECKSUMS:
            self._compare_checksums(value)
            return
        with as_http_errors():
            if value is not None:
                self._set_property(area, name, value, dry_run=dry_run)
            elif not dry_run:
                area.properties().drop(self._segments[1:], name)

    def _set_modified(self, value: Element, *, dry_run: bool) -> None:
        """Change the date of a file in the form of ownCloud, which rclone does if the drive has not taken it."""
        records, modified = self._drive.upload_records(self._segments), parse_upload_date(value.text or "")
        if records is None or modified is None or self._entry.is_folder:
            raise HttpError(HTTPStatus.FORBIDDEN, "This date cannot be set.")
        with as_http_errors():
            user = user_of(self.environ)
            if not dry_run and not records.change_date(self._segments[1:], self._entry, modified, user):
                raise HttpError(HTTPStatus.INSUFFICIENT_STORAGE, "There is no room for the date.")

    def _compare_checksums(self, value: Element | None) -> None:
        """Take no checksum from a client but the known one, which rclone sends back together with a date."""
        known = self._drive.checksums(self._segments[:-1], [self._entry]).get(self._entry.name, {})
        try:
            told = checksums.parse("" if value is None else " ".join(value.itertext()))
        except ValueError:
            told = {}
        if not told or any(known.get(each) != digest for each, digest in told.items()):
            raise HttpError(HTTPStatus.FORBIDDEN, "Checksums are computed from the files, and cannot be set.")

    def _set_property(self, area: HasProperties, name: str, value: Element, *, dry_run: bool) -> None:
        value.tail = None  # text that follows it in the request
        path, user = self._segments[1:], user_of(self.environ)
        if not dry_run:
            area.set_property(path, name, tostring(value), user)
            return
        planned: dict[str, bytes] = self.environ.setdefault(_PLANNED, {})
        planned[name] = tostring(value)  # each by itself would pass, and some fail in the end (§9.2)
        area.check_properties(path, planned, user)

    def create_empty_resource(self, name: str) -> "DriveResource":
        """Create the empty file for a LOCK on a free name (RFC 4918 §9.10.4)."""
        self.provider.check_locks(self._segments, self.environ)
        path = (*self._segments, name)
        try:
            with self._drive.receive(path, 0, user=user_of(self.environ)) as upload:
                entry = upload.finish(replace=False)
        except AlreadyExists:  # another request was faster: its file gets the lock
            entry = self._drive.stat(path)
        return DriveResource(path, self.environ, entry)


def is_lockable(drive: Drive, path: Path, entry: Entry) -> bool:
    """Return True if a resource can be locked: where files can be written, except inbox/ itself, which all share.

    In layouts these are files that clients wrote, and no folders or images, which others may need to delete.
    """
    if len(path) < 2 or not _takes_files(drive, path, entry):  # noqa: PLR2004  the root and the areas
        return False
    return drive.properties_area(path) is not None or not (entry.is_folder or entry.steady)


def _takes_files(drive: Drive, path: Path, entry: Entry) -> bool:
    return drive.takes_files(path if entry.is_folder else path[:-1])
