"""The receiving side of a connection, in place of cheroot's: the buffered bytes of requests, and no wait for more."""

import re
import select
from collections.abc import Callable
from http import HTTPStatus

from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.wire.brief_wait import BriefWait
from davfs.doors.webdav.wire.tls_socket import WOULD_BLOCK, Socket, TlsSocket

LARGEST_HEAD = 64 * 1024
"""Bytes of a request's line and headers."""
_HEAD_BLOCK = 16 * 1024
_DISCARDED = 64 * 1024
_LONGEST_TARGET = 512
_DEPTH = re.compile(rb"\r\ndepth:[ \t]*(\w{1,8})", re.IGNORECASE)
_END = b"\r\n\r\n"
_TOO_LONG = f"The head of a request may have {LARGEST_HEAD} bytes."


class SocketReader:
    """Reads requests, as far as they have arrived.

    Args:
        source: A socket that does not block.
        brief_wait: Waits briefly for more of a body.

    Attributes:
        ended: Whether the client has closed its side, or the connection broke.
        refusal: Error that a read raises when nothing has arrived; set when the client has taken too long.
        before_wait: Called before the client is waited for.
        received: Bytes that have arrived so far.
    """

    refusal: Exception | None = None
    before_wait: Callable[[], None] | None = None

    def __init__(self, source: Socket, brief_wait: BriefWait) -> None:
        self._socket = source
        self._brief_wait = brief_wait
        self._is_tls = isinstance(source, TlsSocket)
        self._buffer = bytearray()
        self.closed = False
        self.ended = False
        self.received = 0

    def receive(self) -> bool:
        """Read what has arrived of a head, and of what follows it; return `has_head`. Sets ``ended`` at the end."""
        while len(self._buffer) < LARGEST_HEAD and not self.ended:
            block = self._arrived(_HEAD_BLOCK)
            if block is None:
                break
            self._buffer += block
            if len(block) < _HEAD_BLOCK and not self._is_tls:
                break
        return self.has_head()

    @property
    def begun(self) -> bool:
        """True if a part of a request has arrived."""
        return bool(self._buffer.strip())

    def has_head(self) -> bool:
        """Return True if the whole head of a request has arrived, or more bytes than a head may have."""
        return _END in self._buffer or len(self._buffer) >= LARGEST_HEAD

    def take_head(self) -> bytes:
        """Return the head of the next request, which has arrived, with the empty line at its end.

        Raises:
            HttpError: It is longer than a head may be.
        """
        end = self._buffer.find(_END, 0, LARGEST_HEAD) + len(_END)
        if end < len(_END):
            is_target = b"\n" not in self._buffer[:LARGEST_HEAD]
            status = HTTPStatus.REQUEST_URI_TOO_LONG if is_target else HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            raise HttpError(status, _TOO_LONG)
        return self._take(end)

    def method(self) -> bytes:
        """Return the method of the next request, which may stand behind empty lines."""
        return bytes(self._buffer[:32]).lstrip(b"\r\n").partition(b" ")[0]

    def target(self) -> str:
        """Return the beginning of the next request's first line, and the depth that it asks for."""
        line = bytes(self._buffer[:_LONGEST_TARGET]).lstrip(b"\r\n").partition(b"\r")[0].decode("latin-1")
        depth = _DEPTH.search(self._buffer) if line.startswith("PROPFIND") else None
        return f"{line} {depth[1].decode()}" if depth else line

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer as far as that goes now; return how many bytes were read, 0 at the connection's end alone.

        Raises:
            BlockingIOError: Nothing has arrived.
        """
        count = min(len(self._buffer), len(buffer))
        if count:
            buffer[:count] = self._take(count)
        while count < len(buffer) and not self.ended:
            arrived = self._arrived_into(buffer[count:])
            if arrived is None and not self._wait():
                break
            count += arrived or 0
        if not count and len(buffer) and not self.ended:
            raise self.refusal or BlockingIOError
        return count

    def readline(self, size: int) -> bytes:
        """Return a line with its end, or part of it: of a longer line, or at the end of the connection.

        Raises:
            BlockingIOError: It has not arrived.
        """
        while (end := self._buffer.find(b"\n", 0, size) + 1) == 0 and len(self._buffer) < size:
            block = self._more(_HEAD_BLOCK)
            if not block:
                return self._take(len(self._buffer))
            self._buffer += block
        return self._take(end or size)

    def discard(self, most: int) -> int:
        """Discard at most so many bytes of what has arrived, and return how many; call again for more."""
        count = min(most, len(self._buffer))
        del self._buffer[:count]
        while count < most and (block := self._arrived(min(most - count, _DISCARDED))):
            count += len(block)
            is_held_by_tls = isinstance(self._socket, TlsSocket) and self._socket.pending()
            if count >= _DISCARDED and not is_held_by_tls:  # the selector does not wake for what TLS holds
                break
        return count

    def close(self) -> None:
        """Discard what has arrived."""
        self.closed = True
        self._buffer.clear()

    def _take(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:count])
        del self._buffer[:count]
        return taken

    def _more(self, count: int) -> bytes:
        while (block := self._arrived(count)) is None:
            if not self._wait():
                raise self.refusal or BlockingIOError
        return block

    def _wait(self) -> bool:
        if self.before_wait is not None:
            self.before_wait()
        return self.refusal is None and self._brief_wait.wait(select.POLLIN, self.received)

    def _arrived(self, count: int) -> bytes | None:
        """Return at most so many bytes that have arrived; None for none yet, no bytes at the end of the connection."""
        try:
            block = self._socket.recv(count)
        except WOULD_BLOCK:
            return None
        except OSError:
            block = b""
        self._note(len(block))
        return block

    def _arrived_into(self, buffer: memoryview) -> int | None:
        """Fill a buffer, as `_arrived` does."""
        try:
            count = self._socket.recv_into(buffer)
        except WOULD_BLOCK:
            return None
        except OSError:
            count = 0
        self._note(count)
        return count

    def _note(self, count: int) -> None:
        self.received += count
        self.ended = not count
