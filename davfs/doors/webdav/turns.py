"""Turns: what changes one path is done one after the other, so that nothing comes between a look and a step."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from davfs.entry import Path


@dataclass(slots=True)
class _Turn:
    wanted: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Turns:
    """One turn at a time for each path; those who change different paths do not wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[Path, _Turn] = {}

    @contextmanager
    def of(self, *paths: Path) -> Iterator[None]:
        """Wait until nobody else changes any of the paths."""
        with ExitStack() as turns:
            for path in sorted(set(paths)):  # in one order for all, or two could wait for each other
                turns.enter_context(self._one(path))
            yield

    @contextmanager
    def _one(self, path: Path) -> Iterator[None]:
        with self._lock:
            turn = self._turns.setdefault(path, _Turn())
            turn.wanted += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.wanted -= 1
                if not turn.wanted:
                    del self._turns[path]
