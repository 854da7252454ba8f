"""Locks on paths: requests that change the same path run one after the other."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from davfs.entry import Path
from davfs.errors import Busy
from davfs.shared.database import SharedDatabase
from davfs.shared.mutex import PathMutex

_PATIENCE = 10.0
_WAITING = 8


@dataclass(slots=True)
class _PathLock:
    users: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class PathLocks:
    """One lock for each path that is being changed.

    A lock can be held as long as the import of a ZIP takes, and each waiting request occupies one of the door's
    threads: a client that loses its patience, and sends the ZIP again and again, must not get all of them.

    Args:
        patience: Seconds that a request waits for a lock.
        waiting: Number of requests that may wait for one lock.
    """

    def __init__(self, patience: float = _PATIENCE, waiting: int = _WAITING) -> None:
        self._patience = patience
        self._waiting = waiting
        self._lock = threading.Lock()
        self._path_locks: dict[Path, _PathLock] = {}

    @contextmanager
    def hold(self, *paths: Path) -> Iterator[None]:
        """Hold the locks of all paths.

        Raises:
            Busy: Another request holds one of them for too long.
        """
        with ExitStack() as held:
            for path in sorted(set(paths)):  # in one order for all, or two could wait for each other
                held.enter_context(self._hold(path))
            yield

    @contextmanager
    def _hold(self, path: Path) -> Iterator[None]:
        with self._lock:
            path_lock = self._path_locks.setdefault(path, _PathLock())
            path_lock.users += 1
            patience = self._patience if path_lock.users <= self._waiting + 1 else 0.0
        try:
            if not path_lock.lock.acquire(timeout=patience):
                raise Busy(path, "Another request is changing this path, which takes long. Try again later.")
            try:
                yield
            finally:
                path_lock.lock.release()
        finally:
            with self._lock:
                path_lock.users -= 1
                if not path_lock.users:
                    del self._path_locks[path]


class SharedPathLocks(PathLocks):
    """Locks on paths that hold between several nodes too.

    Args:
        database: Has the locks between nodes.
    """

    def __init__(self, database: SharedDatabase) -> None:
        super().__init__()
        self._mutex = PathMutex(database)

    @contextmanager
    def _hold(self, path: Path) -> Iterator[None]:
        with super()._hold(path), self._mutex.hold(path):
            yield
