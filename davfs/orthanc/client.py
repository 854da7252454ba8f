"""An HTTP client for Orthanc: connections of `http.client`, which are kept open for the next requests.

Each request of a user is one or more to Orthanc, so their CPU time counts: httpx takes four times as much.

`http.client` asks for no compression. Orthanc would compress even DICOM files, and send the compressed size
(``HttpCompressionEnabled``).
"""

import base64
import http.client
import select
import ssl
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from threading import Semaphore
from typing import Protocol, Self, cast
from urllib.parse import urlsplit

from davfs.errors import ConfigurationError, Unavailable
from davfs.orthanc import Buffer
from davfs.orthanc.response_head import StrictResponse

_PORTS = {"http": http.client.HTTP_PORT, "https": http.client.HTTPS_PORT}


@dataclass(frozen=True, slots=True)
class OrthancAddress:
    """The root of an Orthanc.

    Attributes:
        url: Its URL, without a slash at the end.
        host: Host name or IP address.
        port: TCP port.
        prefix: Path of the URL, without a slash at the end; empty for none.
        is_secure: Whether it is reached by TLS.
    """

    url: str
    host: str
    port: int
    prefix: str
    is_secure: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a URL, such as ``https://pacs.example.org:8042``.

        Raises:
            ConfigurationError: There can be no Orthanc at such an address.
        """
        url = text.strip()
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            (host or "").encode("idna")
        except ValueError as error:  # a UnicodeError too
            raise ConfigurationError(f"the address of Orthanc cannot be read: {error}") from error
        if "@" in parts.netloc:
            raise ConfigurationError(
                "the address of Orthanc must not hold a user name or a password: set them apart from it"
            )
        if parts.scheme not in _PORTS or not host or parts.query or parts.fragment:
            raise ConfigurationError(f"the address of Orthanc is '{text}': it has to look like http://HOST:8042")
        secure = parts.scheme == "https"
        return cls(url.rstrip("/"), host, port or _PORTS[parts.scheme], parts.path.rstrip("/"), secure)


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


class BodySource(Protocol):
    """The body of a response, as it is received."""

    def read(self, size: int | None = None, /) -> bytes:
        """Return at most so many bytes, none at the end; all that is left for None.

        Raises:
            Unavailable: The connection broke, or ended too early.
        """

    def close(self) -> None:
        """End the response; the connection can be used again if all of it was read."""


class HttpResponse:
    """A response; its body may not be read yet.

    Args:
        method: Method of the request.
        path: Path of the request.
        status: Status code.
        headers: Its headers; their names are in lower case.
        body: Its body.
    """

    def __init__(self, method: str, path: str, status: int, headers: Mapping[str, str], body: BodySource) -> None:
        self.method = method
        self.path = path
        self.status = status
        self.headers = headers
        self.body = body
        self._content: bytes | None = None

    def read(self) -> bytes:
        """Return the whole body.

        Raises:
            Unavailable: The connection broke, or ended too early.
        """
        if self._content is None:
            self._content = self.body.read()
        return self._content

    @property
    def is_success(self) -> bool:
        """True for a status of 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_redirect(self) -> bool:
        """True for a status of 3xx."""
        return HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST


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
        self._headers = {"Authorization": _basic(*user)} if user else {}
        self._free = Semaphore(self.limits.connections)
        self._idle: deque[tuple[http.client.HTTPConnection, float]] = deque()

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
        connection = self._acquire()
        try:
            with connection_errors():
                if connection.sock is None:
                    connection.connect()
                connection.sock.settimeout(self.limits.read if seconds is None else seconds)
                with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it had all of it
                    connection.request(method, self.address.prefix + path, body, self._headers | dict(headers or {}))
                response = cast("StrictResponse", connection.getresponse())
        except BaseException:
            connection.close()
            self._free.release()
            raise
        return HttpResponse(method, path, response.status, response.fields, _Body(self, connection, response))

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop()[0].close()

    def release(self, connection: http.client.HTTPConnection) -> None:
        """Keep a connection for the next request, if it is open; for the body of its response."""
        now = time.monotonic()
        while self._idle and now - self._idle[0][1] > self.limits.idle:
            self._idle.popleft()[0].close()
        if connection.sock is not None:
            self._idle.append((connection, now))
        self._free.release()

    def _acquire(self) -> http.client.HTTPConnection:
        """Return a connection that is idle, or a new one, which is not connected yet."""
        if not self._free.acquire(timeout=self.limits.read):
            raise Unavailable("Orthanc does not answer: too many requests wait for it")
        earliest = time.monotonic() - self.limits.idle
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                break
            if since >= earliest and not _has_ended(connection):
                return connection
            connection.close()
        host, port, seconds = self.address.host, self.address.port, self.limits.connect
        if self._tls is None:
            made = http.client.HTTPConnection(host, port, timeout=seconds)
        else:
            made = http.client.HTTPSConnection(host, port, timeout=seconds, context=self._tls)
        made.response_class = StrictResponse
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Body:
    """The body of a response on a connection, which goes back to its client at the end.

    Args:
        client: The client.
        connection: The connection.
        response: The response.
    """

    def __init__(
        self, client: OrthancClient, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self._client = client
        self._connection: http.client.HTTPConnection | None = connection
        self._response = response

    def read(self, size: int | None = None) -> bytes:
        """See `BodySource`."""
        try:
            with connection_errors():
                block = self._response.read(size)
        except Unavailable:
            self.close()
            raise
        if self._response.isclosed():
            self._give_back()
        return block

    def close(self) -> None:
        """See `BodySource`."""
        if self._connection is not None:
            self._response.close()
            self._connection.close()
            self._give_back()

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._client.release(connection)


@contextmanager
def connection_errors() -> Iterator[None]:
    """Raise `Unavailable` if a request or its response does not arrive whole."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"Orthanc does not answer: {type(error).__name__}") from error


def trust_anyone() -> ssl.SSLContext:
    """Return a context for TLS that checks no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _has_ended(connection: http.client.HTTPConnection) -> bool:
    """Return True if the other side has closed an idle connection, or sent something that nobody asked for."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode("ascii")
