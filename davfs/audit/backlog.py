"""Encoded records that wait for a file or a server: a bounded number, with a count of those that found no room."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from davfs.audit.record import AuditRecord, lost_records

_MOST = 10_000


class Backlog:
    """A queue of encoded records. If it is full, later records are dropped, and one that tells their number follows.

    Used by one thread.

    Args:
        encode: Encodes a record.
        capacity: Number of records.

    Attributes:
        lost: Number of records that were dropped since the last record about that.
    """

    def __init__(self, encode: Callable[[AuditRecord], bytes], capacity: int = _MOST) -> None:
        self._encode = encode
        self._capacity = capacity
        self._waiting: deque[bytes] = deque()
        self.lost = 0

    def add(self, records: Iterable[AuditRecord]) -> None:
        """Append records, as far as there is room."""
        for record in records:
            if self._has_room():
                self._waiting.append(self._encode(record))
            else:
                self.lost += 1
        self._has_room()

    def _has_room(self) -> bool:
        if self.lost and len(self._waiting) < self._capacity // 2:  # so that a full queue does not alternate
            self._waiting.append(self._encode(lost_records(self.lost)))
            self.lost = 0
        return not self.lost and len(self._waiting) < self._capacity

    def first(self, size: int) -> Sequence[bytes]:
        """Return the first records, of so many bytes at most, but at least one."""
        chosen = list[bytes]()
        for each in islice(self._waiting, self._capacity):
            size -= len(each)
            if chosen and size < 0:
                break
            chosen.append(each)
        return chosen

    def remove(self, number: int) -> None:
        """Remove the first records: they are written."""
        for _ in range(number):
            self._waiting.popleft()
        self._has_room()

    def __len__(self) -> int:
        return len(self._waiting)
