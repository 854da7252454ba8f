"""Heads of requests: door 2 refuses what RFC 9112 refuses, and takes what it demands, as llhttp does (Node)."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest

from davfs.demo.ports import LOOPBACK
from davfs.doors.webdav.http_errors import HttpError
from tests.support.local_server import received, serving

SECONDS = 20
NODE = """
const server = require('http').createServer({ insecureHTTPParser: false }, (request, response) => {
  request.resume().on('end', () => response.end('taken')).on('error', () => {});
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


class Head(NamedTuple):
    """The head of a request.

    Attributes:
        sent: Its bytes; a head alone, or with a body.
        status: Status of the answer.
    """

    sent: bytes
    status: int


def get(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a\r\n") -> bytes:
    """Return a request without a body."""
    return first + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def put(*lines: bytes, body: bytes = b"") -> bytes:
    """Return a request whose body is, for a server that takes these headers, this."""
    return get(*lines, first=b"PUT / HTTP/1.1") + body


CHUNKED = b"Transfer-Encoding: chunked"
HEADS = {
    # RFC 9112 §3.2: the host
    "no host": Head(get(host=b""), 400),
    "no host in HTTP/1.0": Head(get(host=b"", first=b"GET / HTTP/1.0"), 200),
    "two hosts": Head(get(b"Host: b"), 400),
    "the same host twice": Head(get(b"Host: a"), 400),
    "a host with a user": Head(get(host=b"Host: me@a\r\n"), 400),
    "a host with a path": Head(get(host=b"Host: a/b\r\n"), 400),
    "a host with a blank": Head(get(host=b"Host: a b\r\n"), 400),
    "a host with a port that is none": Head(get(host=b"Host: a:b\r\n"), 400),
    "an empty host": Head(get(host=b"Host:\r\n"), 200),
    "a host with a port": Head(get(host=b"host: a.b:8043\r\n"), 200),
    "an address of IPv6": Head(get(host=b"Host: [::1]:8043\r\n"), 200),
    # §5: headers
    "a blank before the colon": Head(get(b"Depth : 0"), 400),
    "a tab before the colon": Head(get(b"Depth\t: 0"), 400),
    "a folded header": Head(get(b"Depth: 0", b" 1"), 400),
    "a header that begins folded": Head(get(b" Depth: 0", host=b""), 400),
    "no name": Head(get(b": 0"), 400),
    "no colon": Head(get(b"Depth"), 400),
    "a name that is none": Head(get(b"De(pth: 0"), 400),
    "a name with a byte that is none": Head(get(b"De\xe9pth: 0"), 400),
    "NUL in a value": Head(get(b"Depth: 0\0"), 400),
    "NUL in a name": Head(get(b"De\0pth: 0"), 400),
    "CR in a value": Head(get(b"Depth: 0\r1"), 400),
    "CR before a name": Head(get(b"\rDepth: 0"), 400),
    "LF alone after a header": Head(get(b"A: 0\nDepth: 1"), 400),
    "LF alone after the first line": Head(b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "a control character": Head(get(b"Depth: \x0b0"), 400),
    "DEL": Head(get(b"Depth: \x7f"), 400),
    "Latin-1 in a value": Head(get(b"Name: \xe9"), 200),
    "a tab in a value": Head(get(b"Name:\ta\tb\t"), 200),
    "an empty value": Head(get(b"Name:"), 200),
    "many headers": Head(get(*(b"A%d: b" % number for number in range(127))), 200),
    "too many headers": Head(get(*(b"A%d: b" % number for number in range(128))), 431),
    "too many headers of one name": Head(get(*[b"A:"] * 128), 431),
    "two depths": Head(get(b"Depth: 0", b"Depth: 0"), 400),
    "two conditions": Head(get(b"If: (<a>)", b"If: (<b>)"), 400),
    # §3: the first line
    "a blank too many": Head(get(first=b"GET  / HTTP/1.1"), 400),
    "a blank at the end": Head(get(first=b"GET / HTTP/1.1 "), 400),
    "a blank at the beginning": Head(get(first=b" GET / HTTP/1.1"), 400),
    "a blank in the target": Head(get(first=b"GET /a b HTTP/1.1"), 400),
    "NUL in the target": Head(get(first=b"GET /\0 HTTP/1.1"), 400),
    "a method that is none": Head(get(first=b"GE(T / HTTP/1.1"), 400),
    "no version": Head(get(first=b"GET /"), 400),
    "another version": Head(get(first=b"GET / HTTP/2.0"), 505),
    "a version that is none": Head(get(first=b"GET / HTTP/1.1.1"), 400),
    "an empty line before": Head(b"\r\n" + get(), 200),
    # §3.2: the target
    "an absolute target": Head(get(first=b"GET http://a/b?c HTTP/1.1"), 200),
    "an absolute target with capitals": Head(get(first=b"GET HTTPS://a:1 HTTP/1.1"), 200),
    "two slashes": Head(get(first=b"GET //inbox/ HTTP/1.1"), 200),
    "an absolute target with two slashes": Head(get(first=b"GET http://a//inbox/ HTTP/1.1"), 200),
    "an absolute target with a user": Head(get(first=b"GET http://me@a/ HTTP/1.1"), 400),
    "an absolute target without a host": Head(get(first=b"GET http:///a HTTP/1.1"), 400),
    "another scheme": Head(get(first=b"GET ftp://a/b HTTP/1.1"), 400),
    "a relative target": Head(get(first=b"GET inbox/ HTTP/1.1"), 400),
    "a fragment": Head(get(first=b"GET /a#b HTTP/1.1"), 400),
    "everything": Head(get(first=b"OPTIONS * HTTP/1.1"), 200),
    "everything, by GET": Head(get(first=b"GET * HTTP/1.1"), 400),
    "a tunnel": Head(get(first=b"CONNECT a:443 HTTP/1.1"), 405),
    # §6: where the body ends
    "a length": Head(put(b"Content-Length: 2", body=b"ab"), 200),
    "a length with blanks": Head(put(b"Content-Length: \t 2 ", body=b"ab"), 200),
    "a length with a plus": Head(put(b"Content-Length: +2", body=b"ab"), 400),
    "a length with a minus": Head(put(b"Content-Length: -2", body=b"ab"), 400),
    "an empty length": Head(put(b"Content-Length: "), 400),
    "a list of lengths": Head(put(b"Content-Length: 2, 2", body=b"ab"), 400),
    "two lengths": Head(put(b"Content-Length: 2", b"Content-Length: 2", body=b"ab"), 400),
    "a length in hexadecimal": Head(put(b"Content-Length: 0x2", body=b"ab"), 400),
    "a length in Arabic digits": Head(put("Content-Length: \u0662".encode(), body=b"ab"), 400),
    "chunks": Head(put(CHUNKED, body=b"2\r\nab\r\n0\r\n\r\n"), 200),
    "chunks, in capitals": Head(put(b"transfer-encoding: CHUNKED", body=b"2\r\nab\r\n0\r\n\r\n"), 200),
    "chunks and a length": Head(put(CHUNKED, b"Content-Length: 12", body=b"2\r\nab\r\n0\r\n\r\n"), 400),
    "chunks twice in one": Head(put(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 400),
    "chunks twice": Head(put(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400),
    "chunks with a blank before the colon": Head(put(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    "chunks on a folded line": Head(put(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"), 400),
    "chunks after a vertical tab": Head(put(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), 400),
    "chunks of something else": Head(put(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 400),
    "chunks that are not the last": Head(put(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), 400),
    "an unknown coding": Head(put(b"Transfer-Encoding: zip", body=b"0\r\n\r\n"), 501),
    "an empty coding": Head(put(b"Transfer-Encoding: ", body=b"0\r\n\r\n"), 501),
    # §7.1: chunks
    "an extension of a chunk": Head(put(CHUNKED, body=b'2;a="b"\r\nab\r\n0\r\n\r\n'), 200),
    "a length of a chunk with a sign": Head(put(CHUNKED, body=b"+2\r\nab\r\n0\r\n\r\n"), 400),
    "a length of a chunk in another notation": Head(put(CHUNKED, body=b"0x2\r\nab\r\n0\r\n\r\n"), 400),
    "a length of a chunk after a blank": Head(put(CHUNKED, body=b" 2\r\nab\r\n0\r\n\r\n"), 400),
    "a length of a chunk before a blank": Head(put(CHUNKED, body=b"2 \r\nab\r\n0\r\n\r\n"), 400),
    "a chunk that ends in LF": Head(put(CHUNKED, body=b"2\r\nab\n0\r\n\r\n"), 400),
    "a line of a chunk that ends in LF": Head(put(CHUNKED, body=b"2\nab\r\n0\r\n\r\n"), 400),
    "NUL in an extension": Head(put(CHUNKED, body=b"2;\0\r\nab\r\n0\r\n\r\n"), 400),
    "a trailer": Head(put(CHUNKED, body=b"0\r\nA: b\r\n\r\n"), 200),
    "a trailer that is none": Head(put(CHUNKED, body=b"0\r\nA b\r\n\r\n"), 400),
    "a folded trailer": Head(put(CHUNKED, body=b"0\r\nA: b\r\n c\r\n\r\n"), 400),
}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Answer what was understood."""
    told = f"{environ.get('HTTP_HOST', '-')} {environ['PATH_INFO']}?{environ['QUERY_STRING']} "
    try:
        answer, status = told.encode() + (yield from received(environ)), HTTPStatus.OK
    except HttpError as refusal:
        answer, status = b"", HTTPStatus(refusal.value)
    start_response(f"{status.value} {status.phrase}", [("Content-Length", str(len(answer)))])
    yield answer


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the server of door 2 listens."""
    with serving(application) as server:
        yield server.port


@pytest.fixture(scope="module")
def node() -> Iterator[int]:
    """Where a server of Node listens, which reads requests by llhttp."""
    with subprocess.Popen(["node", "-e", NODE], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline())
        finally:
            process.kill()


def statuses(port: int, sent: bytes) -> list[int]:
    """Return the statuses of all answers to what is sent."""
    with socket.create_connection((LOOPBACK, port), timeout=SECONDS) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


@pytest.mark.parametrize("name", HEADS)
def test_head(port: int, name: str) -> None:
    """Valid heads are answered, others refused, and nothing after a refused one is parsed as a request."""
    head = HEADS[name]
    found = statuses(port, head.sent + SMUGGLED)
    closed = head.status != 200 or b"HTTP/1.0" in head.sent
    assert found == ([head.status] if closed else [200, 200])


@pytest.mark.parametrize("name", [name for name, head in HEADS.items() if head.status == 200])
def test_llhttp(node: int, name: str) -> None:
    """Node's parser accepts every head that door 2 accepts, and refuses nearly all that door 2 refuses."""
    assert statuses(node, HEADS[name].sent)[:1] == [200]


def ask(port: int, sent: bytes) -> bytes:
    """Return the answer to a request after which the connection ends."""
    with socket.create_connection((LOOPBACK, port), timeout=SECONDS) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.mark.parametrize(
    ("first", "understood"),
    [
        (b"GET http://b:1/c%20d?e=%20 HTTP/1.1", b"b:1 /c d?e=%20 "),
        (b"GET http://b?c HTTP/1.1", b"b /?c "),
        (b"GET //inbox//a%2fb HTTP/1.1", b"a //inbox//a%2Fb? "),
        (b"OPTIONS /a%20b HTTP/1.1", b"a /a b? "),
        (b"OPTIONS * HTTP/1.1", b"a *? "),
        (b"GET /?a?b HTTP/1.1", b"a /?a?b "),
    ],
)
def test_targets(port: int, first: bytes, understood: bytes) -> None:
    """The host of an absolute target takes precedence over the Host header (RFC 9112 §3.2.2)."""
    assert ask(port, get(first=first)).endswith(b"\r\n\r\n" + understood)


def test_underscores(port: int) -> None:
    """Headers with an underscore are dropped, since WSGI cannot distinguish it from a hyphen."""
    assert ask(port, get(b"Content_Length: 5", b"X_Forwarded_Host: b")).endswith(b"a /? ")


def test_lists(port: int) -> None:
    """List headers may come in several lines (RFC 9110 §5.3): the connection is closed if any of them says so."""
    assert statuses(port, get(b"Connection: TE", b"Connection: Close") + SMUGGLED) == [200]
    assert statuses(port, get(b"Connection: keep-alive", first=b"GET / HTTP/1.0") + SMUGGLED) == [200, 200]
