"""The whole drive: a README, and one folder for each area."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import datetime
from functools import cache
from typing import cast

from davfs.entry import Content, Entry, EntryKind, Opened, Path
from davfs.errors import AlreadyExists, Forbidden, IsAFolder, NotAFolder, NotFound, ParentMissing
from davfs.filesystem.area import (
    Area,
    Deletable,
    HasProperties,
    HasQuota,
    Movable,
    QuotaUsage,
    Receiving,
    Upload,
    Writable,
)
from davfs.filesystem.readme import Readme
from davfs.filesystem.recent_paths import RecentPaths
from davfs.orthanc import Buffer

README = "README.txt"
_OWN = "the drive's own folders cannot be changed"
_NO_HALF_UPLOAD = "somebody has just tried to replace this file, which cannot be: wait a minute before it is deleted"
_WARY = 30.0
"""Seconds in which nothing is deleted that could not be replaced: rclone takes what is there for half of its upload."""
_READ_ONLY = "files can be written into inbox/ only"
_MADE = "the archive's folders are made from its images, nothing can be put there: DICOM goes into inbox/"
_NOT_OUT = "nothing can be moved out of the archive's folders: copy it to a disk of your own"
_POINTLESS = "what is in the archive's folders is in the archive: copying it into the inbox would change nothing"


class Drive:
    """The drive's root: itself an area, which can be written where its areas can.

    Args:
        areas: The folders at the root, by name; others may take their place at any time (`davfs.filesystem.swappable`).
        readme: Writes the text at the root.
        since: Date of what has no date of its own, in UTC.
        read_only: Why nothing can be changed in any area; empty where areas decide for themselves.
    """

    def __init__(self, areas: Mapping[str, Area], readme: Readme, since: datetime, read_only: str = "") -> None:
        self._closed = read_only
        self._areas = areas
        self._readme = readme
        self._since = since
        self._not_replaced = RecentPaths(_WARY)

    @property
    def is_read_only(self) -> bool:
        """True where nothing can be changed, wherever it is."""
        return bool(self._closed)

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
            return [
                self._open_readme().entry,
                *(Entry(name, EntryKind.FOLDER, self._since) for name in self._areas),
            ]
        if path == (README,):
            raise NotAFolder(path, f"{README} is a file")
        area, below = self._area(path)
        return area.list(below)

    def read(self, path: Path) -> Content:
        """See `Area`."""
        if path == (README,):
            return self._open_readme()
        if len(path) < 2:  # noqa: PLR2004  the root and the areas are folders
            self.stat(path)
            raise IsAFolder(path, "it is a folder")
        area, below = self._area(path)
        return area.read(below)

    def write(self, path: Path, content: Buffer) -> Entry:
        """See `Writable`."""
        area, below = self._changeable(path)
        if not isinstance(area, Writable):
            self._not_replaced.add(path)
            raise Forbidden(path, _READ_ONLY)
        return area.write(below, content)

    def receive(self, path: Path, size: int | None = None) -> Upload:
        """See `Receiving`."""
        _, below = self._changeable(path)
        area = self._receiving(path)
        if area is None:
            self._not_replaced.add(path)
            raise Forbidden(path, _READ_ONLY)
        return area.receive(below, size)

    def takes_files(self, path: Path) -> bool:
        """Tell whether files can be written into a folder."""
        area = None if self._closed else self._receiving(path)
        return area is not None and area.takes_files(path[1:])

    def quota(self, path: Path) -> QuotaUsage | None:
        """Return how full the area of a path is; None where that means nothing."""
        area = self._areas.get(path[0]) if path else None
        return cast("HasQuota", area).quota() if area is not None and _can(type(area), HasQuota) else None

    def properties_area(self, path: Path) -> HasProperties | None:
        """Return the area that keeps dead properties of a path; None where none does."""
        area = self._areas.get(path[0]) if path else None
        return cast("HasProperties", area) if area is not None and _can(type(area), HasProperties) else None

    def move(self, source: Path, target: Path, *, replace: bool) -> None:
        """See `Movable`."""
        area = self._movable(source, target, _NOT_OUT)
        area.move(source[1:], target[1:], replace=replace)

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """See `Movable`."""
        area = self._movable(source, target, _POINTLESS)
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

    def delete(self, path: Path) -> str:
        """See `Deletable`."""
        self._check_open(path)
        if len(path) < 2:  # noqa: PLR2004  the root and the areas stay as they are
            self.stat(path)
            raise Forbidden(path, _OWN)
        if self._not_replaced.has(path):
            raise Forbidden(path, _NO_HALF_UPLOAD)
        area, below = self._area(path)
        if not isinstance(area, Deletable):
            raise Forbidden(path, "nothing can be deleted here")
        return area.delete(below)

    def _receiving(self, path: Path) -> Receiving | None:
        area = self._areas.get(path[0]) if path else None
        return cast("Receiving", area) if area is not None and _can(type(area), Receiving) else None

    def _check_open(self, path: Path) -> None:
        if self._closed:
            raise Forbidden(path, self._closed)

    def _changeable(self, path: Path) -> tuple[Area, Path]:
        self._check_open(path)
        if len(path) < 2:  # noqa: PLR2004  the root and the areas stay as they are
            raise Forbidden(path, _OWN)
        try:
            return self._area(path)
        except NotFound:
            raise ParentMissing(path, f"there is no folder {path[0]}") from None

    def _movable(self, source: Path, target: Path, not_between: str) -> Movable:
        """Return the area that both paths are in.

        Args:
            source: What is moved or copied.
            target: Where to.
            not_between: Why that cannot be done from one area to another one.
        """
        self._check_open(source)
        if len(source) < 2:  # noqa: PLR2004  the root and the areas stay as they are
            self.stat(source)
            raise Forbidden(source, _OWN)
        held, _ = self._area(source)
        area, _ = self._changeable(target)
        if area is held and isinstance(area, Movable):
            return area
        self.stat(source)
        raise Forbidden(target, not_between if isinstance(area, Receiving) else _MADE)

    def _area(self, path: Path) -> tuple[Area, Path]:
        area = self._areas.get(path[0])
        if area is None:
            raise NotFound(path, "there is no such folder")
        return area, path[1:]

    def _open_readme(self) -> Opened:
        text = memoryview(self._readme.text().encode())
        return Opened(Entry(README, EntryKind.FILE, self._since, media_type="text/plain"), nullcontext(text))


@cache
def _can(kind: type, power: type) -> bool:
    """Tell what areas of a class can do; to look at a runtime Protocol takes longer than most of what is asked here."""
    return issubclass(kind, power)
