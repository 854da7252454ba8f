"""A request and its answer, on cheroot: blocks of any kind are sent as they are, and bodies are bounded."""

import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from cheroot.server import HTTPConnection
from cheroot.wsgi import Gateway_10

from davfs.doors.webdav.refusals import Refusal
from davfs.doors.webdav.wire.framing import Body, ChunkedBody, KnownBody
from davfs.doors.webdav.wire.head import HeadRequest, is_length
from davfs.doors.webdav.wire.streams import Reader, Writer
from davfs.orthanc import Buffer

_DISCARDED = 64 * 1024 * 1024
"""Bytes of a refused body that are read and thrown away: Explorer reads no answer before it has sent all."""
_LINGER_SECONDS = 0.02


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


class Request(HeadRequest):
    """A request on a `Connection`."""

    conn: "Connection"

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer before the application is asked, for the last time on this connection."""
        self.conn.wfile.flush()
        super().simple_response(status, msg)
        self.conn.unread = True

    def respond(self) -> None:
        """Let the application answer."""
        expected = self.inheaders.get(b"X-Expected-Entity-Length", b"")
        if self.chunked_read:
            self.rfile = ChunkedBody(self.conn.rfile, int(expected) if is_length(expected) else None)
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
