"""How many bytes the spool holds, and whether more may come."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from davfs.entry import Path
from davfs.errors import NoSpace


class Quota:
    """Counts the bytes of ordinary files, those being written included.

    Args:
        maximum: Bytes of all of them together; 0 for no limit.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._sizes: dict[Path, int] = {}
        self._used = 0
        self._lock = threading.Lock()

    def check(self, path: Path, size: int) -> None:
        """Tell whether a file of so many bytes could come to a path now.

        Raises:
            NoSpace: It could not.
        """
        with self._lock:
            self._check(path, size)

    @contextmanager
    def reserved(self, path: Path, size: int) -> Iterator[None]:
        """Count a file that is being written, whatever else comes meanwhile.

        Raises:
            NoSpace: There is no room for it.
        """
        with self._lock:
            self._check(path, size)
            self._used += size
        try:
            yield
        finally:
            with self._lock:
                self._used -= size

    def note(self, path: Path, size: int) -> None:
        """Count what lies at a path from now on: a file's bytes, 0 for anything else and for nothing."""
        with self._lock:
            self._used += size - self._sizes.pop(path, 0)
            if size:
                self._sizes[path] = size

    def _check(self, path: Path, size: int) -> None:
        needed = self._used + size - self._sizes.get(path, 0)
        if self._maximum and size and needed > self._maximum:
            raise NoSpace(path, "The inbox is full.")
