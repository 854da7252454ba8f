"""No request brings door 2 down, fills its memory, or reaches what it should not: clear refusals, and it goes on."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from davfs.demo.ports import LOOPBACK
from davfs.demo.process import OrthancProcess
from tests.support import dicom, doors
from tests.support.doors import Door
from tests.support.drive import has

process, server = doors.process, doors.inside

LAUGHS = "".join(
    f'<!ENTITY l{n} "{"&l%d;" % (n - 1) * 10}">' if n else '<!ENTITY l0 "ha">'  # noqa: UP031  braces in braces
    for n in range(12)
)
PROPFIND = '<propfind xmlns="DAV:"><prop>%s</prop></propfind>'
DOCUMENTS = {
    "billion laughs": f"<!DOCTYPE x [{LAUGHS}]>{PROPFIND % '&l11;'}",
    "quadratic": f"<!DOCTYPE x [<!ENTITY a '{'a' * 50_000}'>]>{PROPFIND % ('&a;' * 5_000)}",
    "external entity": f"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>{PROPFIND % '&a;'}",
    "parameter entity": f"<!DOCTYPE x [<!ENTITY % a SYSTEM 'http://127.0.0.1:1/x'> %a;]>{PROPFIND % '<displayname/>'}",
    "external DTD": f"<!DOCTYPE x SYSTEM 'http://127.0.0.1:1/x.dtd'>{PROPFIND % '<displayname/>'}",
    "deep": "<a>" * 100_000 + "</a>" * 100_000,
    "long": PROPFIND % ("<x/>" * 1_000_000),
    "no XML": "PROPFIND me",
    "cut off": '<propfind xmlns="DAV:"><prop>',
    "a namespace too few": "<D:propfind><D:allprop/></D:propfind>",
    "other XML": '<html xmlns="http://www.w3.org/1999/xhtml"/>',
}
PATHS = (
    "/..", "/../", "/../../etc/passwd", "/inbox/../../etc/passwd", "/inbox/..", "/%2e%2e/%2e%2e/etc/passwd",
    "/inbox/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/inbox/..%2f..%2f..%2fetc%2fpasswd", "/inbox/..%5c..%5cetc",
    "/inbox/..\\..\\etc", "/inbox/%00", "/inbox/a%00b", "/inbox/%ff", "/inbox/%c0%ae%c0%ae/x", "/inbox/%ed%a0%80",
    "/inbox/%0d%0aX-Header:%20x", "/inbox/%01", "/inbox/" + "x" * 5000, "/inbox" + "/x" * 2000, "//etc/passwd",
    "/inbox//../..//etc/passwd", "/inbox/%EF%BF%BE", "/by-patient/../../../etc/passwd", "/inbox/.", "/inbox/%2e",
)  # fmt: skip


@pytest.fixture(scope="module")
def outside(process: OrthancProcess) -> Iterator[Path]:
    """Yield a file beside the inbox's folder, and check that it is unchanged."""
    secret = process.folder / "storage" / "davfs" / "spool" / "secret"
    secret.write_bytes(b"secret")
    yield secret
    assert secret.read_bytes() == b"secret"


@pytest.fixture(autouse=True)
def goes_on(server: Door, process: OrthancProcess) -> Iterator[None]:
    """After each test the door answers, and memory has not grown out of bounds."""
    before = memory(process)
    yield
    assert server.drive.get("README.txt").status_code == 200
    assert memory(process) - before < 100 << 20


def memory(process: OrthancProcess) -> int:
    """Return the resident memory of Orthanc in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def cpu(process: OrthancProcess) -> float:
    """Return the seconds of a processor that Orthanc has taken so far."""
    times = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def raw(server: Door, request: bytes, *, then_close: bool = False, seconds: float = 15) -> bytes:
    """Send bytes over a connection of their own, and return what comes back until the server closes it."""
    with socket.create_connection((LOOPBACK, server.drive.port), timeout=seconds) as connection:
        answer = b""
        try:
            connection.sendall(request)
            if then_close:
                connection.shutdown(socket.SHUT_WR)
            while block := connection.recv(1 << 16):
                answer += block
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


def status_of(answer: bytes) -> int:
    """Return the status of an answer, 0 for a connection that was closed without one."""
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "LOCK"])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_xml(server: Door, method: str, document: str) -> None:
    """XML that is no WebDAV message, or is an attack, is refused."""
    server.drive.put("inbox/xml.txt", b"x")
    answer = server.drive.request(method, "inbox/xml.txt", content=DOCUMENTS[document], headers={"Depth": "0"})
    assert answer.status_code in {400, 413, 422}
    assert b"root:" not in answer.content


@pytest.mark.parametrize("headers", [{}, {"If": "(Not <DAV:no-lock>)"}, {"Transfer-Encoding": "chunked"}])
@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "LOCK", "MKCOL", "DELETE"])
def test_attributes(server: Door, process: OrthancProcess, method: str, headers: dict[str, str]) -> None:
    """A body that is too large for its method is refused before it is parsed."""
    server.drive.put("inbox/xml.txt", b"x")
    attributes = " ".join(f"b{number}=''" for number in range(60_000))
    body = f"<a {attributes}/>".encode()
    content = iter([body]) if "Transfer-Encoding" in headers else body
    before = cpu(process)
    answer = server.drive.request(method, "inbox/xml.txt", content=content, headers={"Depth": "0", **headers})
    assert answer.status_code == 413, answer.text
    assert cpu(process) - before < 0.5


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_document_type_in_disguise(server: Door, encoding: str) -> None:
    """A document type is found in any encoding."""
    document = f'<?xml version="1.0" encoding="{encoding}"?>{DOCUMENTS["external entity"]}'.encode(encoding)
    assert server.drive.request("PROPFIND", "inbox", content=document, headers={"Depth": "0"}).status_code == 400


@pytest.mark.parametrize(
    "method", ["GET", "PUT", "DELETE", "PROPFIND", "MKCOL", "HEAD", "OPTIONS", "LOCK", "PROPPATCH"]
)
@pytest.mark.parametrize("path", PATHS)
def test_paths(server: Door, outside: Path, method: str, path: str) -> None:
    """No path leads out of the drive, or to an error of the server."""
    body = b"changed" if method == "PUT" else b""
    status, content = server.drive.verbatim(method, path, {"Depth": "0"}, body)
    assert 200 <= status < 500, content
    assert b"root:" not in content
    assert outside.read_bytes() not in content


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("path", PATHS)
def test_destinations(server: Door, outside: Path, method: str, path: str) -> None:
    """No destination leads out of the drive either."""
    server.drive.put("inbox/moved.txt", b"moved")
    status, content = server.drive.verbatim(method, "/inbox/moved.txt", {"Destination": path.replace("\\", "%5c")})
    assert 200 <= status < 500 or status == 502, content
    assert outside.is_file()


@pytest.mark.parametrize(
    "headers",
    [
        {"Destination": "http://example.org/inbox/x"},
        {"Destination": ""},
        {"Destination": "http://[::1"},
        {"Destination": "/inbox/x", "Overwrite": "perhaps"},
        {"Destination": "/inbox/x", "Depth": "7"},
        {"Destination": "/inbox/x", "If": "(<opaquelocktoken:no"},
        {},
    ],
)
def test_bad_headers_of_a_move(server: Door, headers: dict[str, str]) -> None:
    """A MOVE with malformed headers moves nothing."""
    server.drive.put("inbox/stays.txt", b"stays")
    status, _ = server.drive.verbatim("MOVE", "/inbox/stays.txt", headers)
    assert 400 <= status < 500 or status == 502
    assert server.drive.get("inbox/stays.txt").content == b"stays"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PROPFIND", {"Depth": "2"}),
        ("PROPFIND", {"Depth": "-1"}),
        ("LOCK", {"Timeout": "Second-99999999999999999999"}),
        ("LOCK", {"Timeout": "for ever"}),
        ("LOCK", {"If": "(<opaquelocktoken:x>)"}),
        ("UNLOCK", {}),
        ("UNLOCK", {"Lock-Token": "no brackets"}),
        ("GET", {"If-Modified-Since": "yesterday"}),
        ("GET", {"If-None-Match": '"' * 1000}),
        ("GET", {"Authorization": "Basic " + "A" * 10_000}),
        ("BREW", {}),
        ("TRACE", {}),
        ("PATCH", {}),
        ("POST", {}),
        ("CONNECT", {}),
    ],
)
def test_bad_headers(server: Door, method: str, headers: dict[str, str]) -> None:
    """Headers and methods without meaning are refused or ignored."""
    server.drive.put("inbox/headers.txt", b"x")
    status, _ = server.drive.verbatim(method, "/inbox/headers.txt", headers)
    assert 200 <= status < 500 or status == 501


HEADERS = (
    "If", "If-Match", "If-None-Match", "If-Range", "If-Modified-Since", "If-Unmodified-Since", "Range", "Destination",
    "Depth", "Timeout", "Lock-Token", "Overwrite", "Authorization", "Host", "Origin", "Sec-Fetch-Site", "Content-Type",
    "Connection", "Expect", "Transfer-Encoding", "X-Expected-Entity-Length", "X-Forwarded-For", "X-Forwarded-Host",
    "X-Forwarded-Proto", "Cookie", "User-Agent",
)  # fmt: skip
MANY = " " * 60_000
LONG = (
    f'"a"{MANY}b', f"a{MANY}b", "a" + "\t " * 30_000 + "b", '"' * 60_000, "," * 60_000, '"a", ' * 12_000,
    "(<a>)" * 12_000, "<a> (<b>) " * 400, "bytes=" + "0-1," * 15_000, "Digest " + 'a="b",' * 10_000,
    'Digest a="' + "\\\\" * 30_000, "Basic " + "A" * 60_000, "9" * 60_000,
    "http://" + "a." * 30_000, "/%41" * 15_000, "/a" * 30_000,
    "Second-1," * 7000, "::" * 30_000, "1.2.3.4, " * 7000, "=" * 60_000,
)  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("value", LONG, ids=range(len(LONG)))
def test_long_headers(server: Door, process: OrthancProcess, header: str, value: str) -> None:
    """The cost of a long header is proportional to its length in all parsers."""
    server.drive.put("inbox/headers.txt", b"x")
    for method in ("GET", "PUT", "PROPFIND", "MOVE", "LOCK"):
        before = cpu(process)
        request = (
            f"{method} /inbox/headers.txt HTTP/1.1\r\nHost: localhost\r\n{header}: {value}\r\nConnection: close\r\n\r\n"
        )
        status = status_of(raw(server, request.encode()))
        assert 200 <= status < 600
        assert status not in {500, 503}
        assert cpu(process) - before < 0.3


@pytest.mark.parametrize(
    "range_",
    ["bytes=", "bytes=-", "bytes=5-2", "bytes=x-y", "lines=0-1", "bytes=0-1,2-3,4-5", "bytes=" + "0-1," * 5000 + "0-1",
     "bytes=-0", "bytes=99999999999999999999-", "bytes=10-", "bytes=0-99999999999999999999"],
)  # fmt: skip
def test_ranges(server: Door, range_: str) -> None:
    """A senseless range is answered with the whole file, a part that fits its header, or 416."""
    server.drive.put("inbox/range.txt", b"0123456789")
    answer = server.drive.request("GET", "inbox/range.txt", headers={"Range": range_})
    if answer.status_code == 206:
        start, stop = map(int, re.findall(r"\d+", answer.headers["Content-Range"])[:2])
        assert answer.content == b"0123456789"[start : stop + 1]
    else:
        assert answer.status_code in {200, 400, 416}
        assert answer.status_code != 200 or answer.content == b"0123456789"


@pytest.mark.parametrize("head", ["X-Large: " + "x" * 10_000_000, "\r\n".join(f"X-{n}: x" for n in range(500_000))])
def test_large_head(server: Door, head: str) -> None:
    """10 MB of headers are refused before they are read to their end."""
    answer = raw(server, f"GET /README.txt HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode())
    assert status_of(answer) in {0, 400, 413, 431}


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: -5",
        "Content-Length: five",
        f"Content-Length: {'9' * 5000}",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: xchunked",
    ],
)
def test_framing(server: Door, head: str) -> None:
    """A body with ambiguous framing is refused, and the bytes after it are no request (RFC 9112 §6.3)."""
    smuggled = b"GET /README.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    request = (
        f"PUT /inbox/smuggled.txt HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode() + b"0\r\n\r\n" + smuggled
    )
    answer = raw(server, request, then_close=True)
    assert b"This drive shows" not in answer
    assert status_of(answer) in {0, 400, 411, 501}


@pytest.mark.parametrize("name", ["cut.txt", "cut.dcm"])
def test_cut_off_upload(server: Door, name: str) -> None:
    """An upload that breaks off leaves the previous file, if any, and is not imported."""
    content = dicom.instance("cut-off", pixels=dicom.CT_IMAGE)
    head = f"PUT /inbox/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content) + 10}\r\n\r\n".encode()
    assert status_of(raw(server, head + content, then_close=True)) in {0, 400}
    assert server.drive.status(f"inbox/{name}") == 404
    assert not has(server.rest, content)
    server.drive.put(f"inbox/{name}", b"before")
    raw(server, head + content, then_close=True)
    assert server.drive.get(f"inbox/{name}").content == b"before"
    server.drive.delete(f"inbox/{name}")


@pytest.mark.parametrize(
    "body", [b"5\r\n123", b"zz\r\n12345\r\n0\r\n\r\n", b"5\r\n1234567\r\n0\r\n\r\n", b"5\r\n12345\r\n"]
)
def test_cut_off_chunks(server: Door, body: bytes) -> None:
    """A chunked body that ends early makes no file."""
    head = b"PUT /inbox/chunks.txt HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert status_of(raw(server, head + body, then_close=True)) in {0, 400}
    assert server.drive.status("inbox/chunks.txt") == 404


def test_expected_length_without_end(server: Door) -> None:
    """A length with more digits than Python reads is refused."""
    head = "PUT /inbox/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked"
    answer = raw(
        server, f"{head}\r\nX-Expected-Entity-Length: {'9' * 5000}\r\n\r\n1\r\na\r\n0\r\n\r\n".encode(), then_close=True
    )
    assert status_of(answer) == 400


def test_one_chunk_of_everything(server: Door, process: OrthancProcess) -> None:
    """A single chunk of 300 MB is written without being held in memory."""
    before, block, blocks = memory(process), b"x" * (1 << 20), 300
    largest = before
    head = (
        b"PUT /inbox/large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection((LOOPBACK, server.drive.port), timeout=60) as connection:
        connection.sendall(head + b"%x\r\n" % (len(block) * blocks))
        for _ in range(blocks):
            connection.sendall(block)
            largest = max(largest, memory(process))
        connection.sendall(b"\r\n0\r\n\r\n")
        assert status_of(connection.recv(1 << 16)) == 201
    assert largest - before < 64 << 20
    assert server.drive.listing("inbox")["large.bin"].size == len(block) * blocks
    server.drive.delete("inbox/large.bin")


def test_depth_infinity(server: Door) -> None:
    """Infinite depth lists a tree up to a limit; beyond it the client has to use depth 1 (RFC 4918 §9.1.1)."""
    for depth in ({"Depth": "infinity"}, {}):
        answer = server.drive.request("PROPFIND", "inbox", headers=depth)
        assert answer.status_code == 207


def test_many_locks(server: Door) -> None:
    """Beyond a number, locks are refused, and granted again after some are released."""
    body = '<lockinfo xmlns="DAV:"><lockscope><shared/></lockscope><locktype><write/></locktype></lockinfo>'
    server.drive.put("inbox/locked.txt", b"x")
    tokens: list[str] = []
    while (answer := server.drive.request("LOCK", "inbox/locked.txt", content=body)).is_success:
        tokens.append(answer.headers["Lock-Token"])
        assert len(tokens) < 10_000
    assert answer.status_code == 507
    for token in tokens:
        released = server.drive.request("UNLOCK", "inbox/locked.txt", headers={"Lock-Token": token})
        assert released.status_code == 204
    assert server.drive.put("inbox/locked.txt", b"y").status_code == 204


def test_options_of_the_server(server: Door) -> None:
    """OPTIONS * is answered like OPTIONS of the root (RFC 9110 §9.3.7)."""
    of_root = server.drive.options()
    with socket.create_connection((LOOPBACK, server.drive.port), timeout=10) as connection:
        connection.sendall(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert f"\r\nAllow: {of_root.headers['Allow']}\r\n".encode() in answer
