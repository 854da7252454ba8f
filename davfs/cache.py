"""What many threads keep for a while: the values that were used last, as far as there is room."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """Values by key; those that were not used for the longest go first.

    Args:
        most: Number of values.
        room: Bytes of all of them; 0 where these are not counted.
    """

    def __init__(self, most: int, room: int = 0) -> None:
        self._most = most
        self._room = room
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._taken = 0

    def get(self, key: K) -> V | None:
        """Return a value, None where none is kept."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
            return kept[0]

    def put(self, key: K, value: V, size: int = 0) -> None:
        """Keep a value instead of the one that there is; none where it is larger than all the room.

        Args:
            key: What it is for.
            value: The value.
            size: Its bytes.
        """
        with self._lock:
            self._taken -= self._kept.pop(key, (None, 0))[1]
            if size > self._room:
                return
            self._taken += size
            self._kept[key] = value, size
            while len(self._kept) > self._most or self._taken > self._room:
                self._taken -= self._kept.popitem(last=False)[1][1]
