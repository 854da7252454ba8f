"""The parts of the drive. Paths are relative to the area; ``()`` is its own root."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

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

    def make_folder(self, path: Path, *, user: str = "") -> None:
        """Make a folder.

        Args:
            path: Where.
            user: Who makes it; empty for somebody without a name.

        Raises:
            AlreadyExists: The name is taken.
            ParentMissing: Its folder does not exist.
            BadName: The name cannot be kept.
        """


class Upload(Protocol):
    """A file on its way in: a context manager that drops what was not finished.

    The lasting name appears with `finish`, complete, or not at all.
    """

    def write(self, block: Buffer) -> None:
        """Append bytes; they are not used after the return.

        Raises:
            NoSpace: There is no room for them.
        """

    def finish(self, *, replace: bool = True) -> Entry:
        """Take what was written as the whole file, once.

        Args:
            replace: Whether a file at the path gives way.

        Raises:
            PathError: As for `Writable.write`; AlreadyExists where nothing gives way.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Receiving(Protocol):
    """An area that takes files in pieces, however large they are, in bounded memory."""

    def takes_files(self, path: Path) -> bool:
        """Tell whether files can be written into a folder."""

    def receive(self, path: Path, size: int | None = None) -> Upload:
        """Begin a file.

        Args:
            path: Where to.
            size: Bytes that are to come; None where that is not known.

        Raises:
            PathError: What `Writable.write` would raise, as far as it can be known before the first byte.
        """


@runtime_checkable
class Movable(Protocol):
    """An area within which files and folders can be renamed and copied; raises `Forbidden` where that is not allowed.

    Both are done in full, or not at all; with ``replace``, there is no moment at which the target is missing.
    """

    def move(self, source: Path, target: Path, *, replace: bool) -> None:
        """Give a file, or a folder with all that is in it, another path.

        Args:
            source: What.
            target: Where to.
            replace: Whether what is at the target gives way.

        Raises:
            NotFound: Nothing is at the source.
            AlreadyExists: The target is taken, and must not be replaced.
            ParentMissing: The folder that should hold the target does not exist.
            BadName: The target's name cannot be kept.
            Forbidden: The target is the source, or lies in it.
        """

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """Copy a file or a folder; as `move`, and the source stays.

        Args:
            source: What.
            target: Where to.
            replace: Whether what is at the target gives way.
            deep: Whether a folder is copied with all that is in it, or empty.

        Raises:
            NoSpace: There is no room for it.
        """


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """How full an area is.

    Attributes:
        used: Bytes that are in it.
        available: Bytes that it still takes; None for no limit that is known.
    """

    used: int
    available: int | None


@runtime_checkable
class HasQuota(Protocol):
    """An area that can take only so much."""

    def quota(self) -> QuotaUsage:
        """Return how full it is now (RFC 4331)."""


class DeadPropertiesView(Protocol):
    """The dead properties that clients keep at files and folders of an area, by path (RFC 4918 §4)."""

    def names(self, path: Path) -> Sequence[str]:
        """Return the names of those of a file or folder, in Clark's notation."""

    def all(self, path: Path) -> Mapping[str, bytes]:
        """Return those of a file or folder as XML, by their names."""

    def get(self, path: Path, name: str) -> bytes | None:
        """Return one as XML; None where there is none."""

    def any_below(self, path: Path) -> bool:
        """Return True if a file or folder has any, or anything below it."""

    def drop(self, path: Path, name: str) -> None:
        """Forget one; that it does not exist is no error."""


@runtime_checkable
class HasProperties(Protocol):
    """An area whose files and folders keep dead properties, which go wherever those go."""

    def properties(self) -> DeadPropertiesView:
        """Return those that there are."""

    def check_properties(self, path: Path, values: Mapping[str, bytes], user: str) -> object:
        """Check whether a user can give a file or folder these properties.

        Raises:
            NoSpace: They are too large, or there are too many.
        """

    def set_property(self, path: Path, name: str, value: bytes, user: str) -> None:
        """Keep a property.

        Args:
            path: Of what.
            name: In Clark's notation.
            value: As XML.
            user: Who sets it; empty for somebody without a name.

        Raises:
            NotFound: Nothing is there.
            NoSpace: There is no room for it.
        """


@runtime_checkable
class Deletable(Protocol):
    """An area whose files and folders can be deleted; raises `Forbidden` where the configuration does not allow it."""

    def delete(self, path: Path) -> str:
        """Delete a file, or a folder with all that is in it.

        Returns:
            Orthanc's ids of the resources that were deleted, joined by commas; empty where there were none.
        """
