"""Interfaces of the areas of the drive: its root folders, such as a layout or inbox/.

An area implements `Area`, and a further Protocol for each thing that clients can do in it. Paths are relative to the
area; ``()`` is its root.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from davfs.audit.record import NOBODY, Client
from davfs.derived.checksums import StoredChecksums
from davfs.entry import Content, Entry, Path
from davfs.filesystem.upload_records import UploadRecords
from davfs.orthanc import Buffer, OrthancId
from davfs.spool.files import ClientProperties


class Area(Protocol):
    """An area that can be read.

    Every method raises `NotFound` if nothing is at the path.
    """

    def stat(self, path: Path) -> Entry:
        """Return the entry at a path, as it is now."""

    def list(self, path: Path) -> Iterable[Entry]:
        """Return the entries of a folder, as they are now, in no particular order.

        Raises:
            NotAFolder: A file is at the path.
        """

    def read(self, path: Path) -> Content:
        """Open a file; the caller closes it, as a context manager.

        Raises:
            IsAFolder: A folder is at the path.
        """


@runtime_checkable
class Browsable(Protocol):
    """An area that looks up a folder and lists it in one step, and so asks Orthanc half as often."""

    def browse(self, path: Path) -> tuple[Entry, Iterable[Entry] | None]:
        """Return the entry at a path, and those in it; None for a file. See `Area.stat` and `Area.list`."""


@runtime_checkable
class Writable(Protocol):
    """An area where files and folders can be created; raises `Forbidden` if the configuration does not allow it."""

    def write(self, path: Path, content: Buffer, *, user: str = "") -> Entry:
        """Store a file for a user, whose name may be empty; when this returns, no crash can lose it.

        Raises:
            ParentMissing: Its folder does not exist.
            IsAFolder: A folder is at the path.
            BadName: The drive cannot keep a file of this name.
            Rejected: Orthanc refuses the content.
            Conflict: Orthanc has a different file with the same identifiers.
            NoSpace: The quota, or Orthanc's storage, is used up.
            Busy: No worker was free in time; nothing was kept.
            Unavailable: Orthanc does not respond; nothing was kept.
        """

    def make_folder(self, path: Path, *, user: str = "") -> None:
        """Create a folder, for a user whose name may be empty.

        Raises:
            AlreadyExists: The name is taken.
            ParentMissing: Its folder does not exist.
            BadName: The drive cannot keep a folder of this name.
        """


class Upload(AbstractContextManager["Upload"], Protocol):
    """A file that is being uploaded: a context manager that discards the file unless it was finished.

    The file appears under its path complete, with `finish`, or not at all.
    """

    def write(self, block: Buffer) -> None:
        """Append bytes, which are not used after the return.

        Raises:
            NoSpace: The quota is used up.
        """

    def finish(self, *, replace: bool = True) -> Entry:
        """Store the bytes as the file, once; with ``replace``, in place of a file at the path.

        Raises:
            PathError: As for `Writable.write`.
            AlreadyExists: A file is at the path, and must not be replaced.
        """


@runtime_checkable
class AcceptsUploads(Protocol):
    """An area to which files of any size are uploaded block by block, in bounded memory."""

    def takes_files(self, path: Path) -> bool:
        """Return True if files can be written into a folder."""

    def receive(self, path: Path, size: int | None = None, *, user: str = "") -> Upload:
        """Begin the upload of a file of so many bytes by a user; None if the size is unknown.

        Raises:
            PathError: As for `Writable.write`, as far as it is known before the first byte.
        """


@runtime_checkable
class Movable(Protocol):
    """An area within which files and folders can be renamed and copied; raises `Forbidden` if that is not allowed.

    Both are done completely or not at all. With ``replace``, the target is replaced, and exists at every moment.
    """

    def move(self, source: Path, target: Path, *, replace: bool, user: str = "") -> None:
        """Rename a file, or a folder with all that is in it, for a user.

        Raises:
            NotFound: Nothing is at the source.
            AlreadyExists: Something is at the target, and must not be replaced.
            ParentMissing: The target's folder does not exist.
            BadName: The drive cannot keep a file of the target's name.
            Forbidden: The target is the source, or in it.
        """

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """Copy a file or a folder, with all that is in it or empty; errors are those of `move`.

        Raises:
            NoSpace: The quota is used up.
        """


@runtime_checkable
class Restorable(Protocol):
    """An area from which images are restored by moving them into the folder of a layout."""

    def restore(self, path: Path) -> tuple[Sequence[OrthancId], Path]:
        """Restore what is at a path.

        Returns:
            The studies, and the path on the drive where they were.

        Raises:
            NotFound: Nothing is at the path.
        """

    def former(self, path: Path) -> Path:
        """Return the path on the drive to which what is at a path would be restored; see `restore`."""


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """How full an area is.

    Attributes:
        used: Bytes of its files.
        available: Bytes that can still be written; None if there is no known limit.
    """

    used: int
    available: int | None


@runtime_checkable
class HasQuota(Protocol):
    """An area with a quota."""

    def quota(self) -> QuotaUsage:
        """Return how full it is now (RFC 4331)."""


@runtime_checkable
class HasStoredFiles(Protocol):
    """An area with files as Orthanc stores them that the layouts do not show."""

    def stored(self) -> StoredChecksums:
        """Return the checksums of these files."""


@runtime_checkable
class HasProperties(Protocol):
    """An area whose files and folders keep dead properties (RFC 4918 §4), which are moved and deleted with them."""

    def properties(self) -> ClientProperties:
        """Return the dead properties of all files and folders."""

    def check_properties(self, path: Path, values: Mapping[str, bytes], user: str) -> object:
        """Check if a user can set properties of a file or folder, by their names.

        Raises:
            NoSpace: They are too large, or too many.
        """

    def set_property(self, path: Path, name: str, value: bytes, user: str) -> None:
        """Set a property for a user: its name in Clark's notation, its value as XML.

        Raises:
            NotFound: Nothing is at the path.
            NoSpace: The quota is used up.
        """


@runtime_checkable
class HasUploadRecords(Protocol):
    """An area that remembers what clients tell about their uploads."""

    def upload_records(self) -> UploadRecords:
        """Return the dates and checksums of all files."""


@runtime_checkable
class Deletable(Protocol):
    """An area whose files and folders can be deleted; raises `Forbidden` if the configuration does not allow it."""

    def delete(self, path: Path, *, by: Client = NOBODY) -> str:
        """Delete a file, or a folder with all that is in it.

        Args:
            path: The file or folder.
            by: The client, by which the trash knows what belongs together.

        Returns:
            Orthanc's ids of the resources that were deleted, joined by commas; empty if there were none.
        """
