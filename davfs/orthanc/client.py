"""An HTTP client for Orthanc, which keeps connections open for the next requests.

Each request of a user is one or more to Orthanc, so their CPU time counts: httpx takes eight times as much.

No compression is asked for. Orthanc would compress even DICOM files, and send the compressed size
(``HttpCompressionEnabled``).
"""

import base64
import re
import ssl
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Semaphore
from typing import Self

from davfs.errors import Unavailable
from davfs.orthanc import Buffer
from davfs.orthanc.address import OrthancAddress
from davfs.orthanc.connection import BrokenResponse, Connection
from davfs.orthanc.http_response import HttpResponse

_TARGET = re.compile("/[\x21-\x7e]*")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a client.

    Attributes:
        connect: Seconds for a connection to be made.
        read: Seconds without a byte, and seconds to wait for a free connection.
        connections: Connections at the same time.
        idle: Seconds for which an idle connection is kept open: fewer than Orthanc's, which closes it after one.
    """

    connect: float = 5.0
    read: float = 60.0
    connections: int = 40
    idle: float = 0.8


class OrthancClient:
    """Sends requests to an Orthanc, on any number of threads. Redirections are not followed, cookies not kept.

    Proxies of the environment are not used: requests have patients' data, and the password.

    Args:
        address: Orthanc's root.
        user: Name and password for all requests; None for none.
        tls: Context for TLS; by default, this system has to trust the certificate.
        limits: Limits on time and connections.
    """

    def __init__(
        self,
        address: OrthancAddress,
        *,
        user: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.address = address
        self.limits = limits or Limits()
        self._tls = (tls or ssl.create_default_context()) if address.is_secure else None
        login = f"Authorization: {_basic(*user)}\r\n" if user else ""
        self._common = f" HTTP/1.1\r\nHost: {address.authority}\r\nAccept-Encoding: identity\r\n{login}"
        self._free = Semaphore(self.limits.connections)
        self._idle: deque[tuple[Connection, float]] = deque()

    def request(
        self,
        method: str,
        path: str,
        body: Buffer | Iterable[Buffer] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float | None = None,
    ) -> HttpResponse:
        """Send a request, and read the whole response.

        Args:
            method: Its method.
            path: Its path and query, below Orthanc's root.
            body: Its body; in several blocks, it needs a ``Content-Length``.
            headers: Further headers.
            seconds: Seconds without a byte, in place of those of the limits.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        response = self.open(method, path, body, headers, seconds=seconds)
        response.read()
        return response

    def open(
        self,
        method: str,
        path: str,
        body: Buffer | Iterable[Buffer] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float | None = None,
    ) -> HttpResponse:
        """Send a request, and read the head of the response; its body has to be read or closed. See `request`."""
        headers = dict(headers or {})
        if isinstance(body, bytes | bytearray | memoryview):
            headers["Content-Length"] = str(len(body))
            body = (body,)
        head = self._head(method, path, headers)
        if not self._free.acquire(timeout=self.limits.read):
            raise Unavailable("Orthanc does not answer: too many requests wait for it")
        connection: Connection | None = None
        try:
            with connection_errors():
                connection = self._idle_connection() or self._connected()
                connection.send(head, body or (), self.limits.read if seconds is None else seconds)
                status, fields = connection.receive_head()
        except BaseException:
            if connection is not None:
                connection.close()
            self._free.release()
            raise
        return HttpResponse(method, path, status, fields, _Body(self, connection))

    def _head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        """Return the head of a request.

        Raises:
            ValueError: The path, or a header, would be more than that.
        """
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if not _TARGET.fullmatch(path) or fields.count("\n") > len(headers):
            raise ValueError("the path or a header of a request is malformed")
        return f"{method} {self.address.prefix}{path}{self._common}{fields}\r\n".encode("latin-1")

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop()[0].close()

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next request, if it is free; for the body of its response."""
        now = time.monotonic()
        while self._idle and now - self._idle[0][1] > self.limits.idle:
            self._idle.popleft()[0].close()
        if connection.is_free:
            self._idle.append((connection, now))
        else:
            connection.close()
        self._free.release()

    def _idle_connection(self) -> Connection | None:
        """Return the connection that was used last; None if none can be used again."""
        earliest = time.monotonic() - self.limits.idle
        with suppress(IndexError):
            while True:
                connection, since = self._idle.pop()
                if since >= earliest and not connection.has_ended():
                    return connection
                connection.close()
        return None

    def _connected(self) -> Connection:
        return Connection(self.address.host, self.address.port, self._tls, self.limits.connect)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Body:
    """The body of a response on a connection, which goes back to its client at the end.

    Args:
        client: The client.
        connection: The connection.
    """

    def __init__(self, client: OrthancClient, connection: Connection) -> None:
        self._client = client
        self._connection: Connection | None = connection

    def read(self, size: int | None = None) -> bytes:
        """See `BodySource`."""
        connection = self._connection
        if connection is None:
            return b""
        try:
            with connection_errors():
                block = connection.read(size)
        except Unavailable:
            self.close()
            raise
        if connection.is_whole:
            self.close()
        return block

    def close(self) -> None:
        """See `BodySource`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._client.release(connection)


@contextmanager
def connection_errors() -> Iterator[None]:
    """Raise `Unavailable` if a request or its response does not arrive whole."""
    try:
        yield
    except (OSError, BrokenResponse) as error:
        raise Unavailable(f"Orthanc does not answer: {type(error).__name__}") from error


def trust_anyone() -> ssl.SSLContext:
    """Return a context for TLS that checks no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode("ascii")
