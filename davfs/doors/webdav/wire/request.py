"""A request on a connection: its head is parsed, its body is collected or streamed, and the application is called.

No step waits for the client: the generators yield a `ConnectionState`, and go on when the client has done its part.
"""

import time
from collections.abc import Generator, Iterator
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import Any

from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.wire.connection_state import ConnectionState
from davfs.doors.webdav.wire.request_body import ChunkedBody, FixedLengthBody, RequestBody
from davfs.doors.webdav.wire.request_head import RequestHead, is_length
from davfs.orthanc import Buffer

COLLECTED = 128 * 1024
"""Bytes of the largest request body that is collected in memory; only uploads may be larger."""
_MOST_PIECES = 4096
"""Chunks and packets in which such a body may come: each costs a few microseconds, however small it is."""
_MOST_DISCARDED = 64 * 1024 * 1024
"""Bytes of a refused body that are read and discarded: Explorer reads no response before it has sent all."""


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    """Return the header ``Date`` (RFC 9110 §6.6.1) for a second of Unix time."""
    return formatdate(second, usegmt=True).encode("ascii")


class HttpRequest(RequestHead):
    """A request on a `ClientConnection`, which is ``conn``."""

    conn: Any
    body: RequestBody

    def simple_response(self, status: str, msg: str = "") -> None:
        """Respond without the application, and close the connection after that."""
        self.conn.wfile.flush()
        super().simple_response(status, msg)
        self.close_connection = self.conn.unread = True

    def steps(self) -> Iterator[ConnectionState]:
        """Answer the request; yield where the client has to be waited for.

        A body of up to `COLLECTED` bytes is collected before the application is called; the application reads that of a
        larger PUT as it comes.
        """
        self.parse_request()
        if not self.ready:
            return
        expects = self.inheaders.get(b"Expect", b"").lower() == b"100-continue"
        is_new = self.response_protocol != "HTTP/1.0"
        self.conn.rfile.before_wait = self._send_continue if expects and is_new else None
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
        """Respond in place of the application, unless its response has begun; close the connection."""
        if not self.sent_headers:
            self.simple_response(f"{refusal.value} {HTTPStatus(refusal.value).phrase}", refusal.reason)
        self.close_connection = True

    def write(self, chunk: Buffer) -> None:
        """Send a block of the response, without a copy unless it is sent as a chunk."""
        if self.chunked_write:
            super().write(bytes(chunk))
        else:
            self.conn.wfile.write(chunk)

    def send_headers(self) -> None:
        """Send the head of the response in one packet with what follows; decide about the rest of a refused body.

        With ``Connection: close`` cheroot would read the rest into memory, of any size, and then keep the connection.
        """
        left, conn = self.body.left, self.conn
        if left != 0:
            is_too_much = left is None or left > _MOST_DISCARDED or bool(conn.rfile.before_wait)
            if is_too_much or conn.rfile.refusal:
                self.close_connection = conn.unread = True
            else:
                conn.discard = left or 0
        if (b"connection", b"close") in ((name.lower(), value.lower()) for name, value in self.outheaders):
            self.close_connection = True
        self.outheaders.append((b"Date", _date(int(time.time()))))
        conn.wfile.holding = True
        super().send_headers()
        conn.wfile.holding = False

    def _send_continue(self) -> None:
        """Send ``100 Continue`` to a client that waits for it before it sends the body (RFC 9110 §10.1.1)."""
        self.conn.rfile.before_wait = None
        self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _framed(self) -> RequestBody:
        if self.chunked_read:
            expected = self.inheaders.get(b"X-Expected-Entity-Length", b"")
            return ChunkedBody(self.conn.rfile, int(expected) if is_length(expected) else None)
        return FixedLengthBody(self.conn.rfile, int(self.inheaders.get(b"Content-Length", 0)))

    def _collected(self) -> Generator[ConnectionState, None, bytes | None]:
        """Return the whole body; None if it was refused."""
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
