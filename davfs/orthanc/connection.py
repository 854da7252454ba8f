"""A connection to Orthanc: sends requests, and reads responses by the grammar of RFC 9112, in bounded memory.

In place of `http.client`, which makes a file, a message and a list of headers for each response, takes three times as
much CPU time for a small one, and takes a head that breaks off for a whole one.
"""

import re
import select
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus

from davfs.orthanc import Buffer

_BUFFERED = 64 * 1024
_LARGEST_LINE = 64 * 1024
"""Bytes of a line of a head; of all of them, `_MOST_LINES` times as many."""
_MOST_LINES = 100
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: [^\r\n]*)?\r?\n")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*\r?\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_ENDS = (b"\r\n", b"\n")


class BrokenResponse(Exception):
    """A response is no HTTP, or did not arrive whole."""


class Connection:
    """An open connection: one request at a time, and the body of its response.

    Args:
        host: Host name or IP address.
        port: TCP port.
        tls: Context for TLS; None for plain HTTP.
        seconds: Seconds for it to be made.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, seconds: float) -> None:
        self._socket = socket.create_connection((host, port), seconds)
        self._seconds = seconds
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        except BaseException:
            self._socket.close()
            raise
        self._source = self._socket.makefile("rb", _BUFFERED)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._left = 0  # bytes of the body, or of its chunk
        self._is_chunked = self._is_first_chunk = False
        self._is_kept = True

    def has_ended(self) -> bool:
        """Return True if the other side has closed an idle connection, or sent something that nobody asked for."""
        return bool(self._poll.poll(0))

    @property
    def is_free(self) -> bool:
        """True if the whole response was read, and another request may follow."""
        return self.is_whole and self._is_kept

    @property
    def is_whole(self) -> bool:
        """True if the whole response was read."""
        return self._left == 0 and not self._is_chunked

    def send(self, head: bytes, body: Iterable[Buffer], seconds: float) -> None:
        """Send a request.

        Args:
            head: Its head, as it is sent.
            body: Its body in blocks.
            seconds: Seconds without a byte, of the request and of its response.
        """
        if seconds != self._seconds:
            self._socket.settimeout(seconds)
            self._seconds = seconds
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it had all of it
            self._socket.sendall(head)
            for block in body:
                self._socket.sendall(block)

    def receive_head(self) -> tuple[int, dict[str, str]]:
        """Return status and headers of a response, whose names are in lower case; no HEAD is sent.

        Raises:
            BrokenResponse: The head is malformed, or breaks off; or the body has no clear end.
        """
        status = HTTPStatus.CONTINUE.value
        while status == HTTPStatus.CONTINUE:
            found = _STATUS.fullmatch(line := self._source.readline(_LARGEST_LINE))
            if found is None:
                raise BrokenResponse("no HTTP" if line else "no response")
            is_old, status, fields = found[1] == b"0", int(found[2]), self._fields()
        options = fields.get("connection", "").lower()
        self._is_kept = "close" not in options and (not is_old or "keep-alive" in options)
        self._frame(status, fields)
        return status, fields

    def _fields(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        for _ in range(_MOST_LINES):
            line = self._source.readline(_LARGEST_LINE)
            if line in _ENDS:
                return fields
            field = _FIELD.fullmatch(line.decode("latin-1"))
            if field is None:
                raise BrokenResponse("a header is malformed")
            name, value = field[1].lower(), field[2]
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        raise BrokenResponse("too many headers")

    def _frame(self, status: int, fields: dict[str, str]) -> None:
        """Find where the body ends (RFC 9112 §6.3)."""
        coding, length = fields.get("transfer-encoding"), fields.get("content-length", "")
        self._left, self._is_chunked = 0, False
        if status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            return
        if coding is not None and coding.lower() == "chunked":
            self._is_chunked = self._is_first_chunk = True
        elif coding is None and _LENGTH.fullmatch(length):
            self._left = int(length)
        else:  # it would end with its connection, and nothing would show that it broke off
            raise BrokenResponse("a body without an end")

    def read(self, size: int | None) -> bytes:
        """Return at most so many bytes of the body, none at its end; all that is left for None.

        Raises:
            BrokenResponse: It ends too early.
        """
        if self._is_chunked:
            return self._read_chunks(size)
        return self._take(self._wanted(size))

    def _wanted(self, size: int | None) -> int:
        return self._left if size is None else min(size, self._left)

    def _take(self, wanted: int) -> bytes:
        block = self._source.read(wanted) if wanted else b""
        if len(block) < wanted:
            raise BrokenResponse("the body breaks off")
        self._left -= wanted
        return block

    def _read_chunks(self, size: int | None) -> bytes:
        blocks: list[bytes] = []
        while self._is_chunked and size != 0:
            if not self._left and not self._begin_chunk():
                break
            block = self._take(self._wanted(size))
            blocks.append(block)
            size = None if size is None else size - len(block)
        return b"".join(blocks)

    def _begin_chunk(self) -> bool:
        """Read on to the next chunk (RFC 9112 §7.1); return False at the end of the body."""
        if self._is_first_chunk:
            self._is_first_chunk = False
        elif self._source.readline(_LARGEST_LINE) not in _ENDS:
            raise BrokenResponse("a chunk is longer than it says")
        found = _CHUNK.fullmatch(self._source.readline(_LARGEST_LINE))
        if found is None:
            raise BrokenResponse("a chunk without a length")
        self._left = int(found[1], 16)
        if self._left == 0:
            self._fields()  # the trailer
            self._is_chunked = False
        return self._is_chunked

    def close(self) -> None:
        """Close it."""
        self._source.close()
        self._socket.close()
