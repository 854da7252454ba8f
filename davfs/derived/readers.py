"""Readers of a stream: one that a parser may rewind, and one that only goes forward."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from davfs.errors import NotAnonymised

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

AHEAD = 1 << 16
"""Bytes that are read at once."""
LARGEST = 256 << 20
"""Bytes that can be rewound: the largest data set, without its pixels, that is de-identified."""


class PrefixReader(io.RawIOBase):
    """A stream as a seekable file, which keeps all bytes that were read.

    Args:
        buffers: The bytes.
        size: Number of bytes.
        largest: Bytes that are kept at most.
    """

    name = ""
    """An attribute that pydicom expects of buffered files."""

    def __init__(self, buffers: Iterator[memoryview], size: int, largest: int = LARGEST) -> None:
        self._buffers = buffers
        self._size = size
        self._largest = largest
        self._kept = bytearray()
        self._position = 0
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """See `io.RawIOBase`.

        Raises:
            NotAnonymised: More bytes would have to be kept.
        """
        target = memoryview(buffer).cast("B")
        self._fill(min(self._position + len(target), self._size))
        found = self._kept[self._position : self._position + len(target)]
        target[: len(found)] = found
        self._position += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """See `io.RawIOBase`."""
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence] + offset
        return self._position

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._position

    def peek(self, offset: int, size: int) -> bytearray:
        """Return so many bytes at an offset, fewer at the end of the file; the position stays."""
        if offset + size > len(self._kept):
            self._fill(min(offset + max(size, AHEAD), self._size))
        return self._kept[offset : offset + size]

    def _fill(self, stop: int) -> None:
        while (missing := stop - len(self._kept)) > 0:
            if not self._rest:
                self._rest = next(self._buffers, memoryview(b""))
            if not self._rest:
                return
            if len(self._kept) + missing > self._largest:
                raise NotAnonymised("a data set is too large to be de-identified")
            self._kept += self._rest[:missing]
            self._rest = self._rest[missing:]

    def rest(self) -> "ForwardReader":
        """Return a reader of the bytes behind the position; this one cannot be used any more."""
        kept, self._kept = memoryview(bytes(self._kept[self._position :])), bytearray()
        rest, self._rest = self._rest, memoryview(b"")
        return ForwardReader(iter((kept, rest)), self._buffers)


class ForwardReader:
    """A stream that keeps nothing.

    Args:
        sources: The bytes, one source after the other.
    """

    def __init__(self, *sources: Iterator[memoryview]) -> None:
        self._buffers = (buffer for source in sources for buffer in source if buffer)
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer at the end."""
        found: list[bytes] = []
        while size:
            self._rest = self._rest or next(self._buffers, memoryview(b""))
            if not self._rest:
                break
            found.append(bytes(self._rest[:size]))
            self._rest = self._rest[size:]
            size -= len(found[-1])
        return found[0] if len(found) == 1 else b"".join(found)

    def read_exactly(self, size: int) -> bytes:
        """Return so many bytes.

        Raises:
            ValueError: There are fewer.
        """
        found = self.read(size)
        if len(found) != size:
            raise ValueError("a file ends within its pixels")
        return found
