"""Pages of other sites can change and read nothing at door 2."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import doors
from tests.support.doors import COMPLETE, SERVER, Door
from tests.support.guarded import certificate
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

process, standalone, server = doors.process, doors.standalone, doors.inside
FOREIGN = {"Host": "evil.example:8043"}
CHANGES = ("PUT", "POST", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH", "LOCK", "UNLOCK", "PATCH", "FOO")
READS = ("GET", "HEAD", "PROPFIND", "OPTIONS")
USERS = {"AuthenticationEnabled": True, "RegisteredUsers": {"alice": "secret"}}


@pytest.fixture(params=COMPLETE)
def door(request: pytest.FixtureRequest) -> Door:
    """The server in the plugin, and the stand-alone one."""
    found: Door = request.getfixturevalue("server" if request.param == SERVER else "standalone")
    return found


def ask(door: WebDav, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    """Send a request."""
    return door.request(method, path, headers={"Depth": "0", "Destination": "/inbox/b", **headers}, content=b"")


@pytest.mark.parametrize("method", [*READS, *CHANGES])
def test_foreign_host(door: Door, method: str) -> None:
    """Under a foreign host name, nothing is revealed or changed; the response names the setting."""
    for headers in (FOREIGN, FOREIGN | {"Authorization": "Basic YTpi"}, {"Host": "evil.example"}, {"Host": ""}):
        answer = ask(door.drive, method, "inbox/rebound", headers)
        assert answer.status_code == 421
        assert method == "HEAD" or "Davfs.Server.HostNames" in answer.text
    assert door.drive.status("inbox/rebound") == 404


@pytest.mark.parametrize("host", ["localhost", "localhost:8043", "127.0.0.1", "[::1]:8043", "192.0.2.7:8043"])
def test_own_host(door: Door, host: str) -> None:
    """The drive answers under its own names and addresses, with any forwarded port."""
    assert ask(door.drive, "PROPFIND", "", {"Host": host}).status_code == 207


def test_no_promise_of_tls(door: Door) -> None:
    """Without TLS, no Strict-Transport-Security is sent."""
    assert "Strict-Transport-Security" not in door.drive.get("README.txt").headers


@pytest.mark.parametrize("remote", [False, True])
def test_only_tls(servers: list[OrthancProcess], plugin: Path, tmp_path: Path, *, remote: bool) -> None:
    """Over TLS, Strict-Transport-Security is sent, unless Orthanc's own pages would become unreachable by it."""
    made, key = certificate(tmp_path)
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0], "Certificate": str(made), "Key": str(key)}}
    settings = {"RemoteAccessAllowed": remote}
    with OrthancServer(tmp_path / "orthanc", plugins=[plugin], davfs=davfs, settings=settings) as process:
        servers.append(process)
        trusting = ssl.create_default_context(cafile=made)
        url = process.server_url.replace("http:", "https:")
        answer = httpx.get(f"{url}davfs-api/reload", verify=trusting, trust_env=False)
        assert ("Strict-Transport-Security" in answer.headers) is not remote
        servers.remove(process)


def test_health(door: Door) -> None:
    """Health checks may use any host name: they reveal nothing."""
    assert door.drive.request("GET", "davfs-api/health", headers=FOREIGN).status_code == 200


@pytest.mark.parametrize("browser", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}])
@pytest.mark.parametrize("method", CHANGES)
def test_foreign_page(door: Door, method: str, browser: dict[str, str]) -> None:
    """The page of another site changes nothing."""
    door.drive.put("inbox/kept", b"kept")
    for path in ("inbox/kept", "davfs-api/reload"):
        answer = ask(door.drive, method, path, browser)
        assert (answer.status_code, answer.text) == (403, "The page of another site cannot change anything here.\n")
    assert door.drive.get("inbox/kept").content == b"kept"
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize("browser", [{"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {}])
def test_own_page(door: Door, browser: dict[str, str]) -> None:
    """The drive's own page, and clients that are no browser, may change things; a link to the drive may be followed."""
    origin = {"Origin": door.url.rstrip("/")} if browser else {}
    assert door.drive.request("PUT", "inbox/own", content=b"x", headers=browser | origin).is_success
    assert door.drive.request("POST", "davfs-api/reload", headers=browser | origin).status_code == 200
    assert door.drive.request("GET", "README.txt", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    door.drive.delete("inbox/own")


def test_configured_names(servers: list[OrthancProcess], plugin: Path, tmp_path: Path) -> None:
    """Names that the administrator has set are the drive's own, in the plugin and in davfs serve."""
    (port,) = free_ports(1)
    davfs = {"Server": {"Enabled": True, "Port": port, "HostNames": ["drive.example.org"]}}
    options = ("--host-name", "drive.example.org", "--host-name", "other.example")
    with OrthancServer(tmp_path / "orthanc", plugins=[plugin], davfs=davfs) as process:
        servers.append(process)
        (tmp_path / "serve").mkdir()
        with (
            ServeProcess(tmp_path / "serve", process.url, *options) as served,
            served.ready().drive() as beside,
            WebDav(process.server_url) as inside,
        ):
            for drive in (inside, beside):
                assert ask(drive, "PROPFIND", "", {"Host": "Drive.example.org"}).status_code == 207
                assert ask(drive, "PROPFIND", "", FOREIGN).status_code == 421
        servers.remove(process)


@pytest.fixture
def closed(servers: list[OrthancProcess], plugin: Path, tmp_path: Path) -> Iterator[OrthancProcess]:
    """An Orthanc that asks for a password."""
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    with OrthancServer(tmp_path / "orthanc", plugins=[plugin], davfs=davfs, settings=USERS) as process:
        servers.append(process)
        yield process
        servers.remove(process)


def test_any_host_with_a_password(closed: OrthancProcess) -> None:
    """With a login, any host name may be used: a browser has no password for a foreign one."""
    with WebDav(closed.server_url, auth=("alice", "secret")) as drive, WebDav(closed.server_url) as stranger:
        for _ in range(2):
            assert ask(drive, "PROPFIND", "", FOREIGN).status_code == 207
        assert ask(stranger, "PROPFIND", "", FOREIGN).status_code == 401
        assert ask(drive, "POST", "davfs-api/reload", {"Sec-Fetch-Site": "cross-site"}).status_code == 403
