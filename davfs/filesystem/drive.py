"""The root of the drive: README.txt, and a folder for each area."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from davfs.audit.record import NOBODY, Client
from davfs.cache import LruSet
from davfs.checksums import Checksums
from davfs.derived.checksums import StoredChecksums
from davfs.entry import Content, Entry, EntryKind, Opened, Path
from davfs.errors import AlreadyExists, Forbidden, IsAFolder, NotAFolder, NotFound, ParentMissing
from davfs.filesystem.area import (
    AcceptsUploads,
    Area,
    Browsable,
    Deletable,
    HasProperties,
    HasQuota,
    HasStoredFiles,
    HasUploadRecords,
    Movable,
    QuotaUsage,
    Restorable,
    Upload,
    Writable,
)
from davfs.filesystem.layout_area import LayoutArea
from davfs.filesystem.readme import Readme
from davfs.filesystem.upload_records import UploadRecords
from davfs.orthanc import Buffer

README = "README.txt"
_OWN = "the drive's own folders cannot be changed"
_UPLOAD_REFUSED = "somebody has just tried to replace this file, which cannot be: wait a minute before it is deleted"
_REPLACED = (
    "another image has the same name and size in the layout now, and a program may take the two for the same: "
    "delete the whole folder in the trash instead"
)
PROTECTED_UPLOADS = 10_000
PROTECTED_SECONDS = 30.0
"""Seconds for which a file is not deleted after its replacement was refused: rclone takes it for its failed upload."""
_READ_ONLY = "files can be written into inbox/ only"
_FROM_ARCHIVE = "the archive's folders are made from its images, nothing can be put there: DICOM goes into inbox/"
_RESTORED = "what is in the trash can be moved into the folders of the archive: it returns to where it was"
_NO_MOVE = "nothing can be moved out of the archive's folders: copy it to a disk of your own"
_NO_COPY = "what is in the archive's folders is in the archive: copying it into the inbox would change nothing"


class RefusedUploads(Protocol):
    """Paths whose upload was refused less than `PROTECTED_SECONDS` ago."""

    def add(self, path: Path, /) -> None:
        """Keep a path for so many seconds."""

    def __contains__(self, path: Path, /) -> bool:
        """Return True if the path is kept."""


class Drive:
    """The drive: an `Area` that passes each call on to the area of the path's first segment.

    Args:
        areas: The areas by the names of their folders; they can be replaced at any time, see `Swappable`.
        readme: Writes README.txt.
        since: Date of entries that have no date of their own, in UTC.
        read_only: Why nothing can be changed in any area; empty if each area decides.
        refused: Uploads that were refused; by default, those that this drive has refused.
        stored: Checksums of Orthanc's stored files; None if they are not known.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what it is made of
        self,
        areas: Mapping[str, Area],
        readme: Readme,
        since: datetime,
        read_only: str = "",
        refused: RefusedUploads | None = None,
        stored: StoredChecksums | None = None,
    ) -> None:
        self._stored = stored
        self._read_only = read_only
        self._areas = areas
        self._readme = readme
        self._since = since
        self._refused = LruSet[Path](PROTECTED_UPLOADS, lifetime=PROTECTED_SECONDS) if refused is None else refused

    @property
    def is_read_only(self) -> bool:
        """True if nothing can be changed in any area."""
        return bool(self._read_only)

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        if not path:
            return Entry("", EntryKind.FOLDER, self._since)
        if path == (README,):
            return self._open_readme().entry
        area, below = self._area(path)
        return area.stat(below) if below else Entry(path[0], EntryKind.FOLDER, self._since)

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        if not path:
            folders = (Entry(name, EntryKind.FOLDER, self._since) for name in self._areas)
            return [self._open_readme().entry, *folders]
        if path == (README,):
            raise NotAFolder(path, f"{README} is a file")
        area, below = self._area(path)
        return area.list(below)

    def browse(self, path: Path) -> tuple[Entry, Iterable[Entry] | None]:
        """See `Browsable`; areas that are not browsable are asked twice."""
        area: Browsable | None = self._area_with(Browsable, path)
        if area is not None and len(path) > 1:
            return area.browse(path[1:])
        entry = self.stat(path)
        return entry, self.list(path) if entry.is_folder else None

    def read(self, path: Path) -> Content:
        """See `Area`."""
        if path == (README,):
            return self._open_readme()
        if len(path) < 2:  # noqa: PLR2004  the root and the areas are folders
            self.stat(path)
            raise IsAFolder(path, "it is a folder")
        area, below = self._area(path)
        return area.read(below)

    def write(self, path: Path, content: Buffer, *, user: str = "") -> Entry:
        """See `Writable`."""
        area, below = self._changeable(path)
        if not isinstance(area, Writable):
            self._refused.add(path)
            raise Forbidden(path, _READ_ONLY)
        return area.write(below, content, user=user)

    def receive(self, path: Path, size: int | None = None, *, user: str = "") -> Upload:
        """See `AcceptsUploads`."""
        _, below = self._changeable(path)
        area: AcceptsUploads | None = self._area_with(AcceptsUploads, path)
        if area is None:
            self._refused.add(path)
            raise Forbidden(path, _READ_ONLY)
        return area.receive(below, size, user=user)

    def takes_files(self, path: Path) -> bool:
        """See `AcceptsUploads`."""
        area: AcceptsUploads | None = None if self._read_only else self._area_with(AcceptsUploads, path)
        return area is not None and area.takes_files(path[1:])

    def quota(self, path: Path) -> QuotaUsage | None:
        """Return how full the area of a path is; None if it has no quota. That of the root is the inbox's."""
        if not path:
            areas = (self._area_with(HasQuota, (name,)) for name in self._areas)
            return next((area.quota() for area in areas if area is not None), None)
        area: HasQuota | None = self._area_with(HasQuota, path)
        return area.quota() if area is not None else None

    def checksums(self, folder: Path, entries: Sequence[Entry]) -> Mapping[str, Checksums]:
        """Return the known checksums of files in a folder, by name; those of a derived file are never known.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        if (records := self.upload_records(folder)) is not None:
            return records.checksums(folder[1:], entries)
        stored = self._stored_in(folder)
        return stored.of(entries) if stored else {}

    def is_current(self, path: Path, entry: Entry) -> bool:
        """Return True unless the file at a path has been replaced in Orthanc.

        What was opened before has this entry's entity tag then.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        stored = self._stored_in(path)
        return stored is None or stored.is_current(entry)

    def _stored_in(self, path: Path) -> StoredChecksums | None:
        area: HasStoredFiles | None = self._area_with(HasStoredFiles, path)
        return area.stored() if area is not None else self._stored

    def upload_records(self, path: Path) -> UploadRecords | None:
        """Return what clients have told about their uploads to the area of a path; None if it is not kept."""
        area: HasUploadRecords | None = self._area_with(HasUploadRecords, path)
        return area.upload_records() if area is not None else None

    def properties_area(self, path: Path) -> HasProperties | None:
        """Return the area of a path if it keeps dead properties, or None."""
        area: HasProperties | None = self._area_with(HasProperties, path)
        return area

    def move(self, source: Path, target: Path, *, replace: bool, user: str = "") -> Path:
        """See `Movable`; what is moved out of the trash into a layout is restored.

        Returns:
            The path where it is now: the target, or where it was before it was deleted.
        """
        trash: Restorable | None = self._area_with(Restorable, source)
        if trash is not None:
            return self._restore(trash, source, target)
        area = self._movable(source, target, _NO_MOVE)
        area.move(source[1:], target[1:], replace=replace, user=user)
        return target

    def _restore(self, trash: Restorable, source: Path, target: Path) -> Path:
        self._check_open(source)
        if len(source) < 2:  # noqa: PLR2004  the areas stay as they are
            raise Forbidden(source, _OWN)
        area, _ = self._changeable(target)
        if not isinstance(area, LayoutArea):
            self.stat(source)
            raise Forbidden(target, _RESTORED)
        _, former = trash.restore(source[1:])
        return former

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """See `Movable`."""
        is_trashed = self._area_with(Restorable, source) is not None
        area = self._movable(source, target, _RESTORED if is_trashed else _NO_COPY)
        area.copy(source[1:], target[1:], replace=replace, deep=deep)

    def make_folder(self, path: Path, *, user: str = "") -> None:
        """See `Writable`."""
        self._check_open(path)
        if len(path) <= 1 and (not path or path[0] in self._areas):
            raise AlreadyExists(path, "it exists")
        area, below = self._changeable(path)
        if not isinstance(area, Writable):
            raise Forbidden(path, "folders can be made in inbox/ and search/ only")
        area.make_folder(below, user=user)

    def delete(self, path: Path, *, by: Client = NOBODY) -> str:
        """See `Deletable`."""
        self._check_open(path)
        if len(path) < 2:  # noqa: PLR2004  the root and the areas stay as they are
            self.stat(path)
            raise Forbidden(path, _OWN)
        if path in self._refused:
            raise Forbidden(path, _UPLOAD_REFUSED)
        area, below = self._area(path)
        if not isinstance(area, Deletable):
            raise Forbidden(path, "nothing can be deleted here")
        trash: Restorable | None = self._area_with(Restorable, path)
        if trash is not None:
            self._check_replaced(trash, path)
        return area.delete(below, by=by)

    def _check_replaced(self, trash: Restorable, path: Path) -> None:
        """Refuse to delete a file for good while the layout shows another image of its name and size.

        rclone, and others that compare names and sizes, take the two for the same, and delete the one that they were
        asked to move back.
        """
        with suppress(NotFound):  # a folder goes with the last of its content
            entry = self.stat(path)
            if entry.is_folder or not entry.resource:
                return
            shown = self.stat(trash.former(path[1:]))
            if not shown.is_folder and shown.size == entry.size:
                raise Forbidden(path, _REPLACED)

    def _area_with(self, protocol: type, path: Path) -> Any:  # the protocol, or None
        area = self._areas.get(path[0]) if path else None
        return area if area is not None and _implements(type(area), protocol) else None

    def _check_open(self, path: Path) -> None:
        if self._read_only:
            raise Forbidden(path, self._read_only)

    def _changeable(self, path: Path) -> tuple[Area, Path]:
        self._check_open(path)
        if len(path) < 2:  # noqa: PLR2004  the root and the areas stay as they are
            raise Forbidden(path, _OWN)
        try:
            return self._area(path)
        except NotFound:
            raise ParentMissing(path, f"there is no folder {path[0]}") from None

    def _movable(self, source: Path, target: Path, reason: str) -> Movable:
        """Return the area of two paths; raise `Forbidden` with this reason if they are in different areas."""
        self._check_open(source)
        if len(source) < 2:  # noqa: PLR2004  the root and the areas stay as they are
            self.stat(source)
            raise Forbidden(source, _OWN)
        source_area, _ = self._area(source)
        area, _ = self._changeable(target)
        if area is source_area and isinstance(area, Movable):
            return area
        self.stat(source)
        raise Forbidden(target, reason if isinstance(area, AcceptsUploads) else _FROM_ARCHIVE)

    def _area(self, path: Path) -> tuple[Area, Path]:
        area = self._areas.get(path[0])
        if area is None:
            raise NotFound(path, "there is no such folder")
        return area, path[1:]

    def _open_readme(self) -> Opened:
        text = memoryview(self._readme.text().encode())
        return Opened(Entry(README, EntryKind.FILE, self._since, media_type="text/plain"), nullcontext(text))


@cache
def _implements(area: type, protocol: type) -> bool:
    """Return True if an area's class implements a Protocol; cached, for ``isinstance`` takes longer than most calls."""
    return issubclass(area, protocol)
