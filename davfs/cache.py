"""A least-recently-used cache for values that many threads share."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """A bounded cache, safe for threads, that evicts the least recently used value.

    Args:
        max_entries: Number of values.
        max_bytes: Sum of the sizes that `put` is given; 0 if sizes are not counted.
    """

    def __init__(self, max_entries: int, max_bytes: int = 0) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: K) -> V | None:
        """Return the cached value, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, size: int = 0) -> None:
        """Cache a value of `size` bytes; one that is larger than the whole cache is not kept."""
        with self._lock:
            self._bytes -= self._entries.pop(key, (None, 0))[1]
            if size > self._max_bytes:
                return
            self._bytes += size
            self._entries[key] = value, size
            while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
                self._bytes -= self._entries.popitem(last=False)[1][1]
