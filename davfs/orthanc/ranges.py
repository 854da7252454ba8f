"""Reading DICOM files in many small ranges, each of them a request of its own, as mounted drives do.

Orthanc before 1.12.5 knows no ranges: each would read the file from its beginning, and inside Orthanc every read is one
of the whole file. So from the second time that a part of a file is asked for,

1. a small file is kept in memory,
2. a large one is kept open where the last range ended, for the next to begin there or further on,

until nobody has asked for a while. Before anything that is kept is served, Orthanc is asked for the name of the stored
file: what was deleted is gone at once, and another content has another name. The name is asked for *before* the bytes,
so new bytes may be kept under a name that was over already, but never old bytes under a new name.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from davfs.entry import Readable
from davfs.errors import Unavailable, UnknownResource
from davfs.orthanc import Orthanc
from davfs.orthanc.file_cache import FileCache, FileContext, OpenFileCache
from davfs.orthanc.model import Instance, OrthancId

_NOTED = 1000
"""Instances of which it is known that parts of them are asked for."""


class RangeCache:
    """`davfs.orthanc.Orthanc` whose files can be read in many small ranges; in all else it is the one behind it.

    Args:
        orthanc: The one behind it.
        largest: Bytes of the largest file that is kept in memory.
        room: Bytes of all files that are kept in memory.
        open_files: Files that are kept open; inside Orthanc each of them is in the core's memory.
        idle: Seconds after which what nobody asked for is dropped, or a little later.
        now: Clock, in seconds.
    """

    def __init__(  # noqa: PLR0913  limits, each with its default
        self,
        orthanc: Orthanc,
        *,
        largest: int = 32 << 20,
        room: int = 128 << 20,
        open_files: int = 4,
        idle: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last_change = orthanc.last_change
        self.changes = orthanc.changes
        self.counts = orthanc.counts
        self.ids = orthanc.ids
        self.children = orthanc.children
        self.with_children = orthanc.with_children
        self.exists = orthanc.exists
        self.existing = orthanc.existing
        self.resources = orthanc.resources
        self.some = orthanc.some
        self.instances = orthanc.instances
        self.instance = orthanc.instance
        self.instance_size = orthanc.instance_size
        self.instance_md5 = orthanc.instance_md5
        self.is_intact = orthanc.is_intact
        self.uncompressed = orthanc.uncompressed
        self.instance_file = orthanc.instance_file
        self.description = orthanc.description
        self.picture = orthanc.picture
        self.report = orthanc.report
        self.all_tags = orthanc.all_tags
        self.store = orthanc.store
        self.delete = orthanc.delete
        self._orthanc = orthanc
        self._files = FileCache(largest, room, now)
        self._open_files = OpenFileCache(open_files, now)
        self._idle = idle
        self._now = now
        self._lock = threading.Lock()
        self._noted: dict[OrthancId, float] = {}
        self._timer: threading.Timer | None = None

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[Readable]:
        """See `davfs.orthanc.Orthanc`."""
        if instance not in self._noted:
            return _First(self._orthanc.open_instance(instance, start), lambda: self._note(instance))
        found = self._orthanc.instances([instance])
        if not found:
            self._files.forget(instance)
            self._open_files.forget(instance)
            raise UnknownResource("the instance does not exist any more")
        self._note(instance)
        return _Again(self._orthanc, found[0], self._files, self._open_files, lambda: self._note(instance))

    def _note(self, instance: OrthancId) -> None:
        with self._lock:
            self._noted.pop(instance, None)
            self._noted[instance] = self._now()
            if len(self._noted) > _NOTED:
                del self._noted[next(iter(self._noted))]
            self._arm()

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._idle, self.drop_idle)
            self._timer.name, self._timer.daemon = "davfs-ranges", True
            self._timer.start()

    def drop_idle(self) -> None:
        """Drop what nobody asked for any more; a timer does so while anything is kept."""
        self._drop(self._now() - self._idle)
        with self._lock:
            if self._noted:
                self._arm()

    def close(self) -> None:
        """Drop everything, and stop the timer."""
        self._drop(float("inf"))

    def _drop(self, until: float) -> None:
        with self._lock:
            self._noted = {one: used for one, used in self._noted.items() if used > until}
            if self._timer:
                self._timer.cancel()
            self._timer = None
        self._files.drop(until)
        self._open_files.drop(until)


class _First:
    """A file that is read as it comes; where a part of it is asked for, that is noted.

    Args:
        source: Gives the bytes.
        note: Is called where a part is asked for.
    """

    def __init__(self, source: FileContext, note: Callable[[], None]) -> None:
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


class _Again:
    """A file of which parts were asked for before.

    Args:
        orthanc: Opens it.
        instance: Which one, as it is now.
        files: Where it is in memory, or will be.
        open_files: Where it is open, or will be.
        note: Is called when it is closed: what is kept is kept from then on.
    """

    def __init__(
        self,
        orthanc: Orthanc,
        instance: Instance,
        files: FileCache,
        open_files: OpenFileCache,
        note: Callable[[], None],
    ) -> None:
        self._orthanc = orthanc
        self._instance = instance
        self._files = files
        self._open_files = open_files
        self._note = note
        self._opened: tuple[FileContext, Readable] | None = None
        self._position: int | None = None
        self.size = instance.size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            source, file = self._opened
            if error is None and self._position is not None and self._position < self.size:
                self._open_files.put(self._instance, self._position, source, file)
            else:
                source.__exit__(kind, error, traceback)
        self._note()

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `davfs.entry.Readable`."""
        stop = self.size if stop is None else min(stop, self.size)
        content = self._files.get(self._instance, self._whole)
        if content is not None:
            yield content[start:stop]
            return
        if self._opened is None:
            self._opened = self._open_files.take(self._instance, start) or self._open(start)
        self._position = None
        yield from self._opened[1].buffers(start, stop)
        self._position = stop

    def _open(self, start: int) -> tuple[FileContext, Readable]:
        source = self._orthanc.open_instance(self._instance.id, start)
        file = source.__enter__()
        if file.size != self.size:
            source.__exit__(None, None, None)
            raise Unavailable("a file was replaced while it was read")
        return source, file

    def _whole(self) -> memoryview:
        content, filled = bytearray(self.size), 0
        source, file = self._open(0)
        with ExitStack() as stack:
            stack.push(source)
            for buffer in file.buffers():
                content[filled : filled + len(buffer)] = buffer
                filled += len(buffer)
        return memoryview(content).toreadonly()
