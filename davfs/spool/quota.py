"""The quota of the inbox: counts the bytes of its files, and reserves bytes for uploads."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeAlias

from davfs.entry import Path
from davfs.errors import NoSpace

MakeRoom: TypeAlias = Callable[[int], bool]
"""Removes what can be spared, given how many bytes are missing; returns False where there was nothing."""


PROPERTIES = -1
"""Stands for all dead properties, where a file has its inode."""


class SpoolQuota:
    """Counts the bytes of ordinary files, those being written included, and those of dead properties.

    A file is known by its inode: it can be renamed without a word, and counts once under all of its names.

    Args:
        maximum: Bytes of all of them together; 0 for no limit.

    Attributes:
        make_room: Is called where there is no room; it can be set.
    """

    def __init__(self, maximum: int) -> None:
        self.make_room: MakeRoom = lambda _missing: False
        self._maximum = maximum
        self._sizes: dict[int, int] = {}
        self._promised: dict[int, Reservation] = {}
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are counted now."""
        return self._used

    @property
    def available(self) -> int | None:
        """Bytes that may still come; None for no limit."""
        return max(0, self._maximum - self._used) if self._maximum else None

    def check(self, path: Path, size: int, gives_way: int = 0) -> None:
        """Check that there is room for a file.

        Args:
            path: Where to, for the error.
            size: Its bytes.
            gives_way: Inode that it frees; 0 for none.

        Raises:
            NoSpace: It could not.
        """
        missing = 1
        while missing > 0:
            with self._lock:
                freed = 0 if gives_way in self._promised else self._sizes.get(gives_way, 0)
                missing = self._missing(size, freed)
            self._make_room(path, missing)

    def reserve(self, path: Path, size: int, gives_way: int = 0) -> "Reservation":
        """Count a file that is being written, whatever else comes meanwhile.

        Args:
            path: Where to, for the error.
            size: Its bytes, as far as they are known.
            gives_way: Inode that it frees, on which nobody else counts then; 0 for none.

        Raises:
            NoSpace: There is no room for it.
        """
        reservation = Reservation(self, path, gives_way)
        with self._lock:
            self._promised.setdefault(gives_way, reservation)
        try:
            reservation.grow(size)
        except NoSpace:
            reservation.release()
            raise
        return reservation

    def claim(self, path: Path, size: int, reservation: "Reservation") -> None:
        """Count so many bytes more for what was reserved; see `reserve`."""
        missing = 1
        while missing > 0:
            with self._lock:
                promised = self._promised.get(reservation.gives_way) is reservation
                missing = self._missing(size, self._sizes.get(reservation.gives_way, 0) if promised else 0)
                self._used += size if missing <= 0 else 0
            self._make_room(path, missing)

    def break_promise(self, reservation: "Reservation") -> None:
        """Allow other uploads to count on the bytes that were to be freed."""
        with self._lock:
            if self._promised.get(reservation.gives_way) is reservation:
                del self._promised[reservation.gives_way]

    def give_back(self, size: int) -> None:
        """Count so many bytes less."""
        with self._lock:
            self._used -= size

    def note(self, inode: int, size: int) -> None:
        """Count what an inode holds from now on: a file's bytes, 0 for anything else and for nothing."""
        with self._lock:
            self._used += size - self._sizes.pop(inode, 0)
            if size:
                self._sizes[inode] = size
            else:
                self._promised.pop(inode, None)  # another file may get this number

    def forget_all(self) -> None:
        """Count nothing any more but what is being written."""
        with self._lock:
            self._used -= sum(self._sizes.values())
            self._sizes.clear()
            self._promised.clear()

    def _missing(self, size: int, freed: int) -> int:
        """Return how many bytes there are too few for so many more."""
        return self._used + size - freed - self._maximum if self._maximum and size else 0

    def _make_room(self, path: Path, missing: int) -> None:
        if missing > 0 and not self.make_room(missing):
            raise NoSpace(path, "The inbox is full.")


class Reservation:
    """Bytes that are counted for a file on its way: a context manager that gives them back.

    Args:
        quota: Counts them.
        path: Where the file goes to, for errors.
        gives_way: Inode that it frees; 0 for none.
    """

    def __init__(self, quota: SpoolQuota, path: Path, gives_way: int) -> None:
        self._quota = quota
        self._path = path
        self._size = 0
        self.gives_way = gives_way

    def grow(self, size: int) -> None:
        """Reserve so many bytes in all; fewer than before are no matter.

        Raises:
            NoSpace: There is no room for them.
        """
        if size > self._size:
            self._quota.claim(self._path, size - self._size, self)
            self._size = size

    def redirect(self, path: Path) -> None:
        """Reserve anew for another path, where nothing gives way.

        Raises:
            NoSpace: There is no room for it beside what was to give way; nothing is reserved any more.
        """
        size = self._size
        self.release()
        self._path = path
        self.grow(size)

    def release(self) -> None:
        """Give the bytes back: the file is counted where it lies, or dropped."""
        self._quota.break_promise(self)
        self._quota.give_back(self._size)
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
