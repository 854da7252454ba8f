"""The quota of the inbox: counts the bytes and names of its files, and reserves bytes for uploads."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol, Self

from davfs.entry import Path
from davfs.errors import NoSpace

PROPERTIES = -1
"""Stands for all dead properties, where a file has its inode."""

BYTES_PER_NAME = 4096
"""Bytes of the quota for each name that the inbox may have: an empty file, a folder and a copy need disk space too."""

FEWEST_NAMES = 1000
"""Names that the inbox may have with any quota."""


class Shortage(NamedTuple):
    """The bytes and names by which the quota is exceeded; negative if it is not."""

    bytes: int
    names: int


class FreeSpace(Protocol):
    """Frees space of the quota: removes originals, or receipts."""

    def __call__(self, shortage: Shortage) -> bool:
        """Free so much; return False if nothing can be removed."""


class SpoolQuota:
    """Counts the bytes of files, of unfinished uploads and of dead properties, and counts names; thread-safe.

    A file is identified by its inode. Its bytes count once under all of its names, until no download reads it any more.
    A file, a receipt and a copy have a name, and so has a folder.

    Args:
        maximum: Bytes of all files together; 0 for no limit, of names either.

    Attributes:
        free_space: Called where the quota is exceeded; it can be set.
    """

    def __init__(self, maximum: int) -> None:
        self.free_space: FreeSpace = lambda _shortage: False
        self._maximum = maximum
        self._maximum_names = max(FEWEST_NAMES, maximum // BYTES_PER_NAME)
        self._inodes: dict[int, tuple[int, int]] = {}
        self._promised: dict[int, Reservation] = {}
        self._readers: Counter[int] = Counter()
        self._used = 0
        self._names = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are counted now."""
        return self._used

    @property
    def available(self) -> int | None:
        """Bytes that may still come; None for no limit."""
        return max(0, self._maximum - self._used) if self._maximum else None

    def check(self, path: Path, size: int, replaced: int = 0, *, names: int = 0, removable: int = 0) -> None:
        """Check that the quota allows a file of this size. Nothing is reserved.

        Args:
            path: Where to, for the error.
            size: Its bytes.
            replaced: Inode whose bytes are freed by it; 0 for none.
            names: Names that it adds. Where there are too many, `free_space` is called.
            removable: Bytes that `free_space` would free.

        Raises:
            NoSpace: There is no room.
        """
        with self._lock:
            freed = 0 if replaced in self._promised else self._freed(replaced)
            missing = self._shortage(size, freed, 0).bytes
        if missing > removable:
            raise NoSpace(path, "The inbox is full.")
        while (shortage := self._shortage(0, 0, names)).names > 0:
            self._free(path, shortage)

    def reserve(self, path: Path, size: int, replaced: int = 0) -> "Reservation":
        """Count an unfinished upload.

        Args:
            path: Where to, for the error.
            size: Its bytes so far.
            replaced: Inode whose bytes are freed by it, which no other upload can count on then; 0 for none.

        Raises:
            NoSpace: There is no room.
        """
        reservation = Reservation(self, path, replaced)
        with self._lock:
            self._promised.setdefault(replaced, reservation)
        try:
            reservation.grow(size)
        except NoSpace:
            reservation.release()
            raise
        return reservation

    def claim(self, path: Path, size: int, reservation: "Reservation") -> None:
        """Count so many more bytes for a reservation; see `reserve`."""
        while True:
            with self._lock:
                promised = self._promised.get(reservation.replaced) is reservation
                shortage = self._shortage(size, self._freed(reservation.replaced) if promised else 0, 0)
                if shortage.bytes <= 0:
                    self._used += size
                    return
            self._free(path, shortage)

    def give_back(self, size: int, reservation: "Reservation") -> None:
        """Count so many bytes less, and let other uploads use the bytes that a replaced file frees."""
        with self._lock:
            self._used -= size
            if self._promised.get(reservation.replaced) is reservation:
                del self._promised[reservation.replaced]

    def note(self, inode: int, size: int, names: int = 0) -> None:
        """Count the bytes and the names that an inode has from now on; no names for a file that is gone."""
        with self._lock:
            if not size and not names:
                self._promised.pop(inode, None)  # another file may get this number
                size = self._size(inode) if self._readers[inode] else 0
            old_size, old_names = self._inodes.pop(inode, (0, 0))
            self._used += size - old_size
            self._names += names - old_names
            if size or names:
                self._inodes[inode] = size, names

    @contextmanager
    def reading(self, inode: int) -> Iterator[None]:
        """Count a file while a download reads it, even if it is deleted meanwhile: the disk still holds its bytes."""
        with self._lock:
            self._readers[inode] += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers[inode] -= 1
                self._readers += Counter()  # without files that are not read
                _, names = self._inodes.get(inode, (0, 0))
                is_gone = not (names or self._readers[inode])
            if is_gone:
                self.note(inode, 0)

    def forget_all(self) -> None:
        """Forget all counts but those of unfinished uploads."""
        with self._lock:
            self._used -= sum(size for size, _ in self._inodes.values())
            self._names = 0
            self._inodes.clear()
            self._promised.clear()

    def _size(self, inode: int) -> int:
        return self._inodes.get(inode, (0, 0))[0]

    def _freed(self, inode: int) -> int:
        """Return how many bytes are free once a file is replaced."""
        return 0 if self._readers[inode] else self._size(inode)

    def _shortage(self, size: int, freed: int, names: int) -> Shortage:
        if not self._maximum:
            return Shortage(0, 0)
        bytes_missing = self._used + size - freed - self._maximum if size else 0
        return Shortage(bytes_missing, self._names + names - self._maximum_names if names else 0)

    def _free(self, path: Path, shortage: Shortage) -> None:
        if not self.free_space(shortage):
            reason = "The inbox is full." if shortage.bytes > 0 else "The inbox has too many files and folders."
            raise NoSpace(path, reason)


class Reservation:
    """Bytes that are counted for an unfinished upload: a context manager that gives them back.

    Args:
        quota: Counts them.
        path: Where the file goes to, for errors.
        replaced: Inode whose bytes are freed by it; 0 for none.
    """

    def __init__(self, quota: SpoolQuota, path: Path, replaced: int) -> None:
        self._quota = quota
        self._path = path
        self._size = 0
        self.replaced = replaced

    def grow(self, size: int) -> None:
        """Reserve so many bytes in all; fewer than before change nothing.

        Raises:
            NoSpace: There is no room for them.
        """
        if size > self._size:
            self._quota.claim(self._path, size - self._size, self)
            self._size = size

    def redirect(self, path: Path) -> None:
        """Reserve the bytes for another path, without a file to replace.

        Raises:
            NoSpace: There is no room beside the file that was to be replaced; nothing is reserved any more.
        """
        size = self._size
        self.release()
        self._path = path
        self.grow(size)

    def release(self) -> None:
        """Give the bytes back: the file is counted by its inode, or dropped."""
        self._quota.give_back(self._size, self)
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
