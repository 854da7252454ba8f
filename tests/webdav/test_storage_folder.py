"""The drive's own server over Orthanc's storage folder: the same answers as without it."""

import http.client
import os
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from davfs.doors.webdav.file_range import FileRange
from tests.support import bare_server
from tests.support.bare_server import GET, LARGE, ask, connected
from tests.support.dicom import CT_IMAGE, instance
from tests.support.doors import SERVER, Door, opened
from tests.support.drive import rest_client
from tests.support.local_server import serving
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess

certificate = bare_server.certificate
IMAGE = instance("ONE", pixels=CT_IMAGE)


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def process(
    request: pytest.FixtureRequest, plugin: Path, servers: list[OrthancProcess], tmp_path: Path
) -> Iterator[OrthancProcess]:
    """An Orthanc whose drive has its storage folder, which is compressed or not."""
    (port,) = free_ports(1)
    davfs = {"Server": {"Enabled": True, "Port": port}, "StorageFolder": str(tmp_path / "orthanc" / "storage")}
    (tmp_path / "orthanc").mkdir()
    settings = {"StorageCompression": request.param}
    with OrthancServer(tmp_path / "orthanc", plugins=[plugin], davfs=davfs, settings=settings) as process:
        servers.append(process)
        yield process
        servers.remove(process)


def image_below(door: Door, folder: str) -> str:
    """Return the path of the only image below a folder."""
    found = next(each for each in door.drive.listing(folder).values() if each.is_folder or each.name.endswith(".dcm"))
    path = f"{folder}/{found.name}"
    return image_below(door, path) if found.is_folder else path


def check(door: Door, storage: Path) -> None:
    """Upload an image, fetch it, delete it, and put its files back into the folder."""
    image = door.rest.post("/instances", content=IMAGE).json()["ID"]
    path = image_below(door, "by-patient")
    answer = door.drive.get(path)
    assert (answer.status_code, answer.content) == (200, IMAGE)
    part = door.drive.request("GET", path, headers={"Range": "bytes=100-199999"})
    assert (part.status_code, part.content) == (206, IMAGE[100:200000])
    shutil.copytree(storage, kept := storage.parent / "kept")
    door.rest.delete(f"/instances/{image}").raise_for_status()
    shutil.copytree(kept, storage, dirs_exist_ok=True)
    assert door.drive.get(path).status_code == 404


def test_inside(process: OrthancProcess) -> None:
    """In Orthanc, an image is sent whole and in part, and not once it was deleted, even if its file is left."""
    with opened(SERVER, process) as door:
        check(door, process.folder / "storage")


def test_beside(process: OrthancProcess, tmp_path: Path) -> None:
    """Beside Orthanc, too."""
    (tmp_path / "serve").mkdir()
    storage = process.folder / "storage"
    with (
        ServeProcess(tmp_path / "serve", process.url, "--storage-folder", str(storage)) as served,
        served.ready().drive() as drive,
        rest_client(process) as rest,
    ):
        check(Door("standalone", served.url, drive, rest), storage)


class FileApplication:
    """Answers with a file.

    Args:
        file: The file.
        length: Its length as the answer says it.
    """

    def __init__(self, file: Path, length: int = len(LARGE)) -> None:
        self.descriptor = os.open(file, os.O_RDONLY)
        self._length = length

    def __call__(self, _: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[FileRange]:
        """Answer a request (PEP 3333)."""
        start_response("200 OK", [("Content-Length", str(self._length))])
        yield FileRange(self.descriptor, 0, self._length)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that is larger than the buffers of both sides."""
    (tmp_path / "large").write_bytes(LARGE)
    return tmp_path / "large"


def test_large_files(large: Path) -> None:
    """A file of any size arrives whole, also where the client reads slowly, and the connection is kept."""
    with serving(FileApplication(large)) as server:
        client = http.client.HTTPConnection(LOOPBACK, server.port, timeout=20)
        assert [ask(client, "GET", "/") for _ in range(2)] == [(200, LARGE)] * 2
        client.close()
        with connected(server, GET) as slow:
            received = slow.recv(4096)
            time.sleep(0.2)
            while not received.endswith(LARGE[-4096:]) or len(received) < len(LARGE):
                received += slow.recv(1 << 16)
        assert received.partition(b"\r\n\r\n")[2] == LARGE


def test_large_files_over_tls(large: Path, certificate: Path) -> None:
    """Over TLS, too."""
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(certificate))
    theirs.load_cert_chain(certificate)
    ours.check_hostname = False
    with serving(FileApplication(large), tls=theirs) as server:
        client = http.client.HTTPSConnection(LOOPBACK, server.port, timeout=20, context=ours)
        assert [ask(client, "GET", "/") for _ in range(2)] == [(200, LARGE)] * 2
        client.close()


def test_files_that_become_shorter(large: Path) -> None:
    """A client notices that a file ends too early: the connection breaks."""
    with serving(FileApplication(large, len(LARGE) + 1)) as server:
        client = http.client.HTTPConnection(LOOPBACK, server.port, timeout=20)
        with pytest.raises(http.client.IncompleteRead):
            ask(client, "GET", "/")
        client.close()
