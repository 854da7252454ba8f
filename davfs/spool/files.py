"""The files of the inbox as the rest of the code sees them: in a folder on the disk, or in a database of several nodes.

`davfs.spool.spool.Spool` and `davfs.shared.spool.SharedSpool` implement it; paths in errors are relative to the inbox.
"""

from collections.abc import Mapping
from pathlib import Path as DiskPath
from typing import Protocol

from davfs.entry import Content, Path
from davfs.orthanc import Buffer
from davfs.spool.items import Item, Receipt
from davfs.spool.upload_file import UploadFile

UPLOAD_RECORD = "{urn:davfs}upload-record"
"""Name of the only property that clients neither see nor set: see `davfs.filesystem.upload_records`."""


class ClientProperties(Protocol):
    """The dead properties of files and folders (RFC 4918 §4), by path."""

    def all(self, path: Path) -> dict[str, bytes]:
        """Return the properties that clients see of a file or folder as XML, by their names in Clark's notation."""

    def get(self, path: Path, name: str) -> bytes | None:
        """Return one property of a file or folder; None if it has none of this name."""

    def in_folder(self, path: Path, name: str) -> dict[str, bytes]:
        """Return one property of what is right in a folder, by the names of the files and folders that have it."""

    def any_below(self, path: Path) -> bool:
        """Return True if a file or folder has properties that clients see, or anything below it."""

    def drop(self, path: Path, name: str) -> None:
        """Remove a property; that it does not exist is no error (RFC 4918 §9.2)."""


class InboxFiles(Protocol):
    """Ordinary files, folders, and receipts for files that Orthanc holds.

    Every method can raise `davfs.errors.Unavailable` where the files are in a database, and it does not answer.
    """

    @property
    def scratch(self) -> DiskPath:
        """Folder for temporary files of imports; emptied at every start."""

    @property
    def used(self) -> int:
        """Bytes of all ordinary files, unfinished uploads included, and of dead properties.

        A copied file counts once.
        """

    @property
    def available(self) -> int:
        """Bytes that may still come, by the quota and by the disk; includes those of originals, which can be freed."""

    @property
    def properties(self) -> ClientProperties:
        """The dead properties, by path; they are set by `set_property`, and go with their files by themselves."""

    def stat(self, path: Path) -> Item:
        """Return the item at a path.

        Raises:
            NotFound: Nothing is there.
        """

    def list(self, path: Path) -> "list[Item]":
        """Return the items of a folder, by name.

        Raises:
            NotFound: Nothing is there.
            NotAFolder: It is a file.
        """

    def open(self, path: Path) -> Content:
        """Open an ordinary file; the caller closes it, as a context manager.

        Raises:
            NotFound: Nothing is there, or a receipt.
            IsAFolder: It is a folder.
        """

    def check_write(self, path: Path, size: int = 0) -> object:
        """Raise what `write` of so many bytes would raise, as far as can be known before.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            NoSpace: The quota does not allow it.
        """

    def write(self, path: Path, content: Buffer, *, replace: bool = True, receipt: Receipt | None = None) -> Item:
        """Keep a file durably.

        Args:
            path: Where to.
            content: All of its bytes.
            replace: Whether a file or a receipt of this name is replaced.
            receipt: The instance that it is an original of; None for an ordinary file.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
            NoSpace: The quota, or the disk, does not allow it.
        """

    def receive(self, path: Path, size: int | None = None) -> UploadFile:
        """Begin an upload; the caller closes it, as a context manager.

        Args:
            path: Where to.
            size: Bytes that are to come; None if that is not known.

        Raises:
            PathError: What `write` would raise, as far as it can be known before.
        """

    def adopt(self, path: Path) -> UploadFile:
        """Upload an ordinary file of the inbox again; it stays where it is. The caller closes it.

        Raises:
            NotFound: Nothing is there, or a receipt.
            IsAFolder: It is a folder.
            NoSpace: The inbox has too many names.
        """

    def remove_adopted(self, path: Path, adopted: UploadFile) -> None:
        """Remove a file that was adopted unless it was replaced meanwhile."""

    def put_receipt(self, path: Path, receipt: Receipt, *, replace: bool = True) -> Item:
        """Put a receipt at a path.

        It is not synchronised: it holds no content, and Orthanc has the file anyway. It is never refused for its room:
        the oldest receipts are removed instead.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            IsAFolder: A folder of this name exists.
            AlreadyExists: The name is taken and must not be replaced.
        """

    def remove_receipt(self, path: Path, receipt: Receipt) -> None:
        """Remove a receipt unless it was replaced meanwhile."""

    def make_folder(self, path: Path) -> None:
        """Make a folder.

        Raises:
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            AlreadyExists: The name is taken.
            NoSpace: The inbox has too many names.
        """

    def delete(self, path: Path) -> None:
        """Remove a file, a receipt, or a folder with all in it.

        Raises:
            NotFound: Nothing is there.
            Busy: It was filled, or replaced, again and again meanwhile.
        """

    def move(self, source: Path, target: Path, *, replace: bool) -> None:
        """Rename a file, a receipt, or a folder with all in it; see `davfs.filesystem.area.Movable`."""

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """Copy a file, a receipt or a folder, without hidden files; see `davfs.filesystem.area.Movable`."""

    def copy_properties(self, source: Path, target: Path) -> None:
        """Give a file the dead properties of another one, if there is room for them."""

    def expire(self) -> int:
        """Remove files older than the maximum age, and folders that are old and empty; return how many."""

    def check_properties(self, path: Path, values: Mapping[str, bytes], user: str = "") -> object:
        """Check if a file or folder can have these dead properties.

        Raises:
            NoSpace: They are too large, or there are too many, or the quota does not allow it.
        """

    def set_property(self, path: Path, name: str, value: bytes, user: str = "") -> None:
        """Set a dead property of a file, a receipt or a folder, which can be the inbox itself.

        Args:
            path: Where.
            name: In Clark's notation.
            value: As XML.
            user: Who sets it; empty without a login.

        Raises:
            NotFound: Nothing is there.
            NoSpace: As for `check_properties`, or it cannot be written.
        """

    def close(self) -> None:
        """Close what is open."""
