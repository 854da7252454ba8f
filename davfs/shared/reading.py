"""The reading half of the inbox that several Orthancs share; see `davfs.shared.spool`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as DiskPath

from davfs.entry import Content, Path
from davfs.errors import IsAFolder, NotAFolder, NotFound, ParentMissing
from davfs.shared.contents import SharedFile
from davfs.shared.database import SharedDatabase
from davfs.shared.names import Names
from davfs.shared.properties import SharedProperties
from davfs.shared.quota import SharedQuota
from davfs.shared.rows import Name, check_path
from davfs.spool.disk_errors import REASONS
from davfs.spool.incoming import IncomingFolders
from davfs.spool.items import Item

_LONGEST_AGE = 10**9
"""Seconds; PostgreSQL's intervals end somewhere."""


class SharedReader:
    """Reads the inbox, and removes what has expired.

    Args:
        database: Has the files.
        root: Folder on the disk for uploads and imports under way; made if it is missing. No other node may use it.
        maximum_size: The quota: bytes of all ordinary files together, and names (`davfs.spool.quota`); 0 for no limit.
        maximum_age: Seconds after which a file or a receipt expires, by the clock of the database; 0 for no limit.

    Attributes:
        properties: The dead properties, by path.
        scratch: Folder for temporary files of imports; emptied at every start.

    Raises:
        OSError: The folder cannot be made, or not be used.
    """

    def __init__(self, database: SharedDatabase, root: DiskPath, *, maximum_size: int, maximum_age: float) -> None:
        self._database = database
        self._folders = IncomingFolders(root)
        self._age = min(maximum_age, _LONGEST_AGE)
        self._quota = SharedQuota(database, maximum_size)
        self.properties = SharedProperties(database)
        self.scratch = self._folders.scratch

    @property
    def used(self) -> int:
        """Bytes of all ordinary files and of dead properties, and of unfinished uploads to this node."""
        return self._quota.used

    @property
    def available(self) -> int:
        """Bytes that may still come, by the quota and by this node's disk; includes those of originals."""
        free, allowed = self._folders.free(), self._quota.available
        return free if allowed is None else min(free, allowed)

    def stat(self, path: Path) -> Item:
        """Return the item at a path; raises `NotFound`."""
        with self._reading() as names:
            return names.visible(path).item()

    def list(self, path: Path) -> list[Item]:
        """Return the items of a folder, by name; raises `NotFound`, or `NotAFolder` for a file."""
        with self._reading() as names:
            folder, *found = names.in_folder(path)
        if not folder.is_folder:
            raise NotAFolder(path, REASONS[NotAFolder])
        return [name.item() for name in found]

    def open(self, path: Path) -> Content:
        """Open an ordinary file; raises `NotFound` for nothing or a receipt, `IsAFolder` for a folder."""
        with self._reading() as names:
            found = as_file(path, names.visible(path))
        return SharedFile(found.item().entry, self._database, found.content or 0)

    def check_write(self, path: Path, size: int = 0) -> None:
        """Raise what `write` of so many bytes would raise, as far as can be known before."""
        check_path(path)
        with self._reading() as names:
            parent, found, *usage = names.find_with_usage(path)
        if parent is None or not parent.is_folder:
            raise ParentMissing(path, REASONS[ParentMissing])
        if found and found.is_folder:
            raise IsAFolder(path, REASONS[IsAFolder])
        self._quota.check(path, *usage, size=size, freed=found.size if found and found.content else 0)

    def expire(self) -> int:
        """Remove files older than the maximum age, and folders that are old and empty; return how many."""
        with self._changing() as names:
            return names.expire()

    @contextmanager
    def _reading(self) -> Iterator[Names]:
        with self._database.session() as session:
            yield Names(session, self._age)

    @contextmanager
    def _changing(self, *, durable: bool = True) -> Iterator[Names]:
        with self._database.names_locked(durable=durable) as session:
            names = Names(session, self._age)
            yield names
            names.settle()


def as_file(path: Path, name: Name) -> Name:
    """Return a name that has bytes; raises `NotFound` for a receipt, `IsAFolder` for a folder."""
    if name.is_folder:
        raise IsAFolder(path, REASONS[IsAFolder])
    if name.content is None:
        raise NotFound(path, REASONS[NotFound])
    return name
