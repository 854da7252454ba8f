"""Request bodies, read from the connection in bounded memory and without waiting for the client.

cheroot's own reader takes each chunk into memory whole, and a single chunk may be the whole file (RFC 9112 §7.1).
"""

import re
from http import HTTPStatus
from typing import Protocol

from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.wire.request_head import check_field

_LONGEST_LINE = 4096
"""Bytes of the line before a chunk, extensions included, and of all trailer lines together."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
"""The line before a chunk; what it may say beside the length is not looked at (RFC 9112 §7.1.1)."""


class ByteStream(Protocol):
    """A connection as a buffered file, which raises `BlockingIOError`, and consumes nothing, until bytes arrive."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Read at most as many bytes as fit into a buffer; return how many, 0 at the end alone."""

    def readline(self, size: int, /) -> bytes:
        """Return a line with its end, at most its first so many bytes."""


class RequestBody:
    """A request body: ``wsgi.input`` of the application."""

    @property
    def left(self) -> int | None:
        """Bytes that are left on the connection; None for a body without a ``Content-Length``."""
        raise NotImplementedError

    def readinto(self, buffer: memoryview) -> int:
        """Read at most as many bytes as fit into a buffer; return how many, 0 at the end.

        Raises:
            BlockingIOError: Nothing has arrived, and more is to come.
            HttpError: It ends too early, its framing is wrong, or the client is too slow.
        """
        raise NotImplementedError

    def read(self, size: int) -> bytes:
        """Return at most so many bytes, none at the end. See `readinto`."""
        buffer = bytearray(size)
        count = self.readinto(memoryview(buffer))
        del buffer[count:]
        return bytes(buffer)


class FixedLengthBody(RequestBody):
    """A body with a ``Content-Length``.

    Args:
        source: The connection, at the body's first byte.
        length: Bytes of the body.
    """

    def __init__(self, source: ByteStream, length: int) -> None:
        self._source = source
        self._left = length

    @property
    def left(self) -> int:
        """See `RequestBody`."""
        return self._left

    def readinto(self, buffer: memoryview) -> int:
        """See `RequestBody`."""
        wanted = buffer[: self._left]
        count = self._source.readinto(wanted) if wanted else 0
        if wanted and not count:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"The body broke off {self._left} bytes before its end.")
        self._left -= count
        return count


class ChunkedBody(RequestBody):
    """A body in chunks (RFC 9112 §7.1).

    Some versions of Finder announce the length in ``X-Expected-Entity-Length`` and never send the last chunk: the body
    ends after so many bytes, whatever follows on the connection.

    Args:
        source: The connection, at the first chunk.
        expected: Bytes of the body; None if unknown.
    """

    def __init__(self, source: ByteStream, expected: int | None = None) -> None:
        self._source = source
        self._expected = expected
        self._received = 0
        self._chunk = 0
        self._next = self._begin_chunk
        self._trailer = _LONGEST_LINE
        self._finished = False

    @property
    def left(self) -> int | None:
        """See `RequestBody`."""
        return 0 if self._finished else None

    def readinto(self, buffer: memoryview) -> int:
        """See `RequestBody`."""
        while not self._chunk:
            if self._finished or self._received == self._expected:
                return 0
            self._next(self._line())
        wanted = buffer[: self._chunk]
        count = self._source.readinto(wanted)
        if wanted and not count:
            raise HttpError(HTTPStatus.BAD_REQUEST, "The body broke off within a chunk.")
        self._chunk -= count
        self._received += count
        return count

    def _begin_chunk(self, line: bytes) -> None:
        """Parse the line before a chunk."""
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise HttpError(HTTPStatus.BAD_REQUEST, "A chunk of the body does not begin with its length.")
        self._chunk = int(found[1], 16)
        self._next = self._end_chunk if self._chunk else self._skip_trailer

    def _end_chunk(self, line: bytes) -> None:
        """Check the line end behind a chunk."""
        if line != b"\r\n":
            raise HttpError(HTTPStatus.BAD_REQUEST, "A chunk of the body is longer than it says.")
        self._next = self._begin_chunk

    def _skip_trailer(self, line: bytes) -> None:
        """Skip a line of the trailer."""
        if line == b"\r\n":
            self._finished = True
            return
        check_field(line[:-2].decode("latin-1"))
        self._trailer -= len(line)
        if self._trailer < 0:
            raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The trailer of the body is too long.")

    def _line(self) -> bytes:
        line = self._source.readline(_LONGEST_LINE)
        if not line.endswith(b"\r\n"):
            raise HttpError(HTTPStatus.BAD_REQUEST, "The body broke off, or a line in it is too long.")
        return line
