"""Defines the entries of the drive's folders, and the content of files."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from enum import Enum
from itertools import chain
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeAlias

Path: TypeAlias = tuple[str, ...]
"""Segments below the drive's root, each in NFC; ``()`` is the root itself."""


DICOM = "application/dicom"
"""MIME type of a DICOM file (DICOM PS3.18)."""


class EntryKind(Enum):
    """Kind of an entry."""

    FOLDER = "folder"
    FILE = "file"


class Entry(NamedTuple):  # made in half the time of a dataclass
    """One folder or file, as a listing shows it.

    Attributes:
        name: Last segment of its path, in NFC.
        kind: Folder or file.
        modified: Last change, in UTC (``tzinfo`` set).
        size: Bytes of the content; 0 for a folder.
        etag: Entity tag, which changes whenever the content does; empty if unknown.
        media_type: MIME type of a file; empty for a folder.
        resource: Orthanc's id of the resource that it shows, for the audit trail; empty for none.
        steady: True if it is an instance's stored DICOM file, and its path leads to that instance until the catalog
            changes: it can then be served by the instance's id alone. Never true for derived files.
        implied: True for a folder that exists when it is opened only, so that it can be created like a new one.
        level: Level of the resource, for the audit trail: ``patient``, ``study``, ``series`` or ``instance``; empty if
            there is none, or if it is an instance's DICOM file.
        changed: When the content was changed, in UTC, if `modified` says nothing about that, since it is the date of an
            acquisition, or one that a client told; None if `modified` is that time.
    """

    name: str
    kind: EntryKind
    modified: datetime
    size: int = 0
    etag: str = ""
    media_type: str = ""
    resource: str = ""
    steady: bool = False
    implied: bool = False
    level: str = ""
    changed: datetime | None = None

    @property
    def is_folder(self) -> bool:
        """True for a folder."""
        return self.kind is EntryKind.FOLDER


class Content(AbstractContextManager["Content"], Protocol):
    """The bytes of an open file: a context manager that closes the file."""

    @property
    def entry(self) -> Entry:
        """Size, dates and type of exactly these bytes."""

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Yield the bytes from ``start`` to before ``stop`` (offsets in bytes) as one or several buffers."""


class ContentAs(AbstractContextManager["ContentAs"]):
    """`Content` that shows another entry: the same bytes with another date or type.

    Args:
        content: The bytes, which are open.
        entry: The entry.

    Attributes:
        descriptor: See `Streamed`.
    """

    def __init__(self, content: Content, entry: Entry) -> None:
        self._content = content
        self.entry = entry
        self.descriptor: int | None = getattr(content, "descriptor", None)

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `Content`."""
        return self._content.buffers(start, stop)

    def __enter__(self) -> Self:
        self._content.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._content.__exit__(kind, error, traceback)


def read_all(content: Content) -> memoryview:
    """Return all bytes of a file, without a copy if they are one buffer.

    Raises:
        ValueError: They are more or fewer than the size in its entry.
    """
    size = content.entry.size
    buffers = content.buffers()
    first = next(buffers, memoryview(b""))
    if len(first) < size:
        return _joined(size, chain([first], buffers))
    if len(first) > size or any(map(len, buffers)):
        raise ValueError(f"a file has more than its {size} bytes")
    return first


def _joined(size: int, buffers: Iterable[memoryview]) -> memoryview:
    data, filled = memoryview(bytearray(size)), 0
    for buffer in buffers:
        if len(buffer) > size - filled:
            raise ValueError(f"a file has more than its {size} bytes")
        data[filled : filled + len(buffer)] = buffer
        filled += len(buffer)
    if filled < size:
        raise ValueError(f"a file has {filled} instead of {size} bytes")
    return data.toreadonly()


class Readable(Protocol):
    """Bytes that are open for reading, by range and in any order, on one thread at a time."""

    @property
    def size(self) -> int:
        """Number of bytes."""

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Yield the bytes from ``start`` to before ``stop`` as one or several buffers."""


class InMemory:
    """`Readable` bytes in one buffer of memory.

    Args:
        source: Returns the buffer, and releases it at the end.
    """

    def __init__(self, source: AbstractContextManager[memoryview]) -> None:
        self._source = source
        self._data = memoryview(b"")

    @property
    def size(self) -> int:
        """See `Readable`."""
        return len(self._data)

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `Readable`; it is always one buffer."""
        yield self._data[start:stop]

    def __enter__(self) -> Self:
        self._data = self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, traceback)


class Streamed:
    """`Content` that is read from an open source.

    Args:
        entry: The file's entry; its size is replaced by that of the bytes.
        source: Returns the bytes; entered at once, so that an error of opening is raised here.
        instances: Number of instances in an archive; None for other files.

    Attributes:
        entry: See `Content`.
        instances: As given.
        descriptor: An open file on the disk that has these bytes; None for none.
    """

    def __init__(self, entry: Entry, source: AbstractContextManager[Readable], instances: int | None = None) -> None:
        self._source = source
        self.instances = instances
        self._bytes = source.__enter__()
        self.descriptor: int | None = getattr(self._bytes, "descriptor", None)
        size = self._bytes.size
        self.entry = entry if entry.size == size else entry._replace(size=size)

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `Content`."""
        return self._bytes.buffers(start, stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, traceback)


class Opened(Streamed):
    """`Content` that is one buffer of memory, see `Streamed`."""

    def __init__(self, entry: Entry, source: AbstractContextManager[memoryview]) -> None:
        super().__init__(entry, InMemory(source))
