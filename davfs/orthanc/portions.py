"""How many resources Orthanc is asked for in one call: as many as it describes in a moment.

Nothing can be done about a call that is under way, and Orthanc does not stop before it has ended. A resource takes
Orthanc 1.10.1 a tenth of a millisecond; it takes 1.12.7 50 ms where its SQLite index holds 6,000 patients, and more the
more there are.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

_FIRST = 32
_MOST = 500
_MOMENT = 0.25
"""Seconds that one call should take."""

T = TypeVar("T")


class Portions:
    """Splits lists of resources; may be used by several threads at once.

    Args:
        now: Clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._size = _FIRST

    def of(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Yield the items in portions; between two of them the caller makes the call, which is measured."""
        done = 0
        while done < len(items):
            some = items[done : done + self._size]
            done += len(some)
            asked = self._now()
            yield some
            self._adapt(len(some), self._now() - asked)

    def _adapt(self, count: int, seconds: float) -> None:
        fitting = int(count * _MOMENT / seconds) if seconds > 0 else _MOST
        if fitting < self._size or count == self._size:  # a small portion that was quick says nothing of larger ones
            self._size = max(1, min(fitting, 2 * self._size, _MOST))
