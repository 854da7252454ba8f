"""Clients that disconnect, a full disk, and servers that stop during a request: nothing is left behind or lost."""

import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.drive import has, import_by_rest, place, rest_client
from tests.support.locking import locked, unlock
from tests.support.serving import SECONDS, ServeProcess
from tests.support.webdav import WebDav

IMAGE = dicom.instance("stopping", pixels=4 << 20)
READY = "/davfs-api/ready"
_SET = b'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><z:p xmlns:z="z:">%b</z:p></D:prop></D:set></D:propertyupdate>'
_RESET = struct.pack("ii", 1, 0)


def connect(drive: WebDav, text: str) -> socket.socket:
    """Send the beginning of a request over a connection of its own."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(SECONDS)
    connection.connect((drive.host, drive.port))
    connection.sendall(text.replace("\n", "\r\n").encode())
    return connection


def upload(drive: WebDav, path: str) -> socket.socket:
    """Begin an upload that never goes on."""
    return connect(drive, f"PUT /{path} HTTP/1.1\nHost: localhost\nContent-Length: 1000000\n\nx")


def chunks(drive: WebDav, path: str) -> socket.socket:
    """Begin an upload in chunks that never goes on."""
    return connect(drive, f"PUT /{path} HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n5\nabcde\n")


def download(drive: WebDav, path: str) -> socket.socket:
    """Begin a download, and take only its first bytes."""
    connection = connect(drive, f"GET /{path} HTTP/1.1\nHost: localhost\n\n")
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def head(drive: WebDav, path: str) -> socket.socket:
    """Send a half of a request's head."""
    return connect(drive, f"GET /{path} HTTP/1.1\nHos")


def descriptors(pid: int) -> int:
    """Return how many files a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def resident(pid: int) -> int:
    """Return the bytes of a process that are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture
def process(plugin: Path, servers: list[OrthancProcess], tmp_path: Path) -> Iterator[OrthancProcess]:
    """An Orthanc with the server in the plugin."""
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    with OrthancProcess(tmp_path / "orthanc", plugins=[plugin], davfs=davfs) as each:
        servers.append(each)
        yield each
        servers.remove(each)


@pytest.fixture
def drive(process: OrthancProcess) -> Iterator[WebDav]:
    """Yield a client of the drive's own server."""
    port = process.configuration()["Davfs"]["Server"]["Port"]
    with WebDav(f"http://{LOOPBACK}:{port}/", seconds=SECONDS) as each:
        yield each


def test_clients_that_go_away(process: OrthancProcess, drive: WebDav) -> None:
    """Transfers that clients abort leave no open file, memory or data behind."""
    assert drive.put("inbox/image", IMAGE).status_code == 201

    def break_off(times: int) -> None:
        for number in range(times):
            for begin in (upload, chunks, download, head):
                with begin(drive, "inbox/image" if begin is download else f"inbox/{number % 3}") as connection:
                    if number % 2:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    break_off(30)
    wait_until(lambda: set(drive.listing("inbox")) == {"image"}, "uploads were left behind")
    files, memory = descriptors(process.pid), resident(process.pid)
    break_off(100)
    wait_until(lambda: descriptors(process.pid) <= files + 4, "files are left open")
    assert resident(process.pid) < memory + 40 * (1 << 20)  # ten of 100 downloads
    assert set(drive.listing("inbox")) == {"image"}
    assert drive.get("inbox/image").content == IMAGE


@pytest.mark.parametrize("begins", [(upload, chunks, head, download) * 3, (upload, chunks) * 20])
def test_plugin_stops_at_once(
    process: OrthancProcess, drive: WebDav, begins: tuple[Callable[[WebDav, str], socket.socket], ...]
) -> None:
    """Orthanc stops in order with more transfers under way than there are threads."""
    drive.put("inbox/image", IMAGE)
    with ExitStack() as open_connections:
        for number, begin in enumerate(begins):
            path = "inbox/image" if begin is download else f"inbox/{number}"
            open_connections.enter_context(begin(drive, path))
        process.stop()
    assert not process.killed
    assert not [line for line in process.log.read_text().splitlines() if "davfs" in line and line.startswith("E")]


def test_serve_stops_at_once(process: OrthancProcess, tmp_path: Path) -> None:
    """The same for ``davfs serve``; what was being uploaded is gone when it starts again, what was answered is not."""
    with ServeProcess(tmp_path, process.url) as serve, serve.ready().drive() as drive, ExitStack() as connections:
        assert drive.put("inbox/image", IMAGE).status_code == 201
        assert drive.put("inbox/kept", b"kept").status_code == 201
        for begin in (upload, chunks, head, download):
            connections.enter_context(begin(drive, "inbox/image" if begin is download else "inbox/lost"))
        assert serve.stop() == 0
        assert "Traceback" not in serve.text
        serve.ready()
        assert set(drive.listing("inbox")) == {"image", "kept"}
        assert drive.get("inbox/kept").content == b"kept"
        assert serve.stop() == 0


def test_orthanc_comes_back(servers: list[OrthancProcess], tmp_path: Path) -> None:
    """While Orthanc is away, responses are 503; afterwards the drive works, and shows new images."""
    orthanc = OrthancProcess(tmp_path / "orthanc")
    servers.append(orthanc)
    first, second, third = (dicom.instance(f"away-{number}") for number in range(3))
    with ServeProcess(tmp_path, orthanc.url) as serve, serve.drive() as drive:
        with orthanc, rest_client(orthanc) as rest:
            serve.ready()
            import_by_rest(rest, first)
            assert drive.put("inbox/image", second).status_code == 201
            assert drive.get(place("away-0")).content == first
        for method, path in (
            ("GET", "inbox/image"),
            ("PROPFIND", "by-patient"),
            ("PUT", "inbox/new"),
            ("GET", "by-patient"),
        ):
            answer = drive.request(method, path, content=third if method == "PUT" else b"", headers={"Depth": "1"})
            assert (answer.status_code == 503, "Retry-After" in answer.headers) == (True, True), (method, path)
        serve.wait_for(READY, 503)
        with orthanc, rest_client(orthanc) as rest:
            serve.wait_for(READY, 200)
            assert drive.get("inbox/image").content == second
            import_by_rest(rest, third)
            assert drive.get(place("away-2")).content == third
            assert drive.put("inbox/first", first).status_code == 201
            assert has(rest, first)
            assert serve.stop() == 0
    servers.remove(orthanc)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk(process: OrthancProcess, small_disk: Path, tmp_path: Path) -> None:
    """Uploads that do not fit are refused, and leave nothing behind; requests that need no space still work."""
    options = ("--spool", str(small_disk / "spool"))
    with ServeProcess(tmp_path, process.url, *options) as serve, serve.ready().drive() as drive:
        assert drive.put("inbox/kept", b"k" * 100_000).status_code == 201
        assert " 200 " in drive.request("PROPPATCH", "inbox/kept", content=_SET % b"x").text
        large = b"x" * (1 << 20)
        assert drive.put("inbox/large", large * 10).status_code == 507
        for _ in range(3):
            assert drive.request("PUT", "inbox/large", content=iter([large] * 10)).status_code == 507
        assert set(drive.listing("inbox")) == {"kept"}
        filled = 0
        while drive.put(f"inbox/full-{filled}", large[: 1 << 19]).status_code == 201:
            filled += 1
        (small_disk / "rest").write_bytes(b"x" * os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize)
        assert drive.put("inbox/kept", b"n" * 100_000).status_code == 507
        assert drive.get("inbox/kept").content == b"k" * 100_000
        moved = drive.request("MOVE", "inbox/kept", headers={"Destination": "/inbox/moved"})
        assert moved.status_code == 201
        refused = drive.request("PROPPATCH", "inbox/moved", content=_SET % (b"x" * 60_000))
        assert " 507 " in refused.text
        token = locked(drive, "inbox/moved")
        assert unlock(drive, "inbox/moved", token) == 204
        assert drive.delete("inbox/moved").status_code == 204
        for number in range(filled):
            assert drive.delete(f"inbox/full-{number}").status_code == 204
        (small_disk / "rest").unlink()
        assert drive.put("inbox/again", large * 4).status_code == 201
        assert serve.stop() == 0
