"""An Orthanc with users and a filter, and a minimal application behind the drive's authentication."""

import json
import ssl
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from davfs.audit.record import Door
from davfs.demo.ports import LOOPBACK
from davfs.demo.process import OrthancProcess
from davfs.doors.webdav.access_records import AccessRecords
from davfs.doors.webdav.login.authentication import CREDENTIALS, Authentication
from davfs.doors.webdav.login.settings import LoginSettings
from davfs.doors.webdav.wire.server import HttpServer
from davfs.orthanc.access import Access, Decision, Permission
from tests.support.audit import KeptTrail
from tests.support.local_server import received

USERS = {"alice": "secret", "reader": "read", "feeder": "feed", "blind": "dark", "müller": "paßwort"}
"""Users of the guarded Orthanc; `ALLOWED` has what its filter permits to each of them."""

ALLOWED = {
    "alice": {"read", "write", "delete"},
    "reader": {"read"},
    "feeder": {"read", "write"},
    "blind": {"write", "delete"},  # images it may not read, so the door lets it do nothing
    "müller": {"read", "write", "delete"},
}

_FILTER = """
function IncomingHttpRequestFilter(method, uri, ip, username, headers)
  if username == 'reader' then return method == 'GET' end
  if username == 'feeder' then return method ~= 'DELETE' end
  if username == 'blind' then return string.find(uri, '/file') == nil end
  return true
end
"""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def guarded_orthanc(folder: Path, settings: Mapping[str, Any] | None = None) -> OrthancProcess:
    """Return an Orthanc without plugins, not started, that asks for passwords and filters requests."""
    script = folder / "filter.lua"
    script.write_text(_FILTER)
    guards = {"AuthenticationEnabled": True, "RegisteredUsers": USERS, "LuaScripts": [str(script)]}
    return OrthancProcess(folder, settings=guards | dict(settings or {}))


@pytest.fixture(scope="module")
def orthanc(servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    """An Orthanc with users and a filter, shared by the tests of this module."""
    with guarded_orthanc(tmp_path_factory.mktemp("guarded")) as server:
        servers.append(server)
        yield server
        servers.remove(server)


def whoami(access: Access) -> Application:
    """Return an application that answers with the user, their permissions, and the number of bytes of the body."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        size = len((yield from received(environ)))
        allowed = [
            each.name.lower() for each in Permission if access.ask(each, environ[CREDENTIALS]) is Decision.GRANTED
        ]
        body = json.dumps({"user": environ["wsgidav.auth.user_name"], "allowed": allowed, "size": size}).encode()
        start_response("200 OK", [("Content-Length", str(len(body))), ("Content-Type", "application/json")])
        yield body

    return answer


@contextmanager
def serving(application: Application, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve an application with door 2's own server; give its address without a slash at its end."""
    server = HttpServer(application, LOOPBACK, 0, tls=tls, threads=6)
    server.start()
    try:
        yield f"{'https' if tls else 'http'}://{LOOPBACK}:{server.port}"
    finally:
        assert server.stop(10)


def behind(
    login: LoginSettings, application: Application | None = None, audit: KeptTrail | None = None
) -> AccessRecords:
    """Return an application behind the door's authentication."""
    context = SimpleNamespace(login=login, audit=audit or KeptTrail(), door=Door.DRIVE)
    authentication = Authentication(None, application or whoami(login.access), {"davfs": context})
    return AccessRecords(None, authentication, {"davfs": context})


def certificate(folder: Path, name: str = "certificate", *, password: str = "") -> tuple[Path, Path]:
    """Make a self-signed certificate for loopback; return its file and that of its key."""
    files = folder / f"{name}.crt", folder / f"{name}.key"
    key = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    subject = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{LOOPBACK}"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", *subject, *key]
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files
