"""Members for archives that are generated while they are read, and readers of such archives."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from davfs.derived.archive import ArchiveMember
from davfs.derived.file import DerivedFile
from davfs.derived.streams import StreamPool

MEBI, GIBI = 1 << 20, 1 << 30
DATE = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
ZEROS = memoryview(bytes(4 * MEBI))


@dataclass
class Zeros:
    """Zero bytes, in blocks that are larger than those of the archive."""

    size: int

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `Readable`."""
        stop = self.size if stop is None else stop
        for position in range(start, stop, len(ZEROS)):
            yield ZEROS[: stop - position]


@dataclass
class Bytes:
    """Bytes in blocks of their own."""

    content: bytes | bytearray
    block: int = 50

    @property
    def size(self) -> int:
        """See `Readable`."""
        return len(self.content)

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `Readable`."""
        content = memoryview(self.content)[start:stop]
        for position in range(0, len(content), self.block):
            yield content[position : position + self.block]


@dataclass
class Source:
    """Makes members, and records which were opened, which are open, and the most that were open at once."""

    opened: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    most: int = 0

    def member(
        self, path: str, content: Zeros | Bytes, size: int | None = None, date: datetime = DATE
    ) -> ArchiveMember:
        """Return a member with some content."""
        names = tuple(path.split("/"))
        return ArchiveMember(
            names, content.size if size is None else size, "v", date, lambda: self._open(path, content)
        )

    def members(self, count: int, size: int = 100) -> list[ArchiveMember]:
        """Return members with different contents."""
        return [self.member(f"{index:04}.dcm", Bytes(bytes([index % 256]) * size)) for index in range(count)]

    @contextmanager
    def _open(self, path: str, content: Zeros | Bytes) -> Iterator[Zeros | Bytes]:
        self.opened.append(path)
        self.open.append(path)
        self.most = max(self.most, len(self.open))
        try:
            yield content
        finally:
            self.open.remove(path)


def read(made: DerivedFile, start: int = 0, stop: int | None = None) -> bytes:
    """Open an archive and read some of it, as one request does."""
    with made.open() as file:
        assert file.size == made.size
        return b"".join(file.buffers(start, stop))


def unzipped(content: bytes) -> zipfile.ZipFile:
    """Return an archive all of whose members can be read."""
    opened = zipfile.ZipFile(io.BytesIO(content))
    assert opened.testzip() is None
    return opened


def many(count: int) -> list[ArchiveMember]:
    """Return members without content."""
    return [ArchiveMember((f"{index}",), 0, "v", DATE, lambda: nullcontext(Bytes(b""))) for index in range(count)]


@pytest.fixture
def source() -> Source:
    """A source of members."""
    return Source()


@pytest.fixture
def kept() -> Iterator[StreamPool]:
    """A pool of streams whose clock stands still."""
    kept = StreamPool(idle=1000, now=lambda: 0.0)
    yield kept
    kept.close()
