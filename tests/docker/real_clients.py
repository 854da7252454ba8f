"""Real clients at a running drive that asks for a password.

``pytest tests/docker/real_clients.py --drive URL --orthanc URL --user NAME:PASSWORD``, which `docker/test.sh` does in
the harness; the name keeps this module out of other runs.
"""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.docker.litmus import ON_ORTHANCS_PORT
from tests.support import dicom
from tests.support.clients import Client, ClientFailed, Connect
from tests.support.clients.commands import cadaver, curl, rclone
from tests.support.drive import has, import_by_rest, place
from tests.support.webdav import WebDav

CLIENTS: dict[str, Connect] = {"cadaver": cadaver, "curl": curl, "rclone": rclone}


@dataclass(frozen=True, slots=True)
class Desk:
    """A client at work in a folder of its own.

    Attributes:
        client: The client.
        folder: Path of its folder on the drive.
        drive: A client that judges.
        rest: A client of Orthanc's REST API.
        complete: Whether this is a complete WebDAV server, and not Orthanc's own port.
    """

    client: Client
    folder: str
    drive: WebDav
    rest: httpx.Client
    complete: bool


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take each client in turn; rclone can only read at Orthanc's own port, which is tested elsewhere."""
    complete = not metafunc.config.getoption("--drive").endswith(ON_ORTHANCS_PORT)
    metafunc.parametrize("desk", [name for name in CLIENTS if complete or name != "rclone"], indirect=True)


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A client that has the password where it looks for one."""
    url, orthanc, user = (request.config.getoption(option) for option in ("--drive", "--orthanc", "--user"))
    name, _, password = user.partition(":")
    give_password(tmp_path, monkeypatch, str(urlsplit(url).hostname), name, password)
    rest = httpx.Client(base_url=orthanc, auth=(name, password), trust_env=False, timeout=10)
    with CLIENTS[request.param](url, tmp_path) as client, WebDav(url, auth=(name, password)) as drive, rest:
        folder = f"inbox/{uuid.uuid4()}"
        assert drive.mkcol(folder).status_code == 201
        yield Desk(client, folder, drive, rest, complete=not url.endswith(ON_ORTHANCS_PORT))


def give_password(home: Path, environment: pytest.MonkeyPatch, host: str, name: str, password: str) -> None:
    """Configure user and password for all clients."""
    (home / ".netrc").write_text(f'machine {host} login {name} password "{password}"\n')
    (home / ".curlrc").write_text(f'user = "{name}:{password}"\n')
    obscured = subprocess.check_output(["rclone", "obscure", password], text=True).strip()
    environment.setenv("HOME", str(home))
    environment.setenv("RCLONE_WEBDAV_USER", name)
    environment.setenv("RCLONE_WEBDAV_PASS", obscured)


def test_listing_and_reading(desk: Desk) -> None:
    """A client finds an image of Orthanc, and reads it."""
    patient = str(uuid.uuid4())
    content = dicom.instance(patient)
    import_by_rest(desk.rest, content)
    assert desk.client.list("") == {"README.txt", "by-patient", "inbox", "search"}
    assert desk.client.read(place(patient)) == content


def test_importing(desk: Desk) -> None:
    """An image that a client writes is in Orthanc, and can be read back."""
    content = dicom.instance(str(uuid.uuid4()))
    desk.client.write(f"{desk.folder}/scan.dcm", content)
    assert has(desk.rest, content)
    assert desk.client.read(f"{desk.folder}/scan.dcm") == content


def test_ordinary_files(desk: Desk) -> None:
    """A client writes a file, replaces it, and deletes it."""
    for content in (b"first", b"the second, longer"):
        desk.client.write(f"{desk.folder}/notes.txt", content)
        assert desk.drive.get(f"{desk.folder}/notes.txt").content == content
    desk.client.delete(f"{desk.folder}/notes.txt")
    assert desk.client.list(desk.folder) == set()


def test_renaming(desk: Desk) -> None:
    """A client renames a file; where Orthanc's core cannot do that, the client says so, and the file stays."""
    assert desk.drive.put(f"{desk.folder}/old.txt", b"x").status_code in {201, 204}
    with nullcontext() if desk.complete else pytest.raises(ClientFailed):
        desk.client.rename(f"{desk.folder}/old.txt", f"{desk.folder}/new.txt")
    assert set(desk.drive.listing(desk.folder)) == {"new.txt" if desk.complete else "old.txt"}
