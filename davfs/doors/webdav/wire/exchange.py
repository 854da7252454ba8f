"""A request and its answer, on cheroot: blocks of any kind are sent as they are, and bodies are bounded."""

import re
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from cheroot.server import HTTPConnection
from cheroot.wsgi import Gateway_10

from davfs.doors.webdav.refusals import Refusal
from davfs.doors.webdav.wire.connections import ClosingRequest
from davfs.doors.webdav.wire.framing import Body, ChunkedBody, KnownBody
from davfs.doors.webdav.wire.streams import Reader, Writer
from davfs.orthanc import Buffer

_DISCARDED = 64 * 1024 * 1024
"""Bytes of a refused body that are read and thrown away: Explorer reads no answer before it has sent all."""
_LINGER_SECONDS = 0.02
_LONGEST_NUMBER = 18
_SLASH = re.compile(b"%2F", re.IGNORECASE)
_ONCE = frozenset({b"Content-Length", b"Host", b"Authorization", b"Depth", b"Destination"})
"""Headers of which a client sends one."""


def _is_length(value: bytes) -> bool:
    """Tell whether a header is a number of bytes: any that a disk can hold, and that Python reads in no time."""
    return value.isdigit() and len(value) <= _LONGEST_NUMBER


class Gateway(Gateway_10):
    """Calls the application. Takes any buffers, and notices an answer that is shorter than it was announced."""

    def respond(self) -> None:
        """Answer the request."""
        request = self.req
        answer = request.server.wsgi_app(self.env, self.start_response)
        try:
            for block in answer:
                if len(block):
                    self.write(block)
            request.ensure_headers_sent()
            if self.remaining_bytes_out and request.method != b"HEAD" and request.status[:3] != b"304":
                request.close_connection = True
        finally:
            if hasattr(answer, "close"):
                answer.close()

    def write(self, block: Buffer) -> None:
        """Send a part of the answer.

        Raises:
            ValueError: It is longer than it was announced.
        """
        request = self.req
        if self.remaining_bytes_out is not None:
            self.remaining_bytes_out -= len(block)
            if self.remaining_bytes_out < 0:
                raise ValueError("the answer is longer than it was announced")
        request.ensure_headers_sent()
        if request.method != b"HEAD":
            request.write(block)


class _Headers(dict[bytes, bytes]):
    """Headers of a request, of which some must not contradict each other."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name in _ONCE and self.get(name, value) != value:
            raise ValueError("The headers contradict each other.")
        super().__setitem__(name, value)


class Request(ClosingRequest):
    """A request on a `Connection`."""

    rfile: Any
    conn: "Connection"

    def read_request_line(self) -> bool:
        """Read the first line; of OPTIONS, cheroot leaves the path encoded."""
        if not super().read_request_line():  # type: ignore[no-untyped-call]  # cheroot's
            return False
        if self.method == b"OPTIONS":
            self.path = b"%2F".join(map(unquote_to_bytes, _SLASH.split(self.path)))
        return True

    def read_request_headers(self) -> bool:
        """Read the headers, and refuse those that leave the end of the body in doubt (RFC 9112 §6.3)."""
        self.inheaders = _Headers()
        try:
            if not super().read_request_headers():  # type: ignore[no-untyped-call]  # cheroot's
                return False
        except UnboundLocalError:  # cheroot's answer to a first line that continues another
            self.simple_response("400 Bad Request", "The headers begin with a blank.")
            return False
        length, coding = self.inheaders.get(b"Content-Length", b"0"), self.inheaders.get(b"Transfer-Encoding")
        if not _is_length(length):
            self.simple_response("400 Bad Request", "The length of the body is no number.")
            return False
        if coding is not None and (b"Content-Length" in self.inheaders or coding.lower() != b"chunked"):
            self.simple_response("400 Bad Request", "It is not clear where the body ends.")
            return False
        if coding is not None and not self.chunked_read:
            self.simple_response("400 Bad Request", "Bodies in chunks need HTTP/1.1.")
            return False
        return True

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer before the application is asked, for the last time on this connection."""
        self.conn.wfile.flush()
        super().simple_response(status, msg)
        self.conn.unread = True

    def respond(self) -> None:
        """Let the application answer."""
        expected = self.inheaders.get(b"X-Expected-Entity-Length", b"")
        if self.chunked_read:
            self.rfile = ChunkedBody(self.conn.rfile, int(expected) if _is_length(expected) else None)
        else:
            self.rfile = KnownBody(self.conn.rfile, int(self.inheaders.get(b"Content-Length", 0)))
        self.server.gateway(self).respond()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")
        self.conn.wfile.flush()

    def write(self, chunk: Buffer) -> None:
        """Send a part of the answer, without a copy unless it has to be framed."""
        if self.chunked_write:
            super().write(bytes(chunk))
        else:
            self.conn.wfile.write(chunk)

    def send_headers(self) -> None:
        """Send the head together with what follows, once the rest of the request's body is out of the way."""
        body: Body = self.rfile
        if not body.finished:
            self.close_connection = self.chunked_read or not self._discarded(body)
            self.conn.unread = self.close_connection
        self.conn.wfile.holding = True
        super().send_headers()
        self.conn.wfile.holding = False

    def _discarded(self, body: Body) -> bool:
        self.conn.rfile.hurry()
        try:
            return body.discard(_DISCARDED)
        except (Refusal, OSError):
            return False


class Connection(HTTPConnection):
    """A connection to a client.

    Attributes:
        since: When the server began to wait for what it waits for now.
        unread: Whether the client may still be sending what nobody will read.
        leaving: Whether the server waits for the client to close it.
    """

    RequestHandlerClass = Request
    rfile: Reader
    wfile: Writer
    since: float
    unread = False
    leaving = False

    def __init__(self, server: Any, sock: Any) -> None:
        super().__init__(server, sock, lambda stream, mode, _: (Reader if mode == "rb" else Writer)(stream))

    def communicate(self) -> bool:
        """Answer requests, and return whether there may be more of them.

        While other threads have nothing to do, this one waits a moment for the next request: most clients send it at
        once, and to be woken by the thread that waits for all the others takes longer than many answers.
        """
        while super().communicate():  # type: ignore[no-untyped-call]  # cheroot's
            if not self.server.requests.plenty or not self.rfile.wait(_LINGER_SECONDS):
                return not self.rfile.ended
        return False

    def close(self) -> None:
        """Close it; where the client may still be sending, not before it has had the time to read the answer.

        It would lose the answer with the reset that follows (RFC 9112 §9.6).
        """
        if not self.unread:
            super().close()
            return
        self.unread = False
        self.leaving = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        self.server.put_conn(self)


def refuse(connection: Connection, status: HTTPStatus) -> None:
    """Say that nothing will be answered on a connection, as far as that goes without waiting, and close it."""
    answer = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with suppress(OSError):
        connection.socket.settimeout(0)
        connection.socket.send(answer.encode())
    connection.close()
