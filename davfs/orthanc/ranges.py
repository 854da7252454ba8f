"""Caches DICOM files for mounted drives, which read them in many small ranges, one request for each.

Orthanc before 1.12.5 knows no ranges: each would read the file from its beginning, and inside Orthanc every read is one
of the whole file. So from the second request for a part of a file on,

1. a small file is cached in memory,
2. a large one is kept open where the last range ended, for the next one to begin there or further on,

until it was idle for a while. Before cached bytes are served, Orthanc is asked for the name of the stored file: a
deleted file is gone at once, and another content has another name. The name is requested *before* the bytes, so new
bytes may be cached under an old name, but never old bytes under a new name.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self, TypeAlias

from davfs.cache import LruSet
from davfs.entry import Readable
from davfs.errors import Unavailable, UnknownResource
from davfs.orthanc import InstanceFiles
from davfs.orthanc.file_cache import FileCache
from davfs.orthanc.idle import IdlePool
from davfs.orthanc.model import Instance, OrthancId
from davfs.orthanc.storage_folder import StorageFolder, StoredFile

_NOTED = 1000
"""Instances that are known to be read in ranges."""

_OpenedFile: TypeAlias = tuple[AbstractContextManager[Readable], Readable]
_OpenFiles: TypeAlias = IdlePool[tuple[OrthancId, str], _OpenedFile]


class RangeCache:
    """`davfs.orthanc.InstanceFiles` that can be read in many small ranges.

    Args:
        orthanc: Has the files.
        storage: Orthanc's storage folder, whose files are read in ranges without a cache; None if it is not readable.
        largest: Bytes of the largest file that is cached in memory.
        capacity: Bytes of all files that are cached in memory.
        open_files: Number of files that are kept open; inside Orthanc each of them is in the core's memory.
        idle: Seconds after which an unused file is evicted, or a little later.
        now: Clock, in seconds.
    """

    def __init__(  # noqa: PLR0913  limits, each with its default
        self,
        orthanc: InstanceFiles,
        *,
        storage: StorageFolder | None = None,
        largest: int = 32 << 20,
        capacity: int = 128 << 20,
        open_files: int = 4,
        idle: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.instance, self.instances, self.instance_size = orthanc.instance, orthanc.instances, orthanc.instance_size
        self._orthanc = orthanc
        self._storage = storage
        self._files = FileCache("davfs-ranges", largest, capacity, idle, now)
        self._open_files: _OpenFiles = IdlePool("davfs-open-files", open_files, idle, now, _close)
        self._noted = LruSet[OrthancId](_NOTED, lifetime=idle, now=now)

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[Readable]:
        """See `davfs.orthanc.InstanceFiles`."""
        if instance not in self._noted:
            return _UncachedFile(self._orthanc.open_instance(instance, start), lambda: self._noted.add(instance))
        found = self._orthanc.instances([instance])
        if not found:
            self._files.forget(instance)
            self._open_files.evict(belongs=lambda key: key[0] == instance)
            raise UnknownResource("the instance does not exist any more")
        self._noted.add(instance)
        return _RangedFile(self._orthanc, found[0], self._files, self._open_files, lambda: self._noted.add(instance))

    def open_stored(self, instance: OrthancId, uuid: str, size: int) -> StoredFile | None:
        """See `davfs.orthanc.HasStorageFolder`."""
        return None if self._storage is None else self._storage.open(instance, uuid, size)

    def close(self) -> None:
        """Evict all files, and stop the timers."""
        self._open_files.close()
        self._files.close()


def _close(opened: _OpenedFile) -> None:
    opened[0].__exit__(None, None, None)


class _UncachedFile:
    """A file that is read directly; a request for a part of it is noted.

    Args:
        source: Gives the bytes.
        note: Is called if a part is requested.
    """

    def __init__(self, source: AbstractContextManager[Readable], note: Callable[[], None]) -> None:
        self._source = source
        self._note = note

    def __enter__(self) -> Self:
        self._file = self._source.__enter__()
        self.size = self._file.size
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, traceback)

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `davfs.entry.Readable`."""
        if start > 0 or (stop is not None and stop < self.size):
            self._note()
        return self._file.buffers(start, stop)


class _RangedFile:
    """A file of which parts were requested before.

    Args:
        orthanc: Opens it.
        instance: The instance, as Orthanc describes it now.
        files: The cache in memory.
        open_files: The files that are kept open.
        note: Is called on exit, when the idle time begins.
    """

    def __init__(
        self,
        orthanc: InstanceFiles,
        instance: Instance,
        files: FileCache,
        open_files: _OpenFiles,
        note: Callable[[], None],
    ) -> None:
        self._orthanc = orthanc
        self._instance = instance
        self._key = instance.id, instance.uuid
        self._files = files
        self._open_files = open_files
        self._note = note
        self._opened: _OpenedFile | None = None
        self._position: int | None = None
        self.size = instance.size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            if error is None and self._position is not None and self._position < self.size:
                self._open_files.put(self._key, self._position, self._opened)
            else:
                self._opened[0].__exit__(kind, error, traceback)
        self._note()

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `davfs.entry.Readable`."""
        stop = self.size if stop is None else min(stop, self.size)
        content = self._files.get(self._instance, self._read_all)
        if content is not None:
            yield content[start:stop]
            return
        if self._opened is None:
            self._opened = self._open_files.take(self._key, start) or self._open(start)
        self._position = None
        yield from self._opened[1].buffers(start, stop)
        self._position = stop

    def _open(self, start: int) -> _OpenedFile:
        source = self._orthanc.open_instance(self._instance.id, start)
        file = source.__enter__()
        if file.size != self.size:
            source.__exit__(None, None, None)
            raise Unavailable("a file was replaced while it was read")
        return source, file

    def _read_all(self) -> memoryview:
        content, filled = bytearray(self.size), 0
        source, file = self._open(0)
        with ExitStack() as stack:
            stack.push(source)
            for buffer in file.buffers():
                content[filled : filled + len(buffer)] = buffer
                filled += len(buffer)
        return memoryview(content).toreadonly()
