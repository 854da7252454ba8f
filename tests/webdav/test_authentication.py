"""Login and permissions at door 2: a bare application behind the door's authentication, and a real Orthanc."""

import base64
import http.client
import logging
import select
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest
from wsgidav.error_printer import ErrorPrinter
from wsgidav.request_resolver import RequestResolver
from wsgidav.wsgidav_app import WsgiDAVApp

from davfs.audit.record import Door
from davfs.demo.process import OrthancProcess
from davfs.doors.webdav.access_records import AccessRecords
from davfs.doors.webdav.context import KEY
from davfs.doors.webdav.login.authentication import Authentication
from davfs.doors.webdav.login.settings import LoginSettings
from davfs.doors.webdav.login.throttle import Throttle
from davfs.doors.webdav.wire.tls import context
from davfs.orthanc.access import Access
from tests.support import guarded
from tests.support.audit import KeptTrail
from tests.support.guarded import ALLOWED, USERS, behind, certificate, guarded_orthanc, serving

# pytest finds fixtures by the names in a module.
orthanc = guarded.orthanc

ALICE, BLIND = ("alice", USERS["alice"]), ("blind", USERS["blind"])
METHODS = (
    "GET",
    "HEAD",
    "OPTIONS",
    "PROPFIND",
    "PUT",
    "MKCOL",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "MOVE",
    "COPY",
    "DELETE",
)
READING = METHODS[:4]
_BY_HEADER = f"""
function IncomingHttpRequestFilter(method, uri, ip, username, headers)
  return uri == '/system' or headers['authorization'] == 'Basic {base64.b64encode(":".join(ALICE).encode()).decode()}'
end
"""


@pytest.fixture
def throttle() -> Throttle:
    """Of the door."""
    return Throttle()


@pytest.fixture
def door(orthanc: OrthancProcess, throttle: Throttle) -> Iterator[str]:
    """Address of a door of its own for each test."""
    access = Access(orthanc.url)
    with serving(
        behind(LoginSettings(access, throttle, {user: USERS[user] for user in ("alice", "blind")}, "Images"))
    ) as url:
        yield url
    access.close()


@pytest.fixture
def client(door: str) -> Iterator[httpx.Client]:
    """A client of the door, without credentials."""
    with httpx.Client(base_url=door, trust_env=False) as opened:
        yield opened


@pytest.mark.parametrize("method", METHODS)
def test_without_credentials(client: httpx.Client, method: str) -> None:
    """Every method, OPTIONS included, is told how to log in: by Digest or else by Basic."""
    answer = client.request(method, "/")
    assert answer.status_code == 401
    digest, basic = answer.headers.get_list("WWW-Authenticate")
    assert digest.startswith('Digest realm="Images", qop="auth", algorithm=MD5, nonce="')
    assert "stale" not in digest
    assert basic == 'Basic realm="Images", charset="UTF-8"'


@pytest.mark.parametrize("user", [user for user in USERS if user != "blind"])
def test_basic(client: httpx.Client, user: str) -> None:
    """With the right password, users can do what Orthanc allows."""
    answer = client.get("/", auth=(user, USERS[user])).json()
    assert answer["user"] == user
    assert set(answer["allowed"]) == ALLOWED[user]


@pytest.mark.parametrize("auth", [("alice", "wrong"), ("nobody", "secret"), ("", ""), ("alice", "")])
def test_wrong_password(client: httpx.Client, auth: tuple[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """A wrong one does not; the log has the user's name and the address, and no password."""
    with caplog.at_level(logging.INFO, "davfs"):
        assert client.get("/", auth=auth).status_code == 401
    (line,) = caplog.messages
    assert line == f"login refused: user={auth[0]!r} address=127.0.0.1"
    assert caplog.records[0].levelno == logging.WARNING


def test_names_do_not_forge_the_log(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Any name is logged as one short line."""
    token = base64.b64encode(b"eve\n\x1b[2Jlogin:" + b"x" * 1000).decode("ascii")
    assert client.get("/", headers={"Authorization": f"Basic {token}"}).status_code == 401
    (line,) = caplog.messages
    assert line.isprintable()
    assert len(line) < 150


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"alice").decode(),
        "Bearer x",
        "Digest",
        "Digest a=b",
        "\u00e9",
    ],
)
def test_senseless_headers(client: httpx.Client, header: str) -> None:
    """Malformed credentials count as none."""
    assert client.get("/", headers={b"Authorization": header.encode("latin-1")}).status_code == 401


def test_spellings_of_basic(client: httpx.Client) -> None:
    """The scheme's name may be written in any case (RFC 9110 §11.1), though Orthanc takes one."""
    token = base64.b64encode(b"alice:secret").decode("ascii")
    for header in (f"basic {token}", f"BASIC  {token}"):
        assert client.get("/", headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("method", METHODS)
def test_methods(client: httpx.Client, user: str, method: str) -> None:
    """A request passes if Orthanc allows it; otherwise the response is 403 with a reason."""
    for path in ("/inbox/a.dcm", "/by-patient/Doe"):
        needed = {"read"} if method in READING else {"read", "write"}
        if path.startswith("/by-patient") and method in {"DELETE", "MOVE"}:
            needed = {"read", "delete"} if method == "DELETE" else {"read", "write", "delete"}
        answer = client.request(method, path, auth=(user, USERS[user]))
        assert answer.status_code == (200 if needed <= ALLOWED[user] else 403), path
        if answer.status_code == 403 and method != "HEAD":
            assert answer.text.startswith("Orthanc does not let this user ")


def test_anonymous_where_orthanc_is(tmp_path: Path) -> None:
    """Where Orthanc asks for no password, neither does the door; its filter is obeyed all the same."""
    script = "function IncomingHttpRequestFilter(method, uri, ip, username, headers) return method == 'GET' end"
    (tmp_path / "read-only.lua").write_text(script)
    settings = {"AuthenticationEnabled": False, "LuaScripts": [str(tmp_path / "read-only.lua")]}
    with guarded_orthanc(tmp_path, settings) as server:
        access = Access(server.url)
        with serving(behind(LoginSettings(access, Throttle()))) as url:
            assert httpx.get(url, trust_env=False).json() == {"user": "", "allowed": ["read"], "size": 0}
            assert httpx.put(f"{url}/inbox/a", content=b"x", trust_env=False).status_code == 403
        access.close()


def test_orthanc_away(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """Logins are answered with 503 while Orthanc is away, whether the password is right or wrong."""
    del orthanc
    with guarded_orthanc(tmp_path) as server:
        access = Access(server.url, lifetime=0)
        with serving(behind(LoginSettings(access, Throttle(), USERS))) as url:
            client = httpx.Client(base_url=url, trust_env=False)
            assert client.get("/", auth=ALICE).status_code == 200
            server.stop()
            for auth in (
                httpx.Auth(),
                httpx.BasicAuth(*ALICE),
                httpx.BasicAuth("alice", "wrong"),
                httpx.DigestAuth(*ALICE),
            ):
                answer = client.put("/inbox/a", content=b"x", auth=auth)
                assert answer.status_code == 503
                assert answer.headers["Retry-After"] == "5"
            client.close()
        access.close()


def test_guessing_is_throttled(client: httpx.Client) -> None:
    """Of three hundred wrong passwords few are looked at; the others are refused at once, with the time to wait."""
    statuses = [client.get("/", auth=("alice", f"guess{number}")).status_code for number in range(300)]
    assert statuses[:5] == [401] * 5
    assert statuses.count(429) > 280
    answer = client.get("/", auth=("alice", "guess"))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] in {"1", "2"}


@pytest.mark.parametrize("auth", [httpx.BasicAuth(*ALICE), httpx.DigestAuth(*ALICE)])
def test_nobody_is_locked_out_by_guesses(door: str, auth: httpx.Auth) -> None:
    """Users who have logged in can go on at the same address, by Basic and by Digest, on old and new connections."""
    with (
        httpx.Client(base_url=door, trust_env=False) as honest,
        httpx.Client(base_url=door, trust_env=False) as guessing,
    ):
        assert honest.get("/", auth=auth).status_code == 200
        answers = []
        for number in range(60):
            assert guessing.get("/", auth=("alice", f"guess{number}")).status_code in {401, 429}
            assert guessing.get("/", auth=httpx.DigestAuth("alice", f"guess{number}")).status_code in {401, 429}
            answers.append(honest.get("/", auth=auth).status_code)
            answers.append(httpx.get(door, auth=ALICE, trust_env=False).status_code)
            answers.append(httpx.get(door, auth=httpx.DigestAuth(*ALICE), trust_env=False).status_code)
        assert set(answers) == {200}
        assert 429 in {guessing.get("/", auth=("alice", f"one more {number}")).status_code for number in range(20)}


def test_nobody_is_locked_out_before_the_first_login(client: httpx.Client) -> None:
    """A user of Orthanc's configuration logs in during an attack from the same address."""
    for number in range(100):
        client.get("/", auth=("alice", f"guess{number}"))
    assert client.get("/", auth=("alice", "guess")).status_code == 429
    assert [client.get("/", auth=ALICE).status_code for _ in range(39)] == [200] * 39


def test_spraying_is_throttled(client: httpx.Client) -> None:
    """Trying one password for many user names from one address is throttled."""
    statuses = [client.get("/", auth=(f"user{number}", "guess")).status_code for number in range(300)]
    assert statuses[:20] == [401] * 20
    assert statuses.count(429) > 200


def test_an_old_digest_login_is_no_guess(client: httpx.Client) -> None:
    """A right login that comes twice is answered with a new nonce, however often."""
    auth = httpx.DigestAuth(*ALICE)
    header = {"Authorization": client.get("/", auth=auth).request.headers["Authorization"]}
    assert [client.get("/", headers=header).status_code for _ in range(20)] == [401] * 20
    assert client.get("/", auth=auth).status_code == 200


@pytest.mark.parametrize("size", [1000, 8000, 9000, 15_000, 30_000])
def test_long_passwords(client: httpx.Client, size: int) -> None:
    """A password that is too long for Orthanc is a wrong one, and so is a name of that length."""
    assert client.get("/", auth=("alice", "x" * size)).status_code == 401
    assert client.get("/", auth=("x" * size, "x")).status_code == 401


def test_behind_a_proxy(orthanc: OrthancProcess, caplog: pytest.LogCaptureFixture) -> None:
    """A trusted proxy tells who guesses, so that its other clients can log in; what a client claims is not believed."""
    access = Access(orthanc.url)
    login = LoginSettings(access, Throttle(), trusted_proxies=(ip_network("127.0.0.1"),))
    with serving(behind(login)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        for number in range(100):
            told = {"X-Forwarded-For": f"10.9.9.{number}, 192.0.2.1"}
            assert client.get("/", auth=(f"user{number}", "guess"), headers=told).status_code in {401, 429}
        for lines in (["192.0.2.1"], ["192.0.2.9", "192.0.2.1"], ["192.0.2.9, 192.0.2.9", "192.0.2.1, 127.0.0.1"]):
            told_twice = [("X-Forwarded-For", line) for line in lines]
            assert client.get("/", auth=ALICE, headers=told_twice).status_code == 429
        assert client.get("/", auth=ALICE, headers={"X-Forwarded-For": "192.0.2.2"}).status_code == 200
    access.close()
    assert {message.rpartition("=")[2] for message in caplog.messages} == {"192.0.2.1"}


def test_the_best_scheme_comes_first(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """Where a password could be read on the way, that is Digest; by TLS, or by a proxy's, it is Basic."""
    access = Access(orthanc.url)
    proxy = (ip_network("127.0.0.1"),)
    own, key = certificate(tmp_path)
    for proxies, tls, headers, first in (
        ((), None, {"X-Forwarded-Proto": "https"}, "Digest"),
        (proxy, None, {}, "Digest"),
        (proxy, None, {"X-Forwarded-Proto": "https, http"}, "Digest"),
        (proxy, None, {"X-Forwarded-Proto": "https"}, "Basic"),
        ((), context(own, key), {}, "Basic"),
    ):
        login = LoginSettings(access, Throttle(), USERS, trusted_proxies=proxies)
        with serving(behind(login), tls) as url:
            answer = httpx.get(url, headers=headers, trust_env=False, verify=False)  # noqa: S501 - its own certificate
        schemes = [offer.partition(" ")[0] for offer in answer.headers.get_list("WWW-Authenticate")]
        assert schemes == [first, *({"Basic", "Digest"} - {first})]
    access.close()


def test_whom_a_filter_refuses_does_not_guess(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Orthanc knows the password: its user is told what is wrong, however often; wrong ones are guesses as ever."""
    with caplog.at_level(logging.WARNING, "davfs"):
        assert [client.get("/", auth=BLIND).status_code for _ in range(20)] == [403] * 20
        assert [client.get("/", auth=httpx.DigestAuth(*BLIND)).status_code for _ in range(20)] == [403] * 20
    assert caplog.messages == []
    statuses = [client.get("/", auth=("blind", f"guess{number}")).status_code for number in range(50)]
    assert statuses[:5] == [401] * 5
    assert 429 in statuses
    assert 403 not in statuses


def test_what_a_filter_refuses_may_be_a_guess(tmp_path: Path) -> None:
    """Where Orthanc asks for no password, its filter may look at what was given: who is refused may be guessing."""
    (tmp_path / "header.lua").write_text(_BY_HEADER)
    settings = {"AuthenticationEnabled": False, "LuaScripts": [str(tmp_path / "header.lua")]}
    with guarded_orthanc(tmp_path, settings) as server:
        access = Access(server.url)
        with (
            serving(behind(LoginSettings(access, Throttle()))) as url,
            httpx.Client(base_url=url, trust_env=False) as client,
        ):
            assert client.get("/", auth=ALICE).status_code == 200
            statuses = [client.get("/", auth=("alice", f"guess{number}")).status_code for number in range(50)]
        access.close()
    assert statuses[:4] == [403] * 4
    assert 429 in statuses


def test_bodies_are_read_before_the_refusal(door: str) -> None:
    """A refused upload is read to its end, and its connection is good for the next request (Explorer)."""
    connection = http.client.HTTPConnection(urlsplit(door).netloc)
    for size in (1, 10_000_000):
        connection.request("PUT", "/inbox/a", bytes(size))
        answer = connection.getresponse()
        assert answer.status == 401
        assert answer.read()
        assert answer.getheader("Connection") is None
    token = base64.b64encode(b"alice:secret").decode("ascii")
    connection.request("PUT", "/inbox/a", b"body", {"Authorization": f"Basic {token}"})
    assert b'"size": 4' in connection.getresponse().read()
    connection.close()


def test_bodies_of_any_framing(door: str) -> None:
    """An upload in chunks is refused like any other."""
    connection = http.client.HTTPConnection(urlsplit(door).netloc)
    connection.request("PUT", "/inbox/a", iter([bytes(100_000)] * 20), encode_chunked=True)
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize("framing", [{"Content-Length": str(10**12)}, {"Transfer-Encoding": "chunked"}])
def test_endless_bodies_are_not_read_to_their_end(door: str, framing: dict[str, str]) -> None:
    """Without a login, a body without end is not read: the server answers, and closes the connection."""
    host, port = urlsplit(door).netloc.split(":")
    lines = ["PUT /inbox/a HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in framing.items()), "", ""]
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode())
        while not select.select([connection], [], [], 0)[0]:
            connection.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nConnection: close\r\n" in answer


def test_curl(door: str) -> None:
    """Curl logs in by Basic, by Digest, and by whichever it likes best, uploads included."""
    for scheme in ("--basic", "--digest", "--anyauth"):
        for action in ([], ["--upload-file", __file__]):
            command = ["curl", "-sS", scheme, "--user", "alice:secret", *action, f"{door}/inbox/a%20b,c?x=1"]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert '"user": "alice"' in said
            assert f'"size": {Path(__file__).stat().st_size if action else 0}' in said


def test_before_wsgidav(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """As the first middleware of WsgiDAV it sees the same paths, and both challenges reach the client."""
    access = Access(orthanc.url)
    configuration = {
        KEY: SimpleNamespace(login=LoginSettings(access, Throttle(), USERS), audit=KeptTrail(), door=Door.DRIVE),
        "provider_mapping": {"/": str(tmp_path)},
        "middleware_stack": [AccessRecords, Authentication, ErrorPrinter, RequestResolver],
        "logging": {"enable": False},
        "verbose": 0,
    }
    path = "/inbox/caf%C3%A9%20%23%25.dcm"
    with serving(WsgiDAVApp(configuration)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        assert len(client.options("/").headers.get_list("WWW-Authenticate")) == 2
        assert client.request("MKCOL", "/inbox", auth=httpx.DigestAuth(*ALICE)).status_code == 201
        assert client.put(path, content=b"image", auth=("reader", USERS["reader"])).status_code == 403
        assert client.put(path, content=b"image").status_code == 401
        assert client.put(path, content=b"image", auth=httpx.DigestAuth(*ALICE)).status_code == 201
        assert client.delete(path, auth=("feeder", USERS["feeder"])).status_code == 204  # in the inbox
        (tmp_path / "by-patient").mkdir()
        assert client.delete("/by-patient", auth=("feeder", USERS["feeder"])).status_code == 403
        assert client.delete("/inbox/%2e%2e/by-patient", auth=("feeder", USERS["feeder"])).status_code == 403
        assert (tmp_path / "by-patient").is_dir()
    access.close()
