"""Caches for `davfs.orthanc.ranges`: files in memory, and open files.

Both go by the instance's id and the name of its stored file, so that another content is never taken for this one. What
is dropped is closed without the lock.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

from davfs.entry import Readable
from davfs.orthanc.model import Instance, OrthancId

FileContext: TypeAlias = AbstractContextManager[Readable]


@dataclass(slots=True)
class _CachedFile:
    uuid: str
    data: memoryview
    used: float


class FileCache:
    """Whole files in memory; those used last stay where there is not room for all.

    Args:
        largest: Bytes of the largest file that is kept.
        room: Bytes of all that are kept.
        now: Clock, in seconds.
    """

    def __init__(self, largest: int, room: int, now: Callable[[], float]) -> None:
        self._largest = largest
        self._room = room
        self._now = now
        self._lock = threading.Lock()
        self._kept: OrderedDict[OrthancId, _CachedFile] = OrderedDict()
        self._filling = 0

    def get(self, instance: Instance, read: Callable[[], memoryview]) -> memoryview | None:
        """Return a file, which is read first where it is not kept; None where it is too large, or there is no room.

        Args:
            instance: Which one, as it is now.
            read: Reads it.
        """
        with self._lock:
            kept = self._kept.get(instance.id)
            if kept and kept.uuid == instance.uuid:
                kept.used = self._now()
                self._kept.move_to_end(instance.id)
                return kept.data
            self._kept.pop(instance.id, None)
            if instance.size > self._largest or not self._make_room(instance.size):
                return None
            self._filling += instance.size
        try:
            data = read()
        except BaseException:
            with self._lock:
                self._filling -= instance.size
            raise
        with self._lock:
            self._filling -= instance.size
            self._kept[instance.id] = _CachedFile(instance.uuid, data, self._now())
        return data

    def _make_room(self, size: int) -> bool:
        if self._filling + size > self._room:
            return False
        while self._filling + size + sum(len(kept.data) for kept in self._kept.values()) > self._room:
            self._kept.popitem(last=False)
        return True

    def forget(self, instance: OrthancId) -> None:
        """Drop a file."""
        with self._lock:
            self._kept.pop(instance, None)

    def drop(self, until: float) -> None:
        """Drop all that was not used after a moment."""
        with self._lock:
            for one in [one for one, kept in self._kept.items() if kept.used <= until]:
                del self._kept[one]


@dataclass(frozen=True, slots=True)
class _IdleFile:
    instance: Instance
    position: int
    source: FileContext
    file: Readable
    since: float

    def is_of(self, instance: Instance) -> bool:
        """Return True if an instance still has this file."""
        return (self.instance.id, self.instance.uuid) == (instance.id, instance.uuid)


class OpenFileCache:
    """Files that stay open between two ranges, each where the last one ended.

    Args:
        most: Number of files; those that waited longest are closed where there are more.
        now: Clock, in seconds.
    """

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._lock = threading.Lock()
        self._waiting: list[_IdleFile] = []

    def take(self, instance: Instance, position: int) -> tuple[FileContext, Readable] | None:
        """Return the file that stands at a position or least before it, None for none; the caller has to close it."""
        with self._lock:
            before = [one for one in self._waiting if one.is_of(instance) and one.position <= position]
            if not before:
                return None
            nearest = max(before, key=lambda one: one.position)
            self._waiting = [one for one in self._waiting if one is not nearest]
        return nearest.source, nearest.file

    def put(self, instance: Instance, position: int, source: FileContext, file: Readable) -> None:
        """Keep a file open that stands at a position."""
        with self._lock:
            self._waiting.append(_IdleFile(instance, position, source, file, self._now()))
            surplus = self._waiting[: max(0, len(self._waiting) - self._most)]
        self._close(surplus)

    def forget(self, instance: OrthancId) -> None:
        """Close the files of an instance."""
        with self._lock:
            gone = [one for one in self._waiting if one.instance.id == instance]
        self._close(gone)

    def drop(self, until: float) -> None:
        """Close all that were put back at a moment or before."""
        with self._lock:
            idle = [one for one in self._waiting if one.since <= until]
        self._close(idle)

    def _close(self, files: list[_IdleFile]) -> None:
        for one in files:
            with self._lock:
                mine = any(other is one for other in self._waiting)  # or another thread was faster
                self._waiting = [other for other in self._waiting if other is not one]
            if mine:
                one.source.__exit__(None, None, None)
