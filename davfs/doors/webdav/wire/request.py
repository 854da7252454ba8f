"""A request on a connection: its body is collected or streamed, and the application's response sent (PEP 3333).

No step waits for the client: the generators yield a `ConnectionState`, and go on when the client has done its part.
"""

import sys
from collections.abc import Generator, Iterable, Iterator
from http import HTTPStatus
from io import BytesIO
from typing import Any

from davfs.doors.webdav.context import Environ, user_of
from davfs.doors.webdav.file_range import FileRange
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.wire.connection_state import ConnectionState
from davfs.doors.webdav.wire.request_body import ChunkedBody, FixedLengthBody, RequestBody
from davfs.doors.webdav.wire.request_head import RequestHead, is_length, parse_head
from davfs.doors.webdav.wire.response_head import ResponseHead, response_head
from davfs.orthanc import Buffer

COLLECTED = 128 * 1024
"""Bytes of the largest request body that is collected in memory; only uploads may be larger."""
_MOST_PIECES = 4096
"""Chunks and packets in which such a body may come: each costs a few microseconds, however small it is."""
_MOST_DISCARDED = 64 * 1024 * 1024
"""Bytes of a refused body that are read and discarded: Explorer reads no response before it has sent all."""
_NO_BODY = FixedLengthBody(BytesIO(), 0)
_COMMON: Environ = {
    "SCRIPT_NAME": "",
    "SERVER_NAME": "davfs",
    "wsgi.errors": sys.stderr,
    "wsgi.multiprocess": False,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}


class HttpRequest:
    """A request, and the response to it.

    Args:
        application: The WSGI application.
        conn: The `ClientConnection`.

    Attributes:
        body: The body of the request.
        is_kept: Whether another request may follow on the connection.
    """

    body: RequestBody = _NO_BODY
    is_kept = False
    _head: RequestHead
    _status = ""
    _headers: Iterable[tuple[str, str]]
    _response: ResponseHead | None = None
    _is_chunked = False
    _left: int | None = None

    def __init__(self, application: Any, conn: Any) -> None:
        self._application = application
        self._conn = conn

    def steps(self) -> Iterator[ConnectionState]:
        """Answer the request; yield where the client has to be waited for.

        A body of up to `COLLECTED` bytes is collected before the application is called; the application reads that of a
        larger PUT as it comes.
        """
        try:
            head = self._head = parse_head(self._conn.rfile.take_head())
        except HttpError as refusal:
            self.refuse(refusal)
            return
        self.is_kept = head.is_kept
        expects = head.headers.get("HTTP_EXPECT", "").lower() == "100-continue"
        self._conn.rfile.before_wait = self._send_continue if expects and not head.is_old else None
        if head.is_chunked or "CONTENT_LENGTH" in head.headers:
            self.body = self._framed(head)
        source: Any = self.body if self.body.left != 0 else BytesIO()
        is_large = self.body.left is None or self.body.left > COLLECTED
        if source is self.body and not (is_large and head.method == "PUT"):
            collected = yield from self._collected()
            if collected is None:
                return
            source = BytesIO(collected)
        yield from self._respond(self._environ(head, source))

    def refuse(self, refusal: HttpError) -> None:
        """Respond in place of the application, unless its response has begun; close the connection."""
        self.is_kept = False
        if self._response is not None:
            return
        status, text = HTTPStatus(refusal.value), refusal.reason.encode()
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: {len(text)}\r\nContent-Type: text/plain\r\n"
        self._conn.wfile.write(f"{head}Connection: close\r\n\r\n".encode() + text)
        self._conn.unread = True

    def _environ(self, head: RequestHead, source: Any) -> Environ:
        """Return the request in the form of WSGI."""
        return {
            **_COMMON,
            **self._conn.environ,
            **head.headers,
            "REQUEST_METHOD": head.method,
            "REQUEST_URI": head.target,
            "PATH_INFO": head.path,
            "QUERY_STRING": head.query,
            "SERVER_PROTOCOL": "HTTP/1.0" if head.is_old else "HTTP/1.1",
            "wsgi.input": source,
            "wsgi.input_terminated": head.is_chunked,
        }

    def _respond(self, environ: Environ) -> Iterator[ConnectionState]:
        """Send the blocks of the response as the client takes them.

        An empty block before the response means that more of the request body has to come.
        """
        wfile, response = self._conn.wfile, self._application(environ, self._start)
        try:
            for block in response:
                if len(block):
                    self._write(block)
                elif not self._status:
                    yield self._transfer(ConnectionState.REQUEST_BODY, environ)
                while wfile.full:
                    yield self._transfer(ConnectionState.SEND_BUFFER, environ)
                    wfile.send()
                if wfile.broken:
                    break
            else:
                self._end()
        except GeneratorExit:
            wfile.drop()
            raise
        finally:
            self._conn.user = user_of(environ) or self._conn.user
            if hasattr(response, "close"):
                response.close()

    def _start(self, status: str, headers: Iterable[tuple[str, str]], exc_info: object = None) -> object:  # noqa: ARG002  PEP 3333's
        """Begin the response (``start_response``)."""
        if self._status:
            raise RuntimeError("the response has begun already")
        self._status, self._headers = status, headers
        return self._write

    def _write(self, block: Buffer | FileRange) -> None:
        """Send a block of the response, the first one in one packet with the head.

        Raises:
            ValueError: The response is longer than its ``Content-Length``.
        """
        blocks: list[Buffer | FileRange] = [] if self._response is not None else [self._begin().content]
        if self._left is not None:
            self._left -= len(block)
            if self._left < 0:
                raise ValueError("the response is longer than its Content-Length")
        if self._is_chunked:
            blocks += [b"%x\r\n" % len(block), block, b"\r\n"]
        elif self._head.method != "HEAD":
            blocks.append(block)
        self._conn.wfile.write(*blocks)

    def _begin(self) -> ResponseHead:
        """Return the head of the response; decide about the rest of a refused body."""
        left, conn = self.body.left, self._conn
        if left != 0:
            is_too_much = left is None or left > _MOST_DISCARDED or bool(conn.rfile.before_wait)
            if is_too_much or conn.rfile.refusal:
                self.is_kept, conn.unread = False, True
            else:
                conn.discard = left or 0
        self._response = response = response_head(self._status, self._headers, self._head, is_kept=self.is_kept)
        self.is_kept, self._is_chunked = response.is_kept, response.is_chunked
        if self._head.method != "HEAD" and response.has_body:
            self._left = response.length
        return response

    def _end(self) -> None:
        """End the response; close the connection if the body is too short."""
        if self._response is None:
            self._conn.wfile.write(self._begin().content)
        if self._is_chunked:
            self._conn.wfile.write(b"0\r\n\r\n")
        self._conn.wfile.flush()
        self.is_kept &= not self._left

    def _transfer(self, state: ConnectionState, environ: Environ) -> ConnectionState:
        """Count the transfer for the user, who is known by now, or for the address where nobody logs in."""
        self._conn.transfer_owner = user_of(environ) or self._conn.network
        return state

    def _send_continue(self) -> None:
        """Send ``100 Continue`` to a client that waits for it before it sends the body (RFC 9110 §10.1.1)."""
        self._conn.rfile.before_wait = None
        self._conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _framed(self, head: RequestHead) -> RequestBody:
        """Return the body of the request."""
        if head.is_chunked:
            expected = head.headers.get("HTTP_X_EXPECTED_ENTITY_LENGTH", "")
            return ChunkedBody(self._conn.rfile, int(expected) if is_length(expected) else None)
        return FixedLengthBody(self._conn.rfile, int(head.headers["CONTENT_LENGTH"]))

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
