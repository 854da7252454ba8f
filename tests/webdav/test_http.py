"""The HTTP server of door 2: connections, bodies, limits, TLS, start and stop."""

import http.client
import socket
import ssl
import termios
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.doors.webdav.wire import connection_manager, thread_clock
from davfs.doors.webdav.wire.server import THREADS, HttpServer
from davfs.errors import ConfigurationError
from tests.support import bare_server
from tests.support.bare_server import GET, LARGE, SECONDS, Application, ask, client, connected, raw
from tests.support.local_server import serving

# pytest finds fixtures by the names in a module.
application, server, certificate = bare_server.application, bare_server.server, bare_server.certificate


@pytest.mark.parametrize("header", ["TE", "Keep-Alive", "keep-alive, TE"])
def test_connection_is_kept(server: HttpServer, header: str) -> None:
    """One connection serves many requests, also with neon's headers TE and Connection."""
    with client(server) as connection:
        connection.connect()
        first = connection.sock
        for path in ("/", "/large", "/short2", "/unread"):
            status, _ = ask(connection, "GET", path, headers={"Connection": header, "TE": "trailers"})
            assert status == 200
            assert connection.sock is first


def test_large_answers(server: HttpServer) -> None:
    """Responses larger than the buffers arrive whole, also at a slow client."""
    with client(server) as connection:
        connection.request("GET", "/large")
        time.sleep(0.2)
        assert connection.getresponse().read() == LARGE
        assert ask(connection, "GET", "/large") == (200, LARGE)


def test_requests_in_a_row(server: HttpServer) -> None:
    """Pipelined requests are all answered, in order."""
    answer = raw(server, GET * 3, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == answer.count(b"hello") == 4


def test_head_in_pieces(server: HttpServer) -> None:
    """A request may come byte by byte."""
    request = b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nabcd"
    assert raw(server, *(request[n : n + 1] for n in range(len(request)))).endswith(b"\r\n\r\nabcd")


def test_old_clients(server: HttpServer) -> None:
    """HTTP/1.0 is answered, and the connection closed."""
    assert raw(server, b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nhello")


def test_continue(server: HttpServer) -> None:
    """A client that waits for `100 Continue` gets it."""
    head = b"PUT /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((LOOPBACK, server.port), timeout=SECONDS) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(b"abc")
        assert b"".join(iter(lambda: connection.recv(1 << 16), b"")).endswith(b"\r\n\r\nabc")


def test_continue_in_http_1_0(server: HttpServer) -> None:
    """Clients of HTTP/1.0 are not sent ``100 Continue`` (RFC 9110 §10.1.1)."""
    with socket.create_connection((LOOPBACK, server.port), timeout=SECONDS) as connection:
        connection.sendall(b"PUT /echo HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        time.sleep(0.1)
        connection.sendall(b"abc")
        assert connection.recv(100).split()[1] == b"200"


def test_chunks(server: HttpServer) -> None:
    """A chunked body arrives complete, and the connection serves the next request."""
    with client(server) as connection:
        for _ in range(2):
            pieces = (LARGE[start : start + 100_000] for start in range(0, 1_000_000, 100_000))
            assert ask(connection, "PUT", "/echo", body=pieces) == (200, LARGE[:1_000_000])


def test_last_chunk_is_missing(server: HttpServer) -> None:
    """An upload of Finder that announces its length ends without the last chunk."""
    head = b"PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Expected-Entity-Length: 5\r\n\r\n"
    assert b"\r\n\r\nhello" in raw(server, head, b"5\r\nhello\r\n")


def test_body_that_nobody_reads(server: HttpServer) -> None:
    """A body that the application does not read is not parsed as the next request."""
    with client(server) as connection:
        for _ in range(2):
            assert ask(connection, "PUT", "/unread", body=GET + LARGE) == (200, b"hello")
    answer = raw(
        server, b"PUT /unread HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s" % (len(GET), GET)
    )
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nDepth: 0\r\nDepth: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n continued\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"\r\n\r\n\r\n", 400),
    ],
)
def test_bad_requests(server: HttpServer, request_: bytes, status: int) -> None:
    """A malformed request, or one with an ambiguous end, is refused, and the connection is closed."""
    assert raw(server, request_).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Header: value\r\n" * 600_000, b"GET /" + b"x" * 10_000_000]
)
def test_large_heads(server: HttpServer, head: bytes) -> None:
    """Heads of 10 MB are refused with a clear answer."""
    with socket.create_connection((LOOPBACK, server.port), timeout=SECONDS) as connection:
        with suppress(OSError):  # it may be closed meanwhile
            connection.sendall(head)
        assert connection.recv(1 << 16).split()[1] in {b"413", b"414", b"431"}


@pytest.mark.parametrize(("chunks", "status"), [(4000, 200), (5000, 413)])
def test_small_chunks(server: HttpServer, chunks: int, status: int) -> None:
    """The number of chunks of a collected body is limited, since each costs time."""
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = raw(server, head + b"1\r\nx\r\n" * chunks + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert status != 200 or answer.endswith(b"\r\n\r\n" + b"x" * chunks)


def test_short_answers(server: HttpServer) -> None:
    """An answer that ends too early breaks the connection."""
    with client(server) as connection, pytest.raises(http.client.IncompleteRead):
        ask(connection, "GET", "/short")


def test_errors(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    """An error of the application is 500, its text is not logged, and the thread goes on."""
    for _ in range(THREADS + 1):
        with client(server) as connection:
            assert ask(connection, "GET", "/error")[0] == 500
    assert "ZeroDivisionError" in caplog.text
    assert {record.name.split(".")[0] for record in caplog.records} == {"davfs"}


def test_slow_heads(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that never finish a request delay no other client, and are closed after a timeout."""
    monkeypatch.setattr(connection_manager, "MOST", 300)
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection((LOOPBACK, server.port))) for _ in range(400)]
        for each in slow:
            each.sendall(b"GET / HTTP/1.1\r\nHost:")
        with client(server) as connection:
            assert ask(connection, "GET", "/") == (200, b"hello")
        monkeypatch.setattr("davfs.doors.webdav.wire.connection._HEAD_SECONDS", 0)
        for each in slow[-5:]:
            each.settimeout(SECONDS)
            assert each.recv(100).split()[1] in {b"408", b"503"}  # or it was the one to go for others
        with client(server) as connection:
            assert ask(connection, "GET", "/") == (200, b"hello")


def test_refused_clients_stay(application: Application) -> None:
    """Refused clients that keep their connections open occupy no thread."""
    with serving(application, threads=1) as server, ExitStack() as stack:
        for _ in range(30):
            connection = stack.enter_context(socket.create_connection((LOOPBACK, server.port), timeout=SECONDS))
            connection.sendall(b"nonsense\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
        with client(server) as honest:
            assert ask(honest, "GET", "/") == (200, b"hello")


def test_many_clients(server: HttpServer) -> None:
    """More clients than threads are all answered."""
    with ExitStack() as stack:
        clients = [stack.enter_context(client(server)) for _ in range(3 * THREADS)]
        for _ in range(2):
            for each in clients:
                each.request("GET", "/")
            assert [each.getresponse().read() for each in clients] == [b"hello"] * len(clients)


def test_kernels_that_know_less(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where threads do not see each other's CPU time, and what was sent is not counted (macOS), clients are served."""
    monkeypatch.delattr(time, "pthread_getcpuclockid")
    monkeypatch.setattr(thread_clock, "_find_clock", None)
    monkeypatch.setattr(termios, "TIOCOUTQ", -1)
    with serving(application) as server, ExitStack() as stack:
        slow = stack.enter_context(connected(server, b"GET /large HTTP/1.0\r\n\r\n"))
        time.sleep(0.3)  # more than a thread waits for a client
        for number in range(8):
            other = stack.enter_context(client(server))
            assert ask(other, "PUT", "/echo", body=b"x" * number) == (200, b"x" * number)
        assert b"".join(iter(lambda: slow.recv(1 << 16), b"")).endswith(LARGE)


def test_names_of_threads(server: HttpServer, application: Application) -> None:
    """Threads have distinct names."""
    with client(server) as connection:
        ask(connection, "GET", "/")
    assert all(name.startswith("davfs-webdav-") for name in application.threads)


def test_port_is_taken(application: Application) -> None:
    """A port that is in use is reported, with the setting that changes it."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} .* Davfs\.Server\.Port"):
            HttpServer(application, LOOPBACK, port).start()


def test_graceful_stop(application: Application) -> None:
    """A request that is being processed when the server stops is answered."""
    answers: list[bytes] = []
    with serving(application) as server:
        application.gate.clear()
        thread = threading.Thread(target=lambda: answers.append(raw(server, GET)))
        thread.start()
        assert application.entered.acquire(timeout=SECONDS)
        threading.Timer(0.3, application.gate.set).start()
    thread.join(SECONDS)
    assert answers[0].endswith(b"hello")


def test_stop_has_an_end(application: Application) -> None:
    """Stopping does not wait for clients that do not read their responses or send nothing."""
    server = HttpServer(application, LOOPBACK, 0)
    server.start()
    with ExitStack() as stack:
        for request in (
            b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
            b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n",
            b"GET",
        ):
            connection = stack.enter_context(socket.create_connection((LOOPBACK, server.port)))
            connection.sendall(request)
        for _ in range(2):
            assert application.entered.acquire(timeout=SECONDS)
        assert server.stop(2)


def test_ipv6(application: Application) -> None:
    """The server listens on IPv6 as well, and takes a network of 48 bits for one client (RFC 6177)."""
    server = HttpServer(application, "::1", 0)
    server.start()
    with socket.create_connection(("::1", server.port), timeout=SECONDS) as connection:
        connection.sendall(GET)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server._server._connections._open.size_of("::/48") == (1, 0)
    assert server.stop(SECONDS)


def test_stopped_before_it_started(application: Application) -> None:
    """A server that never started can be stopped."""
    assert HttpServer(application, LOOPBACK, *free_ports(1)).stop(1)


def test_tls(application: Application, certificate: Path) -> None:
    """With TLS everything works alike, and a silent client makes no other client wait."""
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(certificate))
    theirs.load_cert_chain(certificate)
    ours.check_hostname = False
    with serving(application, tls=theirs) as server, socket.create_connection((LOOPBACK, server.port)):
        connection = http.client.HTTPSConnection(LOOPBACK, server.port, timeout=SECONDS, context=ours)
        for _ in range(2):
            assert ask(connection, "GET", "/large") == (200, LARGE)
            assert ask(connection, "PUT", "/echo", body=LARGE) == (200, LARGE)
            assert ask(connection, "GET", "/scheme") == (200, b"https")
        connection.close()
        assert raw(server, GET) == b""


@pytest.mark.parametrize("own", [[], [("Date", "Mon, 30 Nov 2026 00:00:00 GMT")]], ids=["server's", "own"])
def test_one_date(own: list[tuple[str, str]]) -> None:
    """A response has one date: the application's own, or else the server's."""

    def answer(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "0"), *own])
        return []

    with serving(answer) as server:
        response = raw(server, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert response.count(b"\r\nDate: ") == 1
    assert not own or own[0][1].encode() in response
