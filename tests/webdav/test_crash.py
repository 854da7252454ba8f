"""What was acknowledged outlives a crash: of Orthanc with the plugin, of ``davfs serve``, and of the Orthanc beside it.

``make test-crash ROUNDS=60`` crashes each of them so many times.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import loads
from tests.support.drive import rest_client
from tests.support.journal import Contents, Journal
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

ROUNDS = int(os.environ.get("TEST_ROUNDS", "1"))
CLIENTS = 4
ENOUGH = 5
DELETING = {"AllowDelete": True}
READY = "/davfs-api/ready"


def moments() -> Iterator[float]:
    """Yield the seconds of work before each crash."""
    chance = random.Random(ROUNDS)  # noqa: S311
    for _ in range(ROUNDS):
        yield chance.uniform(0.5, 2.0)


@contextmanager
def clients(*urls: str) -> Iterator[list[Journal]]:
    """Open clients of a drive at these addresses, and close them."""
    with ExitStack() as closing:
        opened = [Journal(urls[number % len(urls)], f"c{number}") for number in range(CLIENTS)]
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


def work(journals: list[Journal], seconds: float) -> None:
    """Let clients work for a while, and until enough was acknowledged that can be lost."""
    before, deadline = sum(each.acknowledged for each in journals), time.monotonic() + 30
    time.sleep(seconds)
    while sum(each.acknowledged for each in journals) < before + ENOUGH:
        assert time.monotonic() < deadline, "the drive is too slow for this test"
        time.sleep(0.01)


def lost(journals: list[Journal], drive: WebDav, rest: httpx.Client) -> list[str]:
    """Return what is not as it was acknowledged."""
    found = []
    for journal in journals:
        found += _wrong(journal.images, lambda image: rest.get(f"/instances/{image}/file"))
        found += _wrong(journal.files, drive.get)
    return found


def _wrong(known: dict[str, Contents], get: Callable[[str], httpx.Response]) -> list[str]:
    """Compare what was acknowledged with what is there; what is found is what is known from now on."""
    found = []
    for name, contents in known.items():
        answer = get(name)
        there = None if answer.status_code == httpx.codes.NOT_FOUND else answer.content
        if answer.status_code not in (httpx.codes.OK, httpx.codes.NOT_FOUND) or there not in contents:
            found.append(f"{name}: {answer.status_code}, {len(answer.content)} bytes, {len(contents)} possible")
        known[name] = (there,)
    return found


def assert_as_acknowledged(journals: list[Journal], drive: WebDav, rest: httpx.Client) -> None:
    """Assert that nothing acknowledged is lost or has come again, and that the drive shows what Orthanc has."""
    assert lost(journals, drive, rest) == []
    patients = {each["MainDicomTags"]["PatientID"] for each in rest.get("/patients?expand").json()}
    shown = {name.rpartition("(")[2].rstrip(")") for name in drive.listing("by-patient")}
    assert shown == patients


def test_the_plugin(plugin: Path, servers: list[OrthancProcess], tmp_path: Path) -> None:
    """Orthanc is killed while clients of both doors change things, and starts again."""
    davfs = DELETING | {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    process = OrthancProcess(tmp_path, plugins=[plugin], davfs=davfs)
    servers.append(process)
    with clients(process.server_url, process.drive_url) as journals, WebDav(process.server_url) as drive:
        for moment in moments():
            with process:
                wait_until_ready(drive)
                with loads.repeated([each.act for each in journals]):
                    work(journals, moment)
                    process.kill()
            with process, rest_client(process) as rest:
                wait_until_ready(drive)
                assert_as_acknowledged(journals, drive, rest)
    servers.remove(process)


def test_serve(servers: list[OrthancProcess], tmp_path: Path) -> None:
    """``davfs serve`` is killed, and starts again."""
    with OrthancProcess(tmp_path / "orthanc") as orthanc, rest_client(orthanc) as rest:
        servers.append(orthanc)
        with ServeProcess(tmp_path, orthanc.url, "--allow-delete") as serve, clients(serve.url) as journals:
            for moment in moments():
                serve.ready()
                with loads.repeated([each.act for each in journals]):
                    work(journals, moment)
                    serve.kill()
                with serve.ready().drive() as drive:
                    assert_as_acknowledged(journals, drive, rest)
                assert serve.stop() == 0
        servers.remove(orthanc)


def test_orthanc_beside_serve(servers: list[OrthancProcess], tmp_path: Path) -> None:
    """The Orthanc beside ``davfs serve`` is killed, and comes back."""
    orthanc = OrthancProcess(tmp_path / "orthanc")
    servers.append(orthanc)
    with ServeProcess(tmp_path, orthanc.url, "--allow-delete") as serve, clients(serve.url) as journals:
        orthanc.start()
        serve.ready()
        for moment in moments():
            with loads.repeated([each.act for each in journals]):
                work(journals, moment)
                orthanc.kill()
            orthanc.start()
            with serve.drive() as drive, rest_client(orthanc) as rest:
                wait_until_ready(drive)
                assert_as_acknowledged(journals, drive, rest)
        assert serve.stop() == 0
        assert orthanc.stop() == 0
    servers.remove(orthanc)
