"""A connection to a client: its requests are answered one after the other, in steps that do not wait for the client.

The steps are one generator, which yields what has to be waited for. Between two of them a connection costs memory, and
no thread.
"""

import fcntl
import logging
import select
import socket
import sys
import termios
import time
from collections.abc import Generator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.login.client_address import network
from davfs.doors.webdav.wire.brief_wait import BriefWait
from davfs.doors.webdav.wire.connection_state import ConnectionState
from davfs.doors.webdav.wire.request import HttpRequest
from davfs.doors.webdav.wire.response_head import IDLE_SECONDS
from davfs.doors.webdav.wire.socket_reader import SocketReader
from davfs.doors.webdav.wire.socket_writer import SocketWriter
from davfs.doors.webdav.wire.tasks import RequestKind
from davfs.doors.webdav.wire.tls_socket import Socket, TlsSocket

_LOW_WATER = 32 * 1024
"""Bytes of a body that the kernel collects before it wakes the selector."""
_HEAD_SECONDS = 20.0
_LINGER_SECONDS = 2.0
_KINDS = {b"GET": RequestKind.DOWNLOAD} | dict.fromkeys(
    (b"HEAD", b"LOCK", b"MKCOL", b"OPTIONS", b"PROPFIND", b"PROPPATCH", b"UNLOCK"), RequestKind.QUICK
)
"""Kinds of requests by their method; all other methods change something."""


class ClientConnection:
    """A connection to a client.

    Args:
        server: The server, cheroot's.
        sock: The socket.
        address: The client's IP address and port.
        environ: Variables of WSGI for the requests on it.

    Attributes:
        state: What it waits for; None when it is to be closed.
        since: When the client was last seen to send or read, in seconds of the monotonic clock.
        started: When the transfer in progress began, likewise.
        before: Value of `moved` at that time.
        transfer_owner: User or address whose transfer is in progress; empty for none.
        network: The client's address, or of IPv6 its network.
        user: The user who logged in on it last; empty for nobody.
        discard: Bytes of a refused body that are still to be discarded.
        unread: Whether the client may still be sending a body that is not read.
    """

    state: ConnectionState | None = ConnectionState.REQUEST
    since = started = 0.0
    before = 0
    transfer_owner = user = ""
    discard = 0
    unread = False
    _request: HttpRequest | None = None
    _transfer: tuple[HttpRequest | None, bool] = None, False
    _unsent = 0
    _low_water = 1
    _kind = RequestKind.QUICK
    _target = ""

    def __init__(self, server: Any, sock: Socket, address: tuple[str, int], environ: Environ) -> None:
        sock.setblocking(False)  # noqa: FBT003  the standard library's
        self.server = server
        self.socket = sock
        self.network = network(address[0])
        self.environ = {"REMOTE_ADDR": address[0], "REMOTE_PORT": str(address[1])} | environ
        self._brief_wait = BriefWait(sock, server.requests.has_idle_threads)
        self.rfile, self.wfile = SocketReader(sock, self._brief_wait), SocketWriter(sock, self._brief_wait)
        self._steps = self._all_steps()
        if isinstance(sock, TlsSocket):
            self.state = ConnectionState.TLS_HANDSHAKE

    @property
    def moved(self) -> int:
        """Bytes that were received and sent so far."""
        return self.rfile.received + self.wfile.sent

    @property
    def client(self) -> str:
        """See `Task`. Users of one address, as behind a proxy, do not wait for each other."""
        return f"{self.network} {self.user}"

    @property
    def kind(self) -> RequestKind:
        """See `Task`."""
        if self.rfile.refusal:
            return RequestKind.ABORT
        if self.state is ConnectionState.TLS_HANDSHAKE:
            return RequestKind.HANDSHAKE
        if self.state is ConnectionState.REQUEST:
            self._kind = _KINDS.get(self.rfile.method(), RequestKind.CHANGE)
        return self._kind

    @property
    def target(self) -> str:
        """See `Task`."""
        if self.state is ConnectionState.REQUEST:
            self._target = self.rfile.target()
        return self._target

    @property
    def patience(self) -> float:
        """Seconds for which it may wait for a request, a handshake or the client's close."""
        if self.state is ConnectionState.LINGER:
            return _LINGER_SECONDS
        return IDLE_SECONDS if self.state is ConnectionState.REQUEST and not self.rfile.begun else _HEAD_SECONDS

    def proceed(self) -> ConnectionState | None:
        """Run the next step; return what to wait for then, None when the connection is to be closed."""
        self.state = next(self._steps, None)
        return self.state

    def has_next_request(self) -> bool:
        """Return True if the next request is there, or comes within a brief wait."""
        if self.state is not ConnectionState.REQUEST:
            return False
        self._brief_wait.reset()
        return self.rfile.has_head() or (self._brief_wait.wait(select.POLLIN, self.moved) and self.rfile.receive())

    def pause(self) -> None:
        """Note when the client was last seen, and set how many bytes of a body have to come before it is seen again."""
        if self.state is ConnectionState.TLS_HANDSHAKE and self.since:
            return  # the time limit is that of the whole handshake
        self.since = time.monotonic()
        transfer = self._request, self.state is ConnectionState.DISCARD
        if transfer != self._transfer:
            self._transfer, self.started, self.before = transfer, self.since, self.moved
        if self.state is ConnectionState.SEND_BUFFER:
            self._unsent = self._bytes_in_kernel(termios.TIOCOUTQ)
        elif isinstance(self.socket, TlsSocket):
            return
        elif self.state is ConnectionState.DISCARD:
            self._set_low_water(self.discard)
        elif self.state is ConnectionState.REQUEST_BODY and self._request:
            self._set_low_water(self._request.body.left or 1)

    def resume(self) -> None:
        """Have the kernel wake the selector at the first byte again."""
        self._set_low_water(1)

    def has_unread_request(self) -> bool:
        """Return True if it waits for a request, and the kernel holds bytes of one that are not read yet."""
        return self.state is ConnectionState.REQUEST and self._bytes_in_kernel(termios.FIONREAD) > 0

    def has_moved(self) -> bool:
        """Return True if bytes came or went since `pause` for which the selector did not wake."""
        if self.state is ConnectionState.SEND_BUFFER:
            return self._bytes_in_kernel(termios.TIOCOUTQ) < self._unsent
        return self._bytes_in_kernel(termios.FIONREAD) > 0

    def abort(self, refusal: HttpError) -> None:
        """Have the next step end the request: a body is refused, a response breaks off."""
        self.rfile.refusal = refusal
        if self.state is ConnectionState.SEND_BUFFER:
            self.wfile.drop()

    def refuse(self, status: HTTPStatus) -> None:
        """Send a response without content, as far as that goes without waiting, and close the connection."""
        response = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.wfile.write(response.encode())
        self.close()

    def close(self) -> None:
        """Close it, and the files that the application has opened for it."""
        self.wfile.drop()
        self.server.forget(self)
        try:
            self._steps.close()
        finally:
            self.rfile.close()
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()

    def _set_low_water(self, count: int) -> None:
        """Have the kernel wake the selector when so many bytes of a body have come, or 32 KB."""
        low_water = min(count, _LOW_WATER)
        if low_water != self._low_water:
            self._low_water = low_water
            with suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)

    def _bytes_in_kernel(self, queue: int) -> int:
        """Return how many bytes the kernel holds: received and not read, or sent and not acknowledged.

        It is 0 where the system does not know: macOS does not count what was sent.
        """
        try:
            return int.from_bytes(fcntl.ioctl(self.socket, queue, bytes(4)), sys.byteorder)
        except OSError:
            return 0

    def _all_steps(self) -> Generator[ConnectionState, None, None]:
        """Answer all requests."""
        if isinstance(self.socket, TlsSocket):
            try:
                while not self.socket.shake_hands():
                    yield ConnectionState.TLS_HANDSHAKE
            except OSError:
                return
            yield ConnectionState.REQUEST
        is_kept = True
        while is_kept:
            is_kept = yield from self._answer()
            if self.discard:
                yield ConnectionState.DISCARD
            if is_kept:
                yield ConnectionState.REQUEST
        if self.unread and not self.rfile.refusal:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            yield ConnectionState.LINGER

    def _answer(self) -> Generator[ConnectionState, None, bool]:
        """Answer a request; return True if another one may follow (keep-alive)."""
        request = self._request = HttpRequest(self.server.wsgi_app, self)
        try:
            yield from request.steps()
        except HttpError as refusal:  # of a body; most applications respond to it themselves
            request.refuse(refusal)
        except Exception:  # noqa: BLE001  any error of the application
            self.server.error_log(level=logging.ERROR)
            request.refuse(HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "The server could not do this."))
        while self.wfile.full:
            yield ConnectionState.SEND_BUFFER
            self.wfile.send()
        self.transfer_owner = ""
        return request.is_kept and not self.wfile.broken
