"""Locks on paths: requests that change the same path run one after the other."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from davfs.entry import Path
from davfs.errors import Busy

_PATIENCE = 10.0
_WAITING = 8


@dataclass(slots=True)
class _Turn:
    wanted: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class PathLocks:
    """One turn at a time for each path; those who change different paths do not wait for each other.

    A turn can be as long as the import of a ZIP, and each who waits for it keeps one of the door's threads: a client
    that loses its patience, and sends the ZIP again and again, must not get all of them.

    Args:
        patience: Seconds that somebody waits for a turn.
        waiting: How many may wait for the turn of one path.
    """

    def __init__(self, patience: float = _PATIENCE, waiting: int = _WAITING) -> None:
        self._patience = patience
        self._waiting = waiting
        self._lock = threading.Lock()
        self._turns: dict[Path, _Turn] = {}

    @contextmanager
    def hold(self, *paths: Path) -> Iterator[None]:
        """Wait until nobody else changes any of the paths.

        Raises:
            Busy: That takes too long.
        """
        with ExitStack() as turns:
            for path in sorted(set(paths)):  # in one order for all, or two could wait for each other
                turns.enter_context(self._one(path))
            yield

    @contextmanager
    def _one(self, path: Path) -> Iterator[None]:
        with self._lock:
            turn = self._turns.setdefault(path, _Turn())
            turn.wanted += 1
            patience = self._patience if turn.wanted <= self._waiting + 1 else 0.0
        try:
            if not turn.lock.acquire(timeout=patience):
                raise Busy(path, "Another request is changing this path, which takes long. Try again later.")
            with ExitStack() as end:
                end.callback(turn.lock.release)
                yield
        finally:
            with self._lock:
                turn.wanted -= 1
                if not turn.wanted:
                    del self._turns[path]
