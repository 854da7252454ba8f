"""The drive's HTTP server with a minimal WSGI application, and raw clients of it."""

import http.client
import socket
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from davfs.demo.ports import LOOPBACK
from davfs.doors.webdav.wire.server import HttpServer
from tests.support.local_server import received, serving

LARGE = bytes(range(256)) * 40_000
"""More bytes than the socket buffers of both sides hold."""
SECONDS = 20
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Application:
    """Responds with the body of the request, once ``gate`` is set."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.threads: set[str] = set()
        self.entered = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[Any]:
        """Answer a request (PEP 3333)."""
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        assert self.gate.wait(SECONDS)
        path = environ["PATH_INFO"]
        if path == "/error":
            raise ZeroDivisionError
        read = b""
        if path != "/unread":
            read = yield from received(environ)
        body = {"/large": LARGE, "/echo": read, "/scheme": environ["wsgi.url_scheme"].encode()}.get(path, b"hello")
        start_response("200 OK", [("Content-Length", str(len(body) + (path == "/short")))])
        yield from (memoryview(body)[:1], b"", memoryview(body)[1:])


@pytest.fixture
def application() -> Application:
    """Return the application that the server runs."""
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[HttpServer]:
    """A running server."""
    with serving(application) as server:
        yield server


@contextmanager
def client(server: HttpServer, **options: Any) -> Iterator[http.client.HTTPConnection]:
    """Open a connection, and close it at the end of the block."""
    connection = http.client.HTTPConnection(LOOPBACK, server.port, timeout=SECONDS, **options)
    try:
        yield connection
    finally:
        connection.close()


def ask(connection: http.client.HTTPConnection, method: str, path: str, **options: Any) -> tuple[int, bytes]:
    """Send a request; return status and content of the response."""
    connection.request(method, path, **options)
    answer = connection.getresponse()
    return answer.status, answer.read()


def raw(server: HttpServer, *pieces: bytes) -> bytes:
    """Send bytes over a connection of their own, and return what comes back until the server closes it."""
    with socket.create_connection((LOOPBACK, server.port), timeout=SECONDS) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@contextmanager
def connected(server: HttpServer, sent: bytes) -> Iterator[socket.socket]:
    """Connect with a small buffer, and send the beginning of a request."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(SECONDS)
        connection.connect((LOOPBACK, server.port))
        connection.sendall(sent)
        yield connection


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its key in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key -out certificate"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return both
