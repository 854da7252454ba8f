"""TLS on a socket that does not block; each read takes a bounded time.

`ssl.SSLSocket` reads on until it has a byte of content, or nothing more has arrived: OpenSSL takes key updates of
TLS 1.3 (RFC 8446 §4.6.3) and the like as long as they come, 2 MB of them in 1.5 s, in one call. Here OpenSSL is given
one record at a time, and a connection with too many records without content is closed.
"""

import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from cheroot.ssl import Adapter
from cheroot.ssl.builtin import BuiltinSSLAdapter

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""Errors of a socket that would have to wait."""

_HEADER = 5
"""Bytes before each record; the last two are its length (RFC 8446 §5.1)."""
_MOST_EMPTY = 32
"""Records in a row that bring no content: a handshake has fewer than ten."""
_MOST_UNSENT = 64 * 1024
"""Bytes of alerts and the like that a client may leave unread."""


class TlsSocket:
    """The server's side of a TLS connection, with the methods of a socket.

    Args:
        plain: A socket that does not block.
        context: Context with the server's certificate.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._header = b""
        self._left_of_record = 0
        self._empty_records = 0
        self._unsent = memoryview(b"")
        self._encrypted = 0
        self.fileno, self.setblocking, self.setsockopt = plain.fileno, plain.setblocking, plain.setsockopt
        self.shutdown, self.close = plain.shutdown, plain.close
        self.pending = self._tls.pending

    def shake_hands(self) -> bool:
        """Continue the handshake as far as that goes now; return True if it is done.

        Raises:
            OSError: As `recv` does.
        """
        try:
            self._advance(self._tls.do_handshake)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        self._send_unsent()
        return True

    def recv(self, size: int) -> bytes:
        """Return at most so many bytes of content that have arrived.

        Raises:
            BlockingIOError: There are none now.
            OSError: The connection has ended, is not TLS, or has too many records without content.
        """
        buffer = memoryview(bytearray(size))
        return bytes(buffer[: self.recv_into(buffer)])

    def recv_into(self, buffer: memoryview) -> int:
        """Fill a buffer with content that has arrived, as `recv` does; return how many bytes."""
        return int(self._advance(partial(self._tls.read, len(buffer), buffer)))

    def send(self, block: memoryview) -> int:
        """Send as much of a block as goes now; return how many bytes.

        Raises:
            ssl.SSLWantReadError, ssl.SSLWantWriteError: Nothing goes now; the next block has to begin alike.
        """
        self._send_unsent()
        if not self._unsent and not self._encrypted:
            self._encrypted = self._tls.write(block)
            self._send_unsent()
        if self._unsent:
            raise ssl.SSLWantWriteError
        count, self._encrypted = self._encrypted, 0
        return count

    def _advance(self, step: Callable[[], Any]) -> Any:
        """Run a step of OpenSSL, feed it with records until it has a result, and return the result."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._send_unsent()
                self._receive_some()
            except ssl.SSLError:
                self._send_unsent()  # the alert for the client
                raise
            else:
                self._empty_records = 0
                return done

    def _receive_some(self) -> None:
        """Feed OpenSSL with what has arrived of the next record's header, or of the rest of a record."""
        block = self._plain.recv(self._left_of_record or _HEADER - len(self._header))
        if not block or self._outgoing.pending > _MOST_UNSENT:
            raise ConnectionAbortedError
        self._incoming.write(block)
        if self._left_of_record:
            self._left_of_record -= len(block)
            return
        self._header += block
        if len(self._header) == _HEADER:
            self._left_of_record = int.from_bytes(self._header[-2:], "big")
            self._header = b""
            self._empty_records += 1
            if self._empty_records > _MOST_EMPTY:
                raise ConnectionAbortedError

    def _send_unsent(self) -> None:
        """Send the records that OpenSSL has written, as far as that goes now."""
        while self._unsent or self._outgoing.pending:
            self._unsent = self._unsent or memoryview(self._outgoing.read())
            try:
                self._unsent = self._unsent[self._plain.send(self._unsent) :]
            except BlockingIOError:
                break


Socket: TypeAlias = socket.socket | TlsSocket


class TlsAdapter(BuiltinSSLAdapter):
    """Wraps accepted connections for ``ssl_adapter`` of cheroot's server.

    Workers do the handshake. cheroot's own adapter does it on the thread that accepts connections, where a client that
    sends nothing stops all others until it times out.

    Args:
        context: Context with the server's certificate.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        Adapter.__init__(self, "", "")  # BuiltinSSLAdapter's own would read a certificate from a file
        self.context = context

    def wrap(self, sock: Any) -> tuple[TlsSocket, dict[str, str]]:
        """Return the socket of a new connection, and the WSGI variables of its requests."""
        return TlsSocket(sock, self.context), {"wsgi.url_scheme": "https", "HTTPS": "on"}
