"""Permissions are those that Orthanc grants at the moment."""

import base64
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from davfs.demo.process import OrthancProcess
from davfs.doors.webdav.wire import tls
from davfs.errors import ConfigurationError, Unavailable
from davfs.orthanc import loopback
from davfs.orthanc.access import LIFETIME, Access, Credentials, Decision, Permission
from tests.support import guarded
from tests.support.clocks import Clock
from tests.support.guarded import ALLOWED, USERS, certificate, guarded_orthanc, serving
from tests.support.read_only import read_only

# pytest finds fixtures by the names in a module.
orthanc = guarded.orthanc

ALICE = Credentials.of("alice", USERS["alice"])


@pytest.fixture
def access(orthanc: OrthancProcess) -> Iterator[Access]:
    """Asks the shared Orthanc."""
    asked = Access(orthanc.url)
    yield asked
    asked.close()


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("user", USERS)
def test_permissions(access: Access, user: str, permission: Permission) -> None:
    """Users may do what Orthanc's filter allows; for everything else they are refused, but known."""
    expected = Decision.GRANTED if permission.name.lower() in ALLOWED[user] else Decision.REFUSED
    assert access.ask(permission, Credentials.of(user, USERS[user])) is expected


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("given", [None, ("alice", "wrong"), ("nobody", "secret"), ("", ""), ("alice", "secret\n")])
def test_strangers(access: Access, given: tuple[str, str] | None, permission: Permission) -> None:
    """A user without a password, or with a wrong one, is unknown."""
    assert access.ask(permission, given and Credentials.of(*given)) is Decision.UNKNOWN


def test_asking_leaves_no_trace(orthanc: OrthancProcess, access: Access) -> None:
    """Asking for permissions changes nothing in Orthanc, and adds nothing to its log."""
    before = orthanc.log.read_text()
    for permission in Permission:
        assert access.ask(permission, ALICE) is Decision.GRANTED
    assert orthanc.log.read_text() == before


def test_a_yes_holds_for_a_minute(servers: list[OrthancProcess], tmp_path: Path) -> None:
    """A granted permission is cached for a minute, also while Orthanc is away; then Orthanc is asked again."""
    clock = Clock(1000)
    with guarded_orthanc(tmp_path) as server:
        servers.append(server)
        access = Access(server.url, clock=clock)
        assert access.ask(Permission.READ, ALICE) is Decision.GRANTED
        servers.remove(server)
    clock.now += LIFETIME - 1
    assert access.ask(Permission.READ, ALICE) is Decision.GRANTED
    for other in (None, Credentials.of("alice", "wrong"), Credentials.of("alic", "e:secret")):
        with pytest.raises(Unavailable):
            access.ask(Permission.READ, other)
    with pytest.raises(Unavailable):
        access.ask(Permission.WRITE, ALICE)
    clock.now += 1
    with pytest.raises(Unavailable):
        access.ask(Permission.READ, ALICE)
    access.close()


def test_a_no_is_not_remembered(tmp_path: Path) -> None:
    """A password that Orthanc did not take a moment ago is good as soon as Orthanc takes it."""
    with guarded_orthanc(tmp_path, {"RegisteredUsers": {"alice": "old"}}) as server:
        access = Access(server.url, clock=Clock(1000))
        assert access.ask(Permission.READ, ALICE) is Decision.UNKNOWN
        assert access.ask(Permission.READ, None) is Decision.UNKNOWN
    with guarded_orthanc(tmp_path, {"HttpPort": server.http_port}):
        assert access.ask(Permission.READ, ALICE) is Decision.GRANTED
    with guarded_orthanc(tmp_path, {"HttpPort": server.http_port, "AuthenticationEnabled": False}):
        assert access.ask(Permission.READ, None) is Decision.GRANTED
    access.close()


def test_memory_is_bounded_and_keeps_no_password(tmp_path: Path) -> None:
    """However many users log in, so many answers are kept, and no name or password with them."""
    with guarded_orthanc(tmp_path, {"AuthenticationEnabled": False, "LuaScripts": []}) as server:
        access = Access(server.url, capacity=10)
        for number in range(30):
            assert access.ask(Permission.WRITE, Credentials.of(f"user{number}", "password")) is Decision.GRANTED
        assert len(access._granted._entries) == 10
        assert {len(key) for key in access._granted._entries} == {64}
        assert "password" not in repr(Credentials.of("user", "password"))
        access.close()


def test_credentials_in_the_address_are_nobodys(orthanc: OrthancProcess) -> None:
    """A name and a password in Orthanc's address do not let anonymous users in."""
    access = Access(orthanc.url.replace("//", "//alice:secret@"))
    assert access.ask(Permission.READ, None) is Decision.UNKNOWN
    assert access.ask(Permission.READ, ALICE) is Decision.GRANTED
    access.close()


def test_sessions_are_not_shared() -> None:
    """Where a proxy before Orthanc opens a session for one user, the next one is not taken for them."""

    def proxy(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        known = "HTTP_AUTHORIZATION" in environ or "session=" in environ.get("HTTP_COOKIE", "")
        found = environ["PATH_INFO"] == "/system"
        status = ("200 OK" if found else "404 Not Found") if known else "401 Unauthorized"
        start_response(status, [("Set-Cookie", "session=alice"), ("Content-Length", "17")])
        return [b'{"ApiVersion":16}']

    with serving(proxy) as url:
        access = Access(url)
        assert access.ask(Permission.READ, ALICE) is Decision.GRANTED
        assert access.ask(Permission.READ, None) is Decision.UNKNOWN
        access.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [("200 OK", b"<h1>Log in</h1>"), ("200 OK", b"1"), ("302 Found", b""), ("404 Not Found", b""), ("502 Bad", b"")],
)
def test_only_orthanc_is_believed(status: str, body: bytes) -> None:
    """Responses of other servers than Orthanc grant nothing."""

    def other(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, [("Content-Length", str(len(body))), ("Location", "/login")])
        return [body]

    with serving(other) as url:
        access = Access(url)
        for permission in Permission:
            with pytest.raises(Unavailable):
                access.ask(permission, ALICE)
        access.close()


def test_a_read_only_orthanc(orthanc: OrthancProcess) -> None:
    """A read-only Orthanc grants reading, and answers writing and deleting with READ_ONLY."""
    with read_only(orthanc.url) as url:
        access = Access(url)
        answers = {permission: access.ask(permission, ALICE) for permission in Permission}
        access.close()
    assert answers == {
        Permission.READ: Decision.GRANTED,
        Permission.WRITE: Decision.READ_ONLY,
        Permission.DELETE: Decision.READ_ONLY,
    }


def test_bytes_go_through_unchanged() -> None:
    """Orthanc gets the password in the bytes, and so in the encoding, that the client chose."""
    for secret in ("müller:paßwort".encode(), "müller:paßwort".encode("latin-1"), b"a:", b":", b"a:b:c", b"a:\xff\0"):
        token = base64.b64encode(secret).decode("ascii")
        credentials = Credentials.from_basic(token)
        assert credentials is not None
        assert credentials.authorization == f"Basic {token}".encode()
    for token in ("", "====", "!", "é", base64.b64encode(b"no colon").decode("ascii")):
        assert Credentials.from_basic(token) is None


def test_over_tls(tmp_path: Path) -> None:
    """Orthanc's own certificate is accepted with any issuer, and no other certificate is.

    Another server stands in for it: Orthanc 1.10.1 of Debian 12 dies of the first HTTPS request (its CivetWeb does not
    know OpenSSL 3).
    """

    def orthanc(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK" if environ["PATH_INFO"] == "/system" else "404 Not Found", [("Content-Length", "17")])
        return [b'{"ApiVersion":16}']

    one, key = certificate(tmp_path, "one")
    two, _ = certificate(tmp_path, "two")
    one.write_text(f"{key.read_text()}{one.read_text()}{two.read_text()}")  # as Orthanc wants it, with its issuer
    with serving(orthanc, tls.context(one)) as url:
        settings = {"SslEnabled": True, "HttpPort": int(url.rpartition(":")[2]), "SslCertificate": "one.crt"}
        own, trusted = loopback.orthanc_address(settings, tmp_path)
        assert own == url
        access = Access(own, verify=trusted)
        assert access.ask(Permission.READ, ALICE) is Decision.GRANTED
        access.close()
        _, other = loopback.orthanc_address(settings | {"SslCertificate": str(two)}, tmp_path)
        for verify in (other, True):
            access = Access(own, verify=verify)
            with pytest.raises(Unavailable):
                access.ask(Permission.READ, ALICE)
            access.close()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"SslEnabled": True, "SslVerifyPeers": True}, "SslVerifyPeers"),
        ({"SslEnabled": True, "SslCertificate": "missing.pem"}, "missing.pem"),
        ({"SslEnabled": True, "SslCertificate": "empty.pem"}, "empty.pem"),
        ({"HttpServerEnabled": False}, "HttpServerEnabled"),
    ],
)
def test_settings_that_leave_no_way(tmp_path: Path, settings: dict[str, Any], word: str) -> None:
    """Where Orthanc cannot be asked, the error names the setting."""
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ConfigurationError, match=word):
        loopback.orthanc_address(settings, tmp_path)
