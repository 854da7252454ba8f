"""One keep-alive HTTP connection whose client costs next to nothing.

``http.client`` takes 0.1 ms to read the headers of an answer, nearly as long as Orthanc takes for a whole small one; it
would hide a good part of any difference. So requests are encoded beforehand, and of the answer's headers only status
and length are read, into a buffer that is used again and again.
"""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from davfs.demo.ports import LOOPBACK

SECONDS = 60
"""Time limit of a request."""

_IDLE = 0.5
"""Seconds after which Orthanc may close a connection soon (it does after 1)."""
_END = b"\r\n\r\n"
_LENGTH = b"\r\nContent-Length: "
_CHUNKED = b"\r\nTransfer-Encoding: chunked\r\n"
_LINE = b"\r\n"
_ROOM = 64 * 1024


class WrongAnswer(Exception):
    """Orthanc answered, but not what the benchmark asks for: all figures would be worthless."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and what the answer has to be.

    Attributes:
        head: Request line and headers, encoded.
        body: What follows them.
        status: Status of the right answer.
        size: Bytes of the right answer's body; None where that is not known beforehand.
        holds: Bytes that the right answer's body contains.
        port: TCP port of the server that is asked, where there are several.
    """

    head: bytes
    body: bytes = b""
    status: int = 200
    size: int | None = None
    holds: bytes = b""
    port: int = 0

    def __str__(self) -> str:
        return self.head.partition(b"\r\n")[0].decode()


def question(  # noqa: PLR0913 - a request has that many parts
    method: str,
    target: str,
    *,
    body: bytes = b"",
    depth: int | None = None,
    status: int = 200,
    size: int | None = None,
    holds: bytes = b"",
) -> Question:
    """Encode a request; ``target`` is percent-encoded already.

    There is no ``Accept-Encoding``, so that no server compresses.
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {LOOPBACK}"]
    if depth is not None:
        lines.append(f"Depth: {depth}")
    if body or method in {"PUT", "POST"}:
        lines.append(f"Content-Length: {len(body)}")
    return Question("\r\n".join([*lines, "", ""]).encode("ascii"), body, status, size, holds)


class Client(Protocol):
    """Asks one thing after the other."""

    def open(self) -> None:
        """Make sure that no server will close a connection during the next request."""

    def ask(self, asked: Question) -> float:
        """Send a request, wait for the whole answer, and return the seconds that it took.

        Raises:
            WrongAnswer: It is not as it has to be.
        """

    def close(self) -> None:
        """Close what is open; the next request opens another connection."""


class Connection:
    """A connection to a server on this machine.

    Args:
        port: Its TCP port.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._used = 0.0
        self._buffer = bytearray(_ROOM)
        self._body: list[slice] = []

    @property
    def body(self) -> bytes:
        """The body of the last answer."""
        return b"".join(self._buffer[part] for part in self._body)

    def open(self) -> None:
        """Make sure that the server will not close the connection during the next request."""
        if self._socket is not None and time.monotonic() - self._used < _IDLE:
            return
        self.close()
        self._socket = socket.create_connection((LOOPBACK, self._port), SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, asked: Question) -> float:
        """Send a request, wait for the whole answer, and return the seconds from the first byte to the last.

        Raises:
            WrongAnswer: Its status, its length or its content is not as it has to be.
        """
        self.open()
        assert self._socket is not None
        start = time.perf_counter()
        self._socket.sendall(asked.head)
        if asked.body:
            self._socket.sendall(asked.body)
        status = self._receive(self._socket)
        seconds = time.perf_counter() - start
        self._used = time.monotonic()
        self._check(asked, status)
        return seconds

    def _receive(self, source: socket.socket) -> int:
        """Read one answer into the buffer, and return its status."""
        filled, end = 0, -1
        while end < 0:
            filled += self._fill(source, filled, len(self._buffer))
            end = self._buffer.find(_END, 0, filled)
        status = int(self._buffer[9:12])  # "HTTP/1.1 200 OK"
        start = end + len(_END)
        if self._buffer.find(_CHUNKED, 0, start) >= 0:
            self._body = self._chunks(source, start, filled)
            return status
        total = start + self._length(end)
        self._fill_to(source, filled, total)
        self._body = [slice(start, total)]
        return status

    def _chunks(self, source: socket.socket, start: int, filled: int) -> list[slice]:
        """Read a body in chunks, and return where they are."""
        found = []
        while True:
            while (end := self._buffer.find(_LINE, start, filled)) < 0:
                filled = self._fill_to(source, filled, filled + 1)
            size = int(self._buffer[start:end], 16)
            start = end + len(_LINE)
            found.append(slice(start, start + size))
            start += size + len(_LINE)
            filled = self._fill_to(source, filled, start)
            if not size:
                return found

    def _fill_to(self, source: socket.socket, filled: int, total: int) -> int:
        """Read until so many bytes are there, and return how many are."""
        if total + _ROOM > len(self._buffer):
            self._buffer.extend(bytes(total + _ROOM - len(self._buffer)))
        while filled < total:
            filled += self._fill(source, filled, len(self._buffer))
        return filled

    def _length(self, end: int) -> int:
        found = self._buffer.find(_LENGTH, 0, end)
        if found < 0:
            return 0
        start = found + len(_LENGTH)
        return int(self._buffer[start : self._buffer.index(b"\r\n", start)])

    def _fill(self, source: socket.socket, start: int, end: int) -> int:
        with memoryview(self._buffer) as view, view[start:end] as room:
            received = source.recv_into(room)
        if not received:
            raise WrongAnswer("the server closed the connection in the middle of an answer")
        return received

    def _check(self, asked: Question, status: int) -> None:
        size = sum(part.stop - part.start for part in self._body)
        if status != asked.status:
            raise WrongAnswer(f"{asked}: status {status} instead of {asked.status}")
        if asked.size is not None and size != asked.size:
            raise WrongAnswer(f"{asked}: {size} bytes instead of {asked.size}")
        if asked.holds and asked.holds not in self.body:
            raise WrongAnswer(f"{asked}: the answer does not hold {asked.holds!r}")

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Connections:
    """One client's connections to several servers, which are told apart by their ports.

    Args:
        ports: TCP ports.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._by_port = {port: Connection(port) for port in ports}

    def open(self) -> None:
        """See `Client`."""
        for each in self._by_port.values():
            each.open()

    def ask(self, asked: Question) -> float:
        """See `Client`."""
        return self._by_port[asked.port].ask(asked)

    def close(self) -> None:
        """See `Client`."""
        for each in self._by_port.values():
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
