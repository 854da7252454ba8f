"""Caches small DICOM files in memory, for drives that read them in many ranges.

A file is cached under its instance's id and the name of its stored file, so another content is never taken for it.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from davfs.orthanc.idle import EvictionTimer
from davfs.orthanc.model import Instance, OrthancId


@dataclass(slots=True)
class _CachedFile:
    uuid: str
    data: memoryview
    used: float


class FileCache:
    """Whole files in memory; the least recently used are evicted first. Safe for threads.

    Args:
        name: Name of the thread that evicts idle files.
        largest: Bytes of the largest file that is cached.
        capacity: Bytes of all cached files.
        idle: Seconds after which an unused file is evicted, or a little later.
        now: Clock, in seconds.
    """

    def __init__(self, name: str, largest: int, capacity: int, idle: float, now: Callable[[], float]) -> None:
        self._largest = largest
        self._capacity = capacity
        self._now = now
        self._lock = threading.Lock()
        self._cached: OrderedDict[OrthancId, _CachedFile] = OrderedDict()
        self._loading = 0
        self._timer = EvictionTimer(name, idle, now, self.evict)

    def get(self, instance: Instance, read: Callable[[], memoryview]) -> memoryview | None:
        """Return a file, from the cache or else read; None if it is too large, or others are being read.

        Args:
            instance: The instance, as Orthanc describes it now.
            read: Reads its file.
        """
        with self._lock:
            cached = self._cached.get(instance.id)
            if cached and cached.uuid == instance.uuid:
                cached.used = self._now()
                self._cached.move_to_end(instance.id)
                return cached.data
            self._cached.pop(instance.id, None)
            if instance.size > self._largest or not self._make_room(instance.size):
                return None
            self._loading += instance.size
        data = None
        try:
            data = read()
        finally:
            with self._lock:
                self._loading -= instance.size
                if data is not None:
                    self._cached[instance.id] = _CachedFile(instance.uuid, data, self._now())
        self._timer.start()
        return data

    def _make_room(self, size: int) -> bool:
        if self._loading + size > self._capacity:
            return False
        while self._loading + size + sum(len(cached.data) for cached in self._cached.values()) > self._capacity:
            self._cached.popitem(last=False)
        return True

    def forget(self, instance: OrthancId) -> None:
        """Evict a file."""
        with self._lock:
            self._cached.pop(instance, None)

    def close(self) -> None:
        """Evict all files, and stop the timer."""
        self._timer.stop()
        self.evict()

    def evict(self, until: float = float("inf")) -> bool:
        """Evict the files that were not used after a moment; return True if others are left."""
        with self._lock:
            for one in [one for one, cached in self._cached.items() if cached.used <= until]:
                del self._cached[one]
            return bool(self._cached)
