"""Clients that stall, in every state of a connection, and an active client to measure beside them."""

import base64
import http.client
import resource
import select
import socket
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from davfs.demo.ports import LOOPBACK

_RECEIVE_BUFFER = 4096
_FILES = 8192
_PIPELINED = 20
_LISTINGS = 8
_SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Stall:
    """A way to stall.

    Attributes:
        request: What each of them sends at once; ``LOGIN`` stands for the header of that name, ``NUMBER`` for its own.
        trickle: What it sends every second from then on.
        repeated: How often it sends the request.
    """

    request: str
    trickle: bytes = b""
    repeated: int = 1

    def sent(self, number: int, login: str) -> bytes:
        """Return the bytes that a client sends at once."""
        header = f"Authorization: {login}\r\n" if login else ""
        text = self.request.replace("LOGIN", header).replace("NUMBER", str(number))
        return text.encode() * self.repeated


def _body(method: str, headers: str, begun: str = "", path: str = "/inbox/stalled-NUMBER") -> str:
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\nLOGIN{headers}\r\n\r\n{begun}"


def _unread(headers: str, method: str = "GET", path: str = "/inbox/large.bin") -> str:
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\nLOGIN{headers}\r\n"


STALLS = {
    "connection": Stall(""),
    "head": Stall("PROPFIND / HTTP/1.1\r\nHost: a\r\nLOGINX-Long: ", b"x" * 16),
    "propfind": Stall(_body("PROPFIND", "Depth: 1\r\nContent-Length: 1000", "<?xml", "/"), b" " * 16),
    "propfind-chunks": Stall(_body("PROPFIND", "Transfer-Encoding: chunked", "", "/"), b"1\r\n \r\n"),
    "lock": Stall(_body("LOCK", "Content-Length: 1000", "<?xml"), b" " * 16),
    "proppatch": Stall(_body("PROPPATCH", "Content-Length: 60000000", "<?xml"), b" " * 16),
    "small-upload": Stall(_body("PUT", "Content-Length: 100000", "abc"), b"x" * 16),
    "upload": Stall(_body("PUT", "Content-Length: 60000000", "abc"), b"x" * 16),
    "upload-chunks": Stall(_body("PUT", "Transfer-Encoding: chunked"), b"5\r\nabcde\r\n"),
    "upload-zip": Stall(_body("PUT", "Content-Length: 60000000", "PK\x03\x04", "/inbox/NUMBER.zip"), b"x" * 16),
    "upload-continue": Stall(_body("PUT", "Content-Length: 60000000\r\nExpect: 100-continue")),
    "download": Stall(_unread("")),
    "download-image": Stall(_unread("", path="IMAGE")),
    "ranges": Stall(_unread("Range: bytes=5-999999\r\n"), repeated=_PIPELINED),
    "listings": Stall(_unread("Depth: 1\r\n", "PROPFIND", "/inbox/many/"), repeated=_LISTINGS),
    "idle": Stall(_unread("", path="/README.txt")),
}
"""By the part of the exchange that stalls."""


def basic(user: str, password: str) -> str:
    """Return the value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def stalled(port: int, clients: Sequence[bytes], trickle: Mapping[int, bytes]) -> Iterator[None]:
    """Keep stalled clients connected until the end of the block.

    Args:
        port: Of the server.
        clients: Bytes that each client sends at once, as far as the server reads them.
        trickle: Bytes that clients send every second afterwards, by the index of the client.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(_FILES, hard)), hard))
    ending = threading.Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(_connected(port, sent)) for sent in clients]

        def go_on() -> None:
            while not ending.wait(_SECOND):
                for number, more in trickle.items():
                    _send(connections[number], more)

        thread = threading.Thread(target=go_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()


def _connected(port: int, sent: bytes) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    connection.connect((LOOPBACK, port))
    connection.settimeout(0)
    _send(connection, sent)
    return connection


def _send(connection: socket.socket, content: bytes) -> None:
    with suppress(BlockingIOError, ConnectionError):  # the server takes no more, or has closed it
        connection.send(content)


class ActiveClient:
    """A client that reads its responses: every second request is sent over a new connection.

    Args:
        port: Of the server.
        login: Its login; empty for none.
    """

    def __init__(self, port: int, login: str = "") -> None:
        self._port = port
        self._headers = {"Authorization": login} if login else {}
        self._kept = http.client.HTTPConnection(LOOPBACK, port, timeout=30)

    def ask(self, method: str, path: str, body: bytes | None = None, *, reconnect: bool = True) -> tuple[int, bytes]:
        """Send a request, over a new connection or the persistent one; return status and content of the response.

        If the server closes the persistent one at that moment, it is opened again, as all clients do (RFC 9112 §9.3.1).
        """
        try:
            return self._ask(method, path, body, reconnect=reconnect)
        except ConnectionError:
            if reconnect:
                raise
        self._kept.close()
        return self._ask(method, path, body, reconnect=reconnect)

    def _ask(self, method: str, path: str, body: bytes | None, *, reconnect: bool) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=30) if reconnect else self._kept
        if connection.sock and select.select([connection.sock], [], [], 0)[0]:
            connection.close()  # the server has closed it meanwhile; http.client opens it again
        connection.request(method, path, body, {"Depth": "1", **self._headers})
        answer = connection.getresponse()
        content = answer.read()
        if reconnect:
            connection.close()
        return answer.status, content

    def listed(self, path: str, times: int) -> list[float]:
        """List a folder a number of times; return the seconds of each request."""
        seconds = []
        for number in range(times):
            asked = time.perf_counter()
            status, _ = self.ask("PROPFIND", path, reconnect=bool(number % 2))
            seconds.append(time.perf_counter() - asked)
            assert status == http.client.MULTI_STATUS
        return seconds

    def close(self) -> None:
        """Close the persistent connection."""
        self._kept.close()


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency of several requests.

    Attributes:
        median: Median, in seconds.
        worst: Maximum, in seconds.
    """

    median: float
    worst: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        """Return the latency of requests that took these seconds."""
        return cls(statistics.median(seconds), max(seconds))
