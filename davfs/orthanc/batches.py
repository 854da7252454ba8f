"""Splits long lists of ids into batches, one for each call of Orthanc, that take it a quarter of a second each.

A call that is under way cannot be interrupted, and Orthanc does not stop before it has ended. A resource takes
Orthanc 1.10.1 a tenth of a millisecond; it takes 1.12.7 50 ms if its SQLite index holds 6,000 patients, and more the
more there are.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

_FIRST = 32
_MOST = 500
_SECONDS = 0.25
"""Seconds that one call should take."""

T = TypeVar("T")


class Batches:
    """Splits lists, and adapts the size of the batches to the duration of the calls; safe for threads.

    Args:
        now: Clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._size = _FIRST

    def split(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Yield the items in batches; the caller makes one call for each, whose duration is measured."""
        done = 0
        while done < len(items):
            batch = items[done : done + self._size]
            done += len(batch)
            started = self._now()
            yield batch
            self._adapt(len(batch), self._now() - started)

    def _adapt(self, count: int, seconds: float) -> None:
        fitting = int(count * _SECONDS / seconds) if seconds > 0 else _MOST
        if fitting < self._size or count == self._size:  # a small batch that was quick says nothing of larger ones
            self._size = max(1, min(fitting, 2 * self._size, _MOST))
