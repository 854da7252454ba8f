"""The HTTP client for Orthanc: connections, time limits, and responses that do not arrive whole."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field

import pytest

from davfs.demo.ports import LOOPBACK
from davfs.errors import Unavailable
from davfs.orthanc.address import OrthancAddress
from davfs.orthanc.client import Limits, OrthancClient

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LIMITS = Limits(connect=5.0, read=5.0, connections=4)


@dataclass
class Server:
    """Responds to each request with the same bytes.

    Attributes:
        response: The bytes; the connection is closed after them if they are a list.
        connections: Number of connections so far.
        heads: What was received.
    """

    listener: socket.socket
    response: bytes | list[bytes] = OK
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self.listener.getsockname()[1]}/orthanc/"

    def run(self) -> None:
        """Accept connections until it is closed."""
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while head := connection.recv(1 << 16):
                self.heads.append(head)
                is_last = isinstance(self.response, list)
                connection.sendall(b"".join(self.response) if isinstance(self.response, list) else self.response)
                if is_last:
                    return


@pytest.fixture
def server() -> Iterator[Server]:
    """A server."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        made = Server(listener)
        threading.Thread(target=made.run, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def client(server: Server) -> Iterator[OrthancClient]:
    """Yield a client of the server."""
    with OrthancClient(OrthancAddress.parse(server.url), user=("müller", "a:b"), limits=LIMITS) as client:
        yield client


def test_requests(server: Server, client: OrthancClient) -> None:
    """A request has the path below Orthanc's root, the user, and asks for no compression."""
    assert client.request("GET", "/system").read() == b"ok"
    (head,) = server.heads
    assert head.startswith(b"GET /orthanc/system HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Basic bcO8bGxlcjphOmI=\r\n" in head
    assert b"\r\nAccept-Encoding: identity\r\n" in head


def test_connection_is_kept(server: Server, client: OrthancClient) -> None:
    """One connection serves requests one after the other, also after an empty response."""
    server.response = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    assert [client.request("GET", "/x").status for _ in range(5)] == [404] * 5
    assert server.connections == 1


def test_idle_connections_that_the_server_closed(server: Server, client: OrthancClient) -> None:
    """A connection that has ended, or may end at any moment, is not used again."""
    server.response = [OK]
    for _ in range(3):
        assert client.request("GET", "/x").read() == b"ok"
        time.sleep(0.05)
    assert server.connections == 3
    server.response = OK
    for _ in range(2):
        assert client.request("GET", "/x").read() == b"ok"
        time.sleep(LIMITS.idle + 0.1)
    assert server.connections == 5


BROKEN: dict[str, list[bytes]] = {
    "nothing": [],
    "no HTTP": [b"hello\r\n\r\n"],
    "half a head, at the end of a line": [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"],
    "half a head": [b"HTTP/1.1 200 OK\r\nContent-"],
    "no length": [b"HTTP/1.1 200 OK\r\n\r\nok"],
    "half a body": [OK[:-1]],
    "half a chunk": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"],
    "endless header": [b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100_000],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_responses(server: Server, client: OrthancClient, name: str) -> None:
    """A response that does not arrive whole is an error, as often as it comes, and the next one is read."""
    server.response = BROKEN[name]
    for _ in range(LIMITS.connections + 1):
        with pytest.raises(Unavailable):
            client.request("GET", "/x")
    server.response = OK
    assert client.request("GET", "/x").read() == b"ok"


def test_number_of_connections(server: Server, client: OrthancClient) -> None:
    """Requests beyond the most connections wait for a free one; a response that is closed early gives it back."""
    opened = [client.open("GET", "/x") for _ in range(LIMITS.connections)]
    waiting: list[bytes] = []
    thread = threading.Thread(target=lambda: waiting.append(client.request("GET", "/x").read()))
    thread.start()
    time.sleep(0.2)
    assert server.connections == LIMITS.connections
    opened[0].body.close()
    thread.join(5)
    assert waiting == [b"ok"]
    for response in opened:
        response.body.close()
        response.body.close()
    assert [client.request("GET", "/x").read() for _ in range(9)] == [b"ok"] * 9


def test_slow_servers(server: Server, client: OrthancClient) -> None:
    """A server that sends nothing is not waited for longer than the limit of the request."""
    server.response = b"HTTP/1.1 200 OK\r\n"
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="TimeoutError"):
        client.request("GET", "/x", seconds=0.3)
    assert time.monotonic() - begun < 2


def test_refused_uploads() -> None:
    """A response that comes before the whole body was sent is read."""

    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_RD)
            while connection.recv(1 << 20):
                pass

    with socket.create_server((LOOPBACK, 0)) as listener:
        threading.Thread(target=refuse, args=[listener], daemon=True).start()
        url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        with closing(OrthancClient(OrthancAddress.parse(url), limits=LIMITS)) as client:
            blocks: Callable[[], Iterator[bytes]] = lambda: (bytes(1 << 18) for _ in range(16))  # noqa: E731
            response = client.request("POST", "/instances", blocks(), {"Content-Length": str(1 << 22)})
            assert response.status == 401


def test_nobody_listens() -> None:
    """A port without a server is an `Unavailable` error."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    with OrthancClient(OrthancAddress.parse(f"http://{LOOPBACK}:{port}")) as client, pytest.raises(Unavailable):
        client.request("GET", "/system")
