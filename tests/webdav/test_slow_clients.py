"""Slow clients of the HTTP server of door 2: time limits, and the connections that are closed for others."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from davfs.demo.ports import LOOPBACK
from davfs.doors.webdav.wire import connection_manager, transfer_limits
from davfs.doors.webdav.wire.server import HttpServer
from tests.support import bare_server
from tests.support.bare_server import GET, LARGE, SECONDS, Application, ask, connected, raw
from tests.support.local_server import serving

# pytest finds fixtures by the names in a module.
application, server, certificate = bare_server.application, bare_server.server, bare_server.certificate

UPLOAD = b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx"
DOWNLOAD = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"


def test_transfers_of_one_client(server: HttpServer, application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of waiting transfers of one client, the one that has waited longest is aborted with a reason."""
    monkeypatch.setattr(transfer_limits.TransferLimits, "_most_of_owner", 3)
    with ExitStack() as stack:
        uploads = []
        for _ in range(5):
            uploads.append(stack.enter_context(connected(server, UPLOAD)))
            assert application.entered.acquire(timeout=SECONDS)
            time.sleep(0.1)
        for refused in uploads[:2]:
            assert refused.recv(1000).startswith(b"HTTP/1.1 503 ")
        uploads[4].sendall(b"x" * 999_999)
        assert uploads[4].recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [UPLOAD, UPLOAD.replace(b"1000000", b"1000"), DOWNLOAD])
def test_too_slow(server: HttpServer, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """A client that transfers nothing for too long is disconnected."""
    too_slow = transfer_limits.RateLimit(0.5, 60.0, 1)
    monkeypatch.setattr(connection_manager, "RATE_LIMITS", dict.fromkeys(transfer_limits.RATE_LIMITS, too_slow))
    with connected(server, sent) as connection:
        time.sleep(1.5)
        answer = b""
        with suppress(ConnectionError):
            while block := connection.recv(1 << 16):
                answer += block
    assert answer.startswith(b"HTTP/1.1 200 " if sent == DOWNLOAD else b"HTTP/1.1 408 ")
    assert len(answer) < len(LARGE)


def test_users_of_one_address_take_turns(application: Application) -> None:
    """Users behind one proxy take turns: a logged-in user does not wait for all requests of another one."""

    def logged_in(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[Any]:
        environ["wsgidav.auth.user_name"] = environ["HTTP_X_USER"]
        if environ["HTTP_X_USER"] == "many":
            return application(environ, start_response)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    with serving(logged_in, threads=16) as server, ExitStack() as stack:
        many = [stack.enter_context(bare_server.client(server)) for _ in range(16)]
        one = stack.enter_context(bare_server.client(server))
        for connection in (*many, one):
            user = "one" if connection is one else "many"
            assert ask(connection, "PROPFIND", "/", headers={"X-User": user})[0] == 200
        application.gate.clear()
        for connection in many:
            connection.request("PROPFIND", "/", headers={"X-User": "many"})
        for _ in range(2):
            assert application.entered.acquire(timeout=SECONDS)
        assert ask(one, "PROPFIND", "/", headers={"X-User": "one"}) == (200, b"hello")
        application.gate.set()
        assert [connection.getresponse().read() for connection in many] == [b"hello"] * 16


def test_long_requests_of_many_addresses() -> None:
    """However many addresses list large folders, a listing of a small one waits for a few of them, and not for all."""

    def computing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        end = time.thread_time() + (0.03 if environ["PATH_INFO"] == "/large" else 0.0)
        while time.thread_time() < end:
            pass
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    listing = b"PROPFIND /large HTTP/1.1\r\nHost: a\r\n\r\n"
    with serving(computing) as server, ExitStack() as stack:
        one = stack.enter_context(bare_server.client(server))
        many = []
        for number in range(64):
            many.append(socket.create_connection((LOOPBACK, server.port), SECONDS, (f"127.0.1.{number + 1}", 0)))
            stack.enter_context(many[-1])
        waited = []
        for _ in range(3):
            for connection in many:
                connection.sendall(listing)
            time.sleep(0.2)  # in which some are answered, and what they cost is known
            began = time.monotonic()
            assert ask(one, "PROPFIND", "/small") == (200, b"hello")
            waited.append(time.monotonic() - began)
            assert all(answered(connection) for connection in many)
    assert min(waited) < 0.5  # one after the other they take 2 s


def answered(connection: socket.socket) -> bool:
    """Wait for a response; return True if it was complete."""
    answer = b""
    while not answer.endswith(b"hello") and (block := connection.recv(1000)):
        answer += block
    return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\nhello")


def test_too_many_connections(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that has been idle longest is closed, and none with a request that is not read yet."""
    has_come, accept = threading.Event(), connection_manager.ConnectionManager._accept

    def accept_late(self: connection_manager.ConnectionManager) -> None:
        assert has_come.wait(SECONDS)
        accept(self)

    monkeypatch.setattr(connection_manager, "MOST", 2)
    with connected(server, GET) as first, connected(server, b"") as second:
        for each, request in ((first, b""), (second, GET)):
            each.sendall(request)
            assert answered(each)
            time.sleep(0.2)  # no worker waits any more for another request
        monkeypatch.setattr(connection_manager.ConnectionManager, "_accept", accept_late)
        with connected(server, GET) as third:
            first.sendall(GET)
            has_come.set()
            assert answered(first)
            assert answered(third)
            assert not second.recv(1)


def test_a_queued_request_among_stalled_clients(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that waits for a worker is not evicted while more connections of its address have sent no request."""
    monkeypatch.setattr(connection_manager, "MOST", 6)
    with serving(application, threads=1) as server, ExitStack() as stack:
        application.gate.clear()
        stack.enter_context(connected(server, GET))
        assert application.entered.acquire(timeout=SECONDS)
        stalled = [stack.enter_context(connected(server, b"GET")) for _ in range(4)]
        honest = stack.enter_context(connected(server, GET))
        time.sleep(0.2)  # it has been queued
        stack.enter_context(connected(server, b"GET"))
        assert stalled[0].recv(100).startswith(b"HTTP/1.1 503 ")
        application.gate.set()
        assert answered(honest)


def test_pipelines_without_end(server: HttpServer) -> None:
    """Clients with endless pipelines of requests do not delay other clients."""
    waited = []
    with ExitStack() as stack:
        for _ in range(50):
            pipeline = stack.enter_context(socket.create_connection((LOOPBACK, server.port)))
            pipeline.setblocking(False)  # noqa: FBT003  the standard library's
            with suppress(BlockingIOError):
                for _ in range(20):
                    pipeline.send(GET * 500)
        for _ in range(11):
            began = time.monotonic()
            with bare_server.client(server) as connection:
                assert ask(connection, "GET", "/") == (200, b"hello")
            waited.append(time.monotonic() - began)
    assert sorted(waited)[5] < 0.25


def test_the_rest_of_a_refused_body(server: HttpServer) -> None:
    """The rest of a refused request body is discarded, and the connection can be used for the next request."""
    with connected(server, UPLOAD.replace(b"/echo", b"/unread")) as connection:
        assert answered(connection)
        for _ in range(9):
            connection.sendall(b"x" * 100_000)
            time.sleep(0.01)
        connection.sendall(b"x" * 99_999 + GET)
        assert answered(connection)


def test_a_refused_body_that_was_not_asked_for(server: HttpServer) -> None:
    """Where a client waits to be told to send a body, it is told the answer instead, and the connection is closed."""
    head = UPLOAD[:-1].replace(b"/echo", b"/unread").replace(b"Host", b"Expect: 100-continue\r\nHost")
    answer = raw(server, head)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close" in answer


@pytest.mark.parametrize("method", [b"PROPFIND", b"POST", b"DELETE"])
@pytest.mark.parametrize("framing", [b"Content-Length: 200000", b"Transfer-Encoding: chunked"])
def test_large_bodies(server: HttpServer, method: bytes, framing: bytes) -> None:
    """Only uploads may have large bodies."""
    body = b"30d40\r\n" + b"x" * 200_000 if b"chunked" in framing else b""
    assert raw(server, b"%b /echo HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % (method, framing) + body).split()[1] == b"413"


def test_a_body_in_time_of_its_own(server: HttpServer) -> None:
    """A body arrives complete however long the pauses between its parts are, in chunks or not."""
    for framing, parts in (
        (b"Content-Length: 200003", [b"x" * 100_000, b"x" * 100_000, b"abc"]),
        (b"Content-Length: 5", [b"ab", b"cde"]),
        (b"Transfer-Encoding: chunked", [b"5\r", b"\nab", b"cde\r\n3", b"\r\nxyz", b"\r\n0\r\n", b"\r\n"]),
    ):
        with connected(server, b"PUT /echo HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n") as connection:
            for part in parts:
                time.sleep(0.1)
                connection.sendall(part)
            answer = connection.recv(1000)
            assert answer.startswith(b"HTTP/1.1 200 ")


def test_stalled_tls(application: Application, certificate: Path) -> None:
    """Clients that stall in a handshake, an upload or a download do not delay others, even with two threads."""
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(certificate))
    theirs.load_cert_chain(certificate)
    ours.check_hostname = False
    with serving(application, tls=theirs, threads=2) as server, ExitStack() as stack:
        for hello in (b"", b"\x16\x03\x01\x02\x00\x01"):
            for _ in range(10):
                stack.enter_context(connected(server, hello))
        for sent in (b"GET / HT", UPLOAD, UPLOAD.replace(b"1000000", b"1000"), DOWNLOAD):
            for _ in range(10):
                plain = stack.enter_context(connected(server, b""))
                stack.enter_context(ours.wrap_socket(plain)).sendall(sent)
        honest = http.client.HTTPSConnection(LOOPBACK, server.port, timeout=SECONDS, context=ours)
        for _ in range(3):
            assert ask(honest, "PUT", "/echo", body=LARGE) == (200, LARGE)
            assert ask(honest, "GET", "/large") == (200, LARGE)
        honest.close()
