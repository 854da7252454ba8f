"""The parts of the drive. Paths are relative to the area; ``()`` is its own root."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from davfs.entry import Content, Entry, Path
from davfs.orthanc import Buffer


class Area(Protocol):
    """A part of the drive that can be read.

    Every method raises `NotFound` where nothing is at the path.
    """

    def stat(self, path: Path) -> Entry:
        """Return the entry at a path, as it is now."""

    def list(self, path: Path) -> Iterable[Entry]:
        """Return what is in a folder now, in no particular order.

        Raises:
            NotAFolder: A file is at the path.
        """

    def read(self, path: Path) -> Content:
        """Open a file; the caller closes it, as a context manager.

        Raises:
            IsAFolder: A folder is at the path.
        """


@runtime_checkable
class Writable(Protocol):
    """An area that takes files and folders; raises `Forbidden` where the configuration does not allow it."""

    def write(self, path: Path, content: Buffer) -> Entry:
        """Store a file; when this returns, nothing of it can be lost any more.

        Raises:
            ParentMissing: Its folder does not exist.
            IsAFolder: A folder is at the path.
            BadName: The name cannot be kept.
            Rejected, Conflict: Orthanc does not take it.
            NoSpace: There is no room for it.
            Busy: It could not be imported in time; nothing was changed.
        """

    def make_folder(self, path: Path) -> None:
        """Make a folder.

        Raises:
            AlreadyExists: The name is taken.
            ParentMissing: Its folder does not exist.
            BadName: The name cannot be kept.
        """


@runtime_checkable
class Deletable(Protocol):
    """An area whose files and folders can be deleted; raises `Forbidden` where the configuration does not allow it."""

    def delete(self, path: Path) -> str:
        """Delete a file, or a folder with all that is in it.

        Returns:
            Orthanc's id of the resource that was deleted, empty where it was none.
        """
