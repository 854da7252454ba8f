"""Least-recently-used caches for values that many threads share."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """A bounded cache, safe for threads, that evicts the least recently used value.

    Args:
        max_entries: Number of values.
        max_bytes: Sum of the sizes that `put` is given; 0 if sizes are not counted.
        lifetime: Seconds from `put` until a value expires; None for no limit.
        now: Clock, in seconds.
        evicted: Called with each value that is evicted since there are too many; not to use the cache.
    """

    def __init__(
        self,
        max_entries: int,
        max_bytes: int = 0,
        *,
        lifetime: float | None = None,
        now: Callable[[], float] = time.monotonic,
        evicted: Callable[[V], object] | None = None,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lifetime = lifetime
        self._now = now
        self._evicted = evicted
        self._lock = threading.Lock()
        self._entries: OrderedDict[K, tuple[V, int, float | None]] = OrderedDict()
        self._bytes = 0

    def get(self, key: K) -> V | None:
        """Return the cached value, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is None or (found[2] is not None and self._now() >= found[2]):
                return None
            self._entries.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, size: int = 0) -> None:
        """Cache a value of `size` bytes; one that is larger than the whole cache is not kept."""
        expires = None if self._lifetime is None else self._now() + self._lifetime
        with self._lock:
            if replaced := self._entries.pop(key, None):
                self._bytes -= replaced[1]
            if size > self._max_bytes:
                return
            self._bytes += size
            self._entries[key] = value, size, expires
            while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
                value, size, _ = self._entries.popitem(last=False)[1]
                self._bytes -= size
                if self._evicted:
                    self._evicted(value)

    def remove(self, key: K) -> None:
        """Remove a value, if it is cached."""
        with self._lock:
            if found := self._entries.pop(key, None):
                self._bytes -= found[1]


class LruSet(LruCache[K, K]):
    """A bounded set of keys, see `LruCache`."""

    def add(self, key: K) -> None:
        """Add a key, which expires after the lifetime from now on."""
        self.put(key, key)

    def __contains__(self, key: K) -> bool:
        return self.get(key) is not None
