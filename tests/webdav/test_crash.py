"""Acknowledged uploads outlive a crash of Orthanc with the plugin, of ``davfs serve``, and of the Orthanc beside it.

``make test-crash ROUNDS=60`` crashes each of them so many times.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import loads
from tests.support.drive import rest_client
from tests.support.orthanc_server import OrthancServer
from tests.support.recording_client import Contents, RecordingClient
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

ROUNDS = int(os.environ.get("TEST_ROUNDS", "1"))
CLIENTS = 4
ENOUGH = 5
DELETING = {"AllowDelete": True, "DeleteForGood": True}
READY = "/davfs-api/ready"


def moments() -> Iterator[tuple[float, bool]]:
    """Yield the seconds of work before each crash, and True for the last one."""
    chance = random.Random(ROUNDS)  # noqa: S311
    for number in range(1, ROUNDS + 1):
        yield chance.uniform(0.5, 2.0), number == ROUNDS


@contextmanager
def clients(*urls: str) -> Iterator[list[RecordingClient]]:
    """Open clients of a drive at these addresses, and close them."""
    with ExitStack() as closing:
        opened = [RecordingClient(urls[number % len(urls)], f"c{number}") for number in range(CLIENTS)]
        for each in opened:
            closing.callback(each.close)
        yield opened


def wait_until_ready(drive: WebDav) -> None:
    """Wait until a drive shows all of Orthanc."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if drive.http.get(READY).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("the drive does not come back")


def work(recorders: list[RecordingClient], seconds: float) -> None:
    """Run clients for a while, and until enough uploads were acknowledged."""
    before, deadline = sum(each.acknowledged for each in recorders), time.monotonic() + 30
    time.sleep(seconds)
    while sum(each.acknowledged for each in recorders) < before + ENOUGH:
        assert time.monotonic() < deadline, "the drive is too slow for this test"
        time.sleep(0.01)


def lost(recorders: list[RecordingClient], drive: WebDav, rest: httpx.Client, *, everything: bool) -> list[str]:
    """Return the differences from what was acknowledged: of all files, or of those changed since the last call."""
    found = []
    for recorder in recorders:
        touched, recorder.touched = recorder.touched, set()
        for known, get in ((recorder.images, partial(_file, rest)), (recorder.files, drive.get)):
            names = known.keys() if everything else known.keys() & touched
            found += [wrong for name in names if (wrong := _wrong(known, name, get))]
    return found


def _file(rest: httpx.Client, image: str) -> httpx.Response:
    return rest.get(f"/instances/{image}/file")


def _wrong(known: dict[str, Contents], name: str, get: Callable[[str], httpx.Response]) -> str:
    """Return what is wrong with a file on the drive, empty if nothing; its present content becomes the expected one."""
    answer, contents = get(name), known[name]
    there = None if answer.status_code == httpx.codes.NOT_FOUND else answer.content
    known[name] = (there,)
    if answer.status_code in (httpx.codes.OK, httpx.codes.NOT_FOUND) and there in contents:
        return ""
    return f"{name}: {answer.status_code}, {len(answer.content)} bytes, {len(contents)} possible"


def assert_as_acknowledged(
    recorders: list[RecordingClient], drive: WebDav, rest: httpx.Client, *, everything: bool
) -> None:
    """Assert that no acknowledged change is lost or undone, and that the drive shows what Orthanc has."""
    assert lost(recorders, drive, rest, everything=everything) == []
    patients = {each["MainDicomTags"]["PatientID"] for each in rest.get("/patients?expand").json()}
    shown = {name.rpartition("(")[2].rstrip(")") for name in drive.listing("by-patient")}
    assert shown == patients


def test_the_plugin(plugin: Path, servers: list[OrthancProcess], tmp_path: Path) -> None:
    """Orthanc is killed while clients of both doors change things, and starts again."""
    davfs = DELETING | {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    process = OrthancProcess(tmp_path, plugins=[plugin], davfs=davfs)
    servers.append(process)
    with clients(process.server_url, process.drive_url) as recorders, WebDav(process.server_url) as drive:
        for moment, last in moments():
            with process:
                wait_until_ready(drive)
                with loads.repeated([each.act for each in recorders]):
                    work(recorders, moment)
                    process.kill()
            with process, rest_client(process) as rest:
                wait_until_ready(drive)
                assert_as_acknowledged(recorders, drive, rest, everything=last)
    servers.remove(process)


def test_serve(servers: list[OrthancProcess], tmp_path: Path) -> None:
    """``davfs serve`` is killed, and starts again."""
    with OrthancServer(tmp_path / "orthanc") as orthanc, rest_client(orthanc) as rest:
        servers.append(orthanc)
        with (
            ServeProcess(tmp_path, orthanc.url, "--allow-delete", "--delete-for-good") as serve,
            clients(serve.url) as recorders,
        ):
            for moment, last in moments():
                serve.ready()
                with loads.repeated([each.act for each in recorders]):
                    work(recorders, moment)
                    serve.kill()
                with serve.ready().drive() as drive:
                    assert_as_acknowledged(recorders, drive, rest, everything=last)
                assert serve.stop() == 0
        servers.remove(orthanc)


def test_orthanc_beside_serve(servers: list[OrthancProcess], tmp_path: Path) -> None:
    """The Orthanc beside ``davfs serve`` is killed, and comes back."""
    orthanc = OrthancProcess(tmp_path / "orthanc")
    servers.append(orthanc)
    with (
        ServeProcess(tmp_path, orthanc.url, "--allow-delete", "--delete-for-good") as serve,
        clients(serve.url) as recorders,
    ):
        orthanc.start()
        serve.ready()
        for moment, last in moments():
            with loads.repeated([each.act for each in recorders]):
                work(recorders, moment)
                orthanc.kill()
            orthanc.start()
            with serve.drive() as drive, rest_client(orthanc) as rest:
                wait_until_ready(drive)
                assert_as_acknowledged(recorders, drive, rest, everything=last)
        assert serve.stop() == 0
        assert orthanc.stop() == 0
    servers.remove(orthanc)
