"""A request and its answer, on cheroot: in steps, none of which waits for the client.

1. The head of a request has arrived: cheroot reads it.
2. A small body is collected, up to `COLLECTED` bytes, before the application is asked. That of a larger PUT is taken by
   the application as it comes: it yields an empty block where it has to wait for more.
3. The blocks of the answer, of any kind, are sent as they are. Where the client does not take them, the application is
   not asked for the next one.

Between two steps a connection costs memory, and no thread (`connection_manager`).
"""

import fcntl
import logging
import select
import socket
import sys
import termios
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from enum import Enum, auto
from http import HTTPStatus
from io import BytesIO
from typing import Any

from cheroot.server import HTTPConnection
from cheroot.wsgi import Gateway_10

from davfs.doors.webdav.context import user_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.wire.fair_queue import RequestKind
from davfs.doors.webdav.wire.request_body import ChunkedBody, FixedLengthBody, RequestBody
from davfs.doors.webdav.wire.request_head import HeadRequest, is_length
from davfs.doors.webdav.wire.socket_reader import BriefWait, Socket, SocketReader, SocketWriter
from davfs.doors.webdav.wire.tls_socket import TlsSocket
from davfs.orthanc import Buffer

COLLECTED = 128 * 1024
"""Bytes of the largest body that is collected in memory: all but those of uploads."""
_MOST_PIECES = 4096
"""Chunks and packets in which such a body may come: each takes a few microseconds, however small it is."""
_DISCARDED = 64 * 1024 * 1024
"""Bytes of a refused body that are read and thrown away: Explorer reads no answer before it has sent all."""
_LEAST = 32 * 1024
"""Bytes of a body for which somebody is woken: until then the kernel collects them."""
_KINDS = {b"GET": RequestKind.DOWNLOAD} | dict.fromkeys(
    (b"HEAD", b"LOCK", b"MKCOL", b"OPTIONS", b"PROPFIND", b"PROPPATCH", b"UNLOCK"), RequestKind.QUICK
)
"""What requests may take, by their method; all others are changes."""


class ConnectionState(Enum):
    """What a connection waits for."""

    TLS_HANDSHAKE = auto()
    """More of the TLS handshake, which a worker goes on with, since it costs a signature."""
    REQUEST = auto()
    """The head of the next request."""
    REQUEST_BODY = auto()
    """More of a request body."""
    SEND_BUFFER = auto()
    """Room in the socket's send buffer: the client has not read the response so far."""
    DISCARD = auto()
    """The rest of a refused request body, which is discarded."""
    LINGER = auto()
    """The client's close: closing first would send a reset, and lose the response (RFC 9112 §9.6)."""


class Gateway(Gateway_10):
    """Calls the application. Takes any buffers, and notices an answer that is shorter than it was announced."""

    def steps(self) -> Iterator[ConnectionState]:
        """Answer the request; yield what the client has to be waited for."""
        request, wfile = self.req, self.req.conn.wfile
        answer = request.server.wsgi_app(self.env, self.start_response)
        try:
            for block in answer:
                if len(block):
                    self.write(block)
                elif not self.started_response:
                    yield self._waits(ConnectionState.REQUEST_BODY)
                while wfile.full:
                    yield self._waits(ConnectionState.SEND_BUFFER)
                    wfile.send()
                if wfile.broken:
                    break
            else:
                request.ensure_headers_sent()
            if self.remaining_bytes_out and request.method != b"HEAD" and request.status[:3] != b"304":
                request.close_connection = True
        except GeneratorExit:
            wfile.drop()
            raise
        finally:
            request.conn.user = user_of(self.env) or request.conn.user
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

    def _waits(self, what: ConnectionState) -> ConnectionState:
        """Have the connection counted for its user, who is known by now, or for the address where nobody logs in."""
        self.req.conn.transfer_owner = user_of(self.env) or self.req.conn.network
        return what


class HttpRequest(HeadRequest):
    """A request on a `ClientConnection`."""

    conn: "ClientConnection"
    body: RequestBody

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer before the application is asked, for the last time on this connection."""
        self.conn.wfile.flush()
        super().simple_response(status, msg)
        self.close_connection = self.conn.unread = True

    def steps(self) -> Iterator[ConnectionState]:
        """Answer it; yield what the client has to be waited for."""
        self.parse_request()
        if not self.ready:
            return
        asks = self.inheaders.get(b"Expect", b"").lower() == b"100-continue"
        self.conn.rfile.ask = self._ask_for_body if asks else None
        self.body = self.rfile = self._framed()
        if self.body.left == 0:
            self.rfile = BytesIO()
        elif self.method != b"PUT" or (self.body.left is not None and self.body.left <= COLLECTED):
            collected = yield from self._collected()
            if collected is None:
                return
            self.rfile = BytesIO(collected)
        yield from self.server.gateway(self).steps()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")
        self.conn.wfile.flush()

    def refuse(self, refusal: HttpError) -> None:
        """Answer in place of the application, unless it has begun to answer."""
        if not self.sent_headers:
            self.simple_response(f"{refusal.value} {HTTPStatus(refusal.value).phrase}", refusal.reason)
        self.close_connection = True

    def _ask_for_body(self) -> None:
        """Send ``100 Continue`` to a client that waits for it before it sends the body (RFC 9110 §10.1.1)."""
        self.conn.rfile.ask = None
        self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def write(self, chunk: Buffer) -> None:
        """Send a part of the answer, without a copy unless it has to be framed."""
        if self.chunked_write:
            super().write(bytes(chunk))
        else:
            self.conn.wfile.write(chunk)

    def send_headers(self) -> None:
        """Send the head together with what follows; the rest of a refused body is thrown away after the answer."""
        left, conn = self.body.left, self.conn
        if left != 0:
            unclear = left is None or left > _DISCARDED or bool(conn.rfile.ask)
            if unclear or conn.rfile.refusal:
                self.close_connection = conn.unread = True
            else:
                conn.rest = left or 0
        conn.wfile.holding = True
        super().send_headers()
        conn.wfile.holding = False

    def _framed(self) -> RequestBody:
        if self.chunked_read:
            expected = self.inheaders.get(b"X-Expected-Entity-Length", b"")
            return ChunkedBody(self.conn.rfile, int(expected) if is_length(expected) else None)
        return FixedLengthBody(self.conn.rfile, int(self.inheaders.get(b"Content-Length", 0)))

    def _collected(self) -> Generator[ConnectionState, None, bytes | None]:
        """Return the whole body; None where it was refused."""
        collected, count = memoryview(bytearray(COLLECTED + 1)), 0
        for _ in range(_MOST_PIECES):
            if (self.body.left or 0) + count > COLLECTED:
                break
            try:
                block = self.body.readinto(collected[count:])
            except BlockingIOError:
                yield ConnectionState.REQUEST_BODY
                continue
            except HttpError as refusal:
                self.refuse(refusal)
                return None
            if not block:
                return bytes(collected[:count])
            count += block
        reason = f"A body has at most {COLLECTED} bytes here, in {_MOST_PIECES} pieces, but that of an upload."
        self.refuse(HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason))
        return None


class ClientConnection(HTTPConnection):
    """A connection to a client.

    Attributes:
        waits: What it waits for; None where it is over.
        since: When the client was seen last to do something, in seconds of the monotonic clock.
        started: When the transfer began that is under way, likewise.
        before: What had moved then.
        transfer_owner: User or address whose transfer is in progress; empty for none.
        network: Its client's address, or of IPv6 the network of the client.
        user: Who has logged in on it last; empty for nobody.
        rest: Bytes of a refused body that are to be thrown away.
        unread: Whether the client may still be sending what nobody will read.
    """

    RequestHandlerClass = HttpRequest
    rfile: SocketReader
    wfile: SocketWriter
    waits: ConnectionState | None = ConnectionState.REQUEST
    since = started = 0.0
    before = 0
    transfer_owner = network = user = ""
    rest = 0
    unread = False
    _request: HttpRequest | None = None
    _transfer: tuple[HttpRequest | None, bool] = None, False
    _unsent = 0
    _least = 1

    def __init__(self, server: Any, sock: Socket) -> None:
        sock.setblocking(False)  # noqa: FBT003  the standard library's
        self._moment = BriefWait(sock, server.requests.may_wait)
        super().__init__(server, sock, self._stream)
        self._steps = self._answered()
        if isinstance(sock, TlsSocket):
            self.waits = ConnectionState.TLS_HANDSHAKE
        self._kind = RequestKind.QUICK
        self._target = ""

    def _stream(self, connection: Socket, mode: str, _: int) -> SocketReader | SocketWriter:
        return (SocketReader if mode == "rb" else SocketWriter)(connection, self._moment)

    @property
    def moved(self) -> int:
        """Bytes that came and went so far."""
        return self.rfile.received + self.wfile.sent

    @property
    def client(self) -> str:
        """Whose requests come on it: users of one address, as behind a proxy, do not wait for each other."""
        return f"{self.network} {self.user}"

    @property
    def kind(self) -> RequestKind:
        """What the request that is under way, or has arrived, may take."""
        if self.rfile.refusal:
            return RequestKind.ABORT
        if self.waits is ConnectionState.REQUEST:
            self._kind = _KINDS.get(self.rfile.first_word(), RequestKind.CHANGE)
        return self._kind

    @property
    def target(self) -> str:
        """Method, target and depth of the request in progress, or of the one that has arrived."""
        if self.waits is ConnectionState.REQUEST:
            self._target = self.rfile.target()
        return self._target

    def proceed(self) -> ConnectionState | None:
        """Go on as far as that goes without waiting for the client; return what to wait for, None where it is over."""
        self.waits = next(self._steps, None)
        return self.waits

    def soon(self) -> bool:
        """Wait a moment for the next request, and tell whether it is there."""
        if self.waits is not ConnectionState.REQUEST:
            return False
        self._moment.begin()
        return self.rfile.has_data() or (self._moment.wait(select.POLLIN, self.moved) and self.rfile.receive())

    def pause(self) -> None:
        """Take note of when the client was seen last, and of what it has moved of a transfer."""
        if self.waits is ConnectionState.TLS_HANDSHAKE and self.since:
            return  # it has so much time altogether
        self.since = time.monotonic()
        transfer = self._request, self.waits is ConnectionState.DISCARD
        if transfer != self._transfer:
            self._transfer, self.started, self.before = transfer, self.since, self.moved
        if self.waits is ConnectionState.SEND_BUFFER:
            self._unsent = self._count(termios.TIOCOUTQ)
        elif self.waits is ConnectionState.DISCARD and not isinstance(self.socket, TlsSocket):
            self._wake_for(self.rest)
        elif self.waits is ConnectionState.REQUEST_BODY and self._request and not isinstance(self.socket, TlsSocket):
            self._wake_for(self._request.body.left or 1)

    def resume(self) -> None:
        """Have the kernel wake whoever waits for the client at once."""
        self._wake_for(1)

    def has_request(self) -> bool:
        """Return True if it waits for a request, and the kernel holds bytes of one that are not read yet."""
        return self.waits is ConnectionState.REQUEST and self._count(termios.FIONREAD) > 0

    def has_moved(self) -> bool:
        """Return True if bytes came or went since `pause` for which the selector did not wake."""
        if self.waits is ConnectionState.SEND_BUFFER:
            return self._count(termios.TIOCOUTQ) < self._unsent
        return self._count(termios.FIONREAD) > 0

    def _wake_for(self, count: int) -> None:
        """Have the kernel wake nobody before so many bytes of a body have come."""
        least = min(count, _LEAST)
        if least != self._least:
            self._least = least
            with suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)

    def _count(self, what: int) -> int:
        """Return how many bytes the kernel holds: not read yet, or not taken by the client."""
        return int.from_bytes(fcntl.ioctl(self.socket, what, bytes(4)), sys.byteorder)

    def give_up(self, refusal: HttpError) -> None:
        """Have the application end what is under way with the next step: a body is refused, an answer breaks off."""
        self.rfile.refusal = refusal
        if self.waits is ConnectionState.SEND_BUFFER:
            self.wfile.drop()

    def close(self) -> None:
        """Close it, and what the application has opened for it."""
        self.wfile.drop()
        self.server.forget(self)
        try:
            self._steps.close()
        finally:
            super().close()

    def _answered(self) -> Generator[ConnectionState, None, None]:
        """Answer all requests."""
        if isinstance(self.socket, TlsSocket):
            try:
                while not self.socket.shake_hands():
                    yield ConnectionState.TLS_HANDSHAKE
            except OSError:
                return
            yield ConnectionState.REQUEST
        keep = True
        while keep:
            keep = yield from self._one()
            if self.rest:
                yield ConnectionState.DISCARD
            if keep:
                yield ConnectionState.REQUEST
        if self.unread and not self.rfile.refusal:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            yield ConnectionState.LINGER

    def _one(self) -> Generator[ConnectionState, None, bool]:
        """Answer a request; return whether there may be more of them."""
        request = self._request = self.RequestHandlerClass(self.server, self)
        try:
            yield from request.steps()
        except HttpError as refusal:  # of a body; most applications answer it themselves
            request.refuse(refusal)
        except Exception:  # noqa: BLE001  whatever the application could not cope with
            self.server.error_log(level=logging.ERROR)
            request.refuse(HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "The server could not do this."))
        while self.wfile.full:
            yield ConnectionState.SEND_BUFFER
            self.wfile.send()
        self.transfer_owner = ""
        return not (request.close_connection or self.wfile.broken)


def refuse(connection: ClientConnection, status: HTTPStatus) -> None:
    """Send a response without content, as far as that goes without waiting, and close the connection."""
    answer = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    connection.wfile.write(answer.encode())
    connection.close()
