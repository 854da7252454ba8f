"""Records are sent to syslog servers that come, go, hang and lie, while nobody waits and losses are counted."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from davfs.audit.json_lines import encode_line
from davfs.audit.record import NOBODY, AuditAction, AuditRecord
from davfs.audit.syslog import SyslogSink
from davfs.audit.syslog_connection import SyslogConnection, SyslogServer, SyslogTransport
from davfs.audit.syslog_message import MessageFormat, message_encoder
from tests.support.clients.programs import wait_until

LOOPBACK = "127.0.0.1"
HEADER = re.compile(rb"<(\d+)>1 (\S+) (\S+) davfs (\d+) audit - (\{.*\})", re.DOTALL)


def record(number: int) -> AuditRecord:
    """A record that is told from others by its resource."""
    return AuditRecord(client=NOBODY, action=AuditAction.READ, resource=str(number))


@contextmanager
def sending(url: str) -> Iterator[SyslogSink]:
    """A sink for a server."""
    encode = message_encoder(MessageFormat.JSON)
    sink = SyslogSink(SyslogConnection(SyslogServer.parse(url)), encode, url, pauses=(0.1,))
    try:
        yield sink
    finally:
        began = time.monotonic()
        sink.close(1.0)
        assert time.monotonic() - began < 3
        assert not [thread for thread in threading.enumerate() if thread.name == "davfs-audit-syslog"]


class TcpServer:
    """A server that reads messages with octet counting.

    Args:
        limit: Number of bytes after which it ends each connection, in order; None for no limit.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._listening = socket.create_server((LOOPBACK, 0))
        self._limit = limit
        self.url = f"tcp://{LOOPBACK}:{self._listening.getsockname()[1]}"
        self.content = [bytearray()]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connected, _ = self._listening.accept()
                with connected:
                    self._read(connected)

    def _read(self, connected: socket.socket) -> None:
        self.content.append(bytearray())
        while block := connected.recv(65536):
            self.content[-1] += block
            if self._limit and len(self.content[-1]) > self._limit:
                with suppress(OSError):
                    connected.shutdown(socket.SHUT_WR)

    def messages(self) -> list[bytes]:
        """Return the complete messages."""
        found = []
        for content in self.content:
            rest = bytes(content)
            while match := re.match(rb"(\d+) ", rest):
                length = int(match[1])
                message, rest = rest[match.end() : match.end() + length], rest[match.end() + length :]
                if len(message) == length:
                    found.append(message)
        return found

    def close(self) -> None:
        """Listen no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


@pytest.fixture
def server() -> Iterator[TcpServer]:
    """A server."""
    running = TcpServer()
    yield running
    running.close()


def resources(messages: list[bytes]) -> list[str]:
    """Return the resources that messages name."""
    return [json.loads(match[5])["resource"] for each in messages if (match := HEADER.fullmatch(each))]


def test_octet_counting(server: TcpServer) -> None:
    """Messages have the header of RFC 5424, and their length before them."""
    with sending(server.url) as sink:
        sink.write([record(number) for number in range(1000)])
        wait_until(lambda: len(server.messages()) == 1000, "the messages")
    assert resources(server.messages()) == [str(number) for number in range(1000)]
    match = HEADER.fullmatch(server.messages()[0])
    assert match
    assert match[1] == b"85"
    assert match[3].decode() == socket.gethostname()


def test_datagrams() -> None:
    """By UDP each message is a datagram, without a length."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((LOOPBACK, 0))
        receiver.settimeout(5)
        with sending(f"udp://{LOOPBACK}:{receiver.getsockname()[1]}") as sink:
            sink.write([record(1), record(2)])
            assert resources([receiver.recv(65536), receiver.recv(65536)]) == ["1", "2"]


def test_connections_that_end() -> None:
    """A server that ends its connections again and again gets all messages, in order."""
    running = TcpServer(limit=50_000)
    try:
        with sending(running.url) as sink:
            for number in range(2000):
                sink.write([record(number)])
                if number % 100 == 0:
                    time.sleep(0.01)
            wait_until(lambda: "1999" in resources(running.messages()), "the last message")
            assert resources(running.messages()) == [str(number) for number in range(2000)]
        assert len(running.content) > 2
    finally:
        running.close()


def never_answers() -> tuple[str, Callable[[], object]]:
    """A server that takes connections, and never reads."""
    listening = socket.create_server((LOOPBACK, 0), backlog=16)
    return f"tcp://{LOOPBACK}:{listening.getsockname()[1]}", listening.close


def nobody_listens() -> tuple[str, Callable[[], object]]:
    """An address at which nobody listens."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        return f"tcp://{LOOPBACK}:{listening.getsockname()[1]}", lambda: None


def no_such_host() -> tuple[str, Callable[[], object]]:
    """A name that no host has."""
    return "tcp://nowhere.invalid:601", lambda: None


@pytest.mark.parametrize("prepare", [never_answers, nobody_listens, no_such_host])
def test_bad_servers(prepare: Callable[[], tuple[str, Callable[[], object]]], caplog: pytest.LogCaptureFixture) -> None:
    """No server makes writing or stopping wait, and what was not sent is in the log."""
    url, end = prepare()
    took = list[float]()
    with sending(url) as sink:
        for _ in range(100):
            began = time.monotonic()
            sink.write([record(number) for number in range(1000)])
            took.append(time.monotonic() - began)
            time.sleep(0.02)
    assert sorted(took)[-2] < 0.5  # one may be held up by a busy machine
    end()
    assert re.search(r"\d+ records of the audit trail were not sent to tcp://", caplog.text)
    assert caplog.text.count("cannot be sent") <= 1


def test_lost_records_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """After an outage in which more was recorded than there is room for, a message tells how much was lost."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]
    with sending(f"tcp://{LOOPBACK}:{port}") as sink:
        for number in range(60_000):
            sink.write([record(number)])
            if number % 1000 == 0:
                time.sleep(0.01)
        running = TcpServer.__new__(TcpServer)
        listening = socket.create_server((LOOPBACK, port))
        running.__dict__ |= {"_listening": listening, "_limit": None, "content": [bytearray()]}
        running._thread = threading.Thread(target=running._serve, daemon=True)
        running._thread.start()
        wait_until(lambda: any(b'"lost":' in each for each in running.messages()), "the number of lost records", 20)
        told = [json.loads(match[5]) for each in running.messages() if (match := HEADER.fullmatch(each))]
        running.close()
    lost = sum(each.get("lost", 0) for each in told)
    assert lost + sum("resource" in each for each in told) == 60_000
    assert f"{lost} records of the audit trail were lost" in caplog.text


@pytest.mark.parametrize(
    ("url", "transport", "host", "port"),
    [
        ("udp://logs", SyslogTransport.UDP, "logs", 514),
        ("tcp://10.1.2.3:601/", SyslogTransport.TCP, "10.1.2.3", 601),
        ("tls://[::1]", SyslogTransport.TLS, "::1", 6514),
    ],
)
def test_urls(url: str, transport: SyslogTransport, host: str, port: int) -> None:
    """A URL names transport, host and port, which is the usual one if it is missing."""
    assert SyslogServer.parse(url) == SyslogServer(transport, host, port)
    assert SyslogServer.parse(str(SyslogServer.parse(url))) == SyslogServer.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "logs:514",
        "http://logs",
        "udp://",
        "udp://logs:0",
        "udp://logs:99999",
        "tls://me@logs",
        "tcp://a/b",
        "tcp://a b",
    ],
)
def test_bad_urls(url: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r".*"):
        SyslogServer.parse(url)


def test_encoder_is_that_of_the_file() -> None:
    """A message in JSON is the line of the file."""
    assert message_encoder(MessageFormat.JSON)(one := record(1)).endswith(encode_line(one)[:-1])
