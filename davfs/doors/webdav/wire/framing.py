"""The bodies of requests, read from the connection in bounded memory.

cheroot's own reader takes each chunk into memory whole, and a single chunk may be the whole file (RFC 9112 §7.1).
"""

import re
from http import HTTPStatus
from typing import Protocol

from davfs.doors.webdav.refusals import Refusal
from davfs.doors.webdav.wire.head import field

_LONGEST_LINE = 4096
"""Bytes of the line before a chunk, extensions included, and of all trailer lines together."""
_BLOCK = 64 * 1024
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
"""The line before a chunk; what it may say beside the length is not looked at (RFC 9112 §7.1.1)."""


class Source(Protocol):
    """The connection, as a buffered file."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer at the end alone."""

    def readline(self, size: int, /) -> bytes:
        """Return a line, with its end, or its first so many bytes."""


class Body:
    """A body: ``wsgi.input`` of a request."""

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left on the connection."""
        raise NotImplementedError

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes, all for a negative number; none at the end.

        Raises:
            Refusal: It ends too early, its framing is wrong, or nothing comes.
        """
        try:
            return self._some(size) if size >= 0 else b"".join(iter(lambda: self._some(_BLOCK), b""))
        except TimeoutError as error:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "The body stopped coming.") from error

    def discard(self, limit: int) -> bool:
        """Read what is left and throw it away, up to so many bytes; return whether that was all."""
        while not self.finished and limit > 0:
            limit -= len(self._some(_BLOCK)) or limit
        return self.finished

    def _some(self, size: int) -> bytes:
        raise NotImplementedError


class KnownBody(Body):
    """A body of a length that was announced.

    Args:
        source: The connection, at the body's first byte.
        length: Bytes of the body.
    """

    def __init__(self, source: Source, length: int) -> None:
        self._source = source
        self._left = length

    @property
    def finished(self) -> bool:
        """See `Body`."""
        return self._left == 0

    def _some(self, size: int) -> bytes:
        block = self._source.read(min(size, self._left)) if self._left else b""
        if self._left and size and not block:
            raise Refusal(HTTPStatus.BAD_REQUEST, f"The body broke off {self._left} bytes before its end.")
        self._left -= len(block)
        return block


class ChunkedBody(Body):
    """A body in chunks (RFC 9112 §7.1).

    Some versions of Finder announce the length in ``X-Expected-Entity-Length`` and never send the last chunk: the body
    ends after so many bytes, whatever follows on the connection.

    Args:
        source: The connection, at the first chunk.
        expected: Bytes of the body; None where the client does not tell.
    """

    def __init__(self, source: Source, expected: int | None = None) -> None:
        self._source = source
        self._expected = expected
        self._received = 0
        self._chunk = 0
        self._finished = False

    @property
    def finished(self) -> bool:
        """See `Body`."""
        return self._finished

    def _some(self, size: int) -> bytes:
        if not size or self._finished or (self._received == self._expected and not self._chunk):
            return b""
        if not self._chunk and not self._next_chunk():
            return b""
        block = self._source.read(min(size, self._chunk, _BLOCK))
        if not block:
            raise Refusal(HTTPStatus.BAD_REQUEST, "The body broke off within a chunk.")
        self._chunk -= len(block)
        self._received += len(block)
        if not self._chunk and self._source.read(2) != b"\r\n":
            raise Refusal(HTTPStatus.BAD_REQUEST, "A chunk of the body is longer than it says.")
        return block

    def _next_chunk(self) -> bool:
        """Begin the next chunk; return False after the last one."""
        found = _CHUNK.fullmatch(self._line())
        if found is None:
            raise Refusal(HTTPStatus.BAD_REQUEST, "A chunk of the body does not begin with its length.")
        self._chunk = int(found[1], 16)
        if self._chunk == 0:
            self._skip_trailers()
            self._finished = True
        return self._chunk > 0

    def _skip_trailers(self) -> None:
        left = _LONGEST_LINE
        while (line := self._line()) != b"\r\n":
            field(line)
            left -= len(line)
            if left < 0:
                raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The trailer of the body is too long.")

    def _line(self) -> bytes:
        line = self._source.readline(_LONGEST_LINE)
        if not line.endswith(b"\r\n"):
            raise Refusal(HTTPStatus.BAD_REQUEST, "The body broke off, or a line in it is too long.")
        return line
