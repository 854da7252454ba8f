"""Fixtures of running drives: one for each door, with clients of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.support.drive import rest_client
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

COLLECTION = "collection"
"""Orthanc's own port: the core's WebDAV engine answers in the plugin's name."""

SERVER = "server"
"""The WebDAV server in the plugin, on a port of its own."""

STANDALONE = "standalone"
"""The same server as ``davfs serve``, beside an Orthanc without the plugin."""

DOORS = (COLLECTION, SERVER, STANDALONE)
COMPLETE = (SERVER, STANDALONE)
"""Doors that are complete WebDAV servers."""


@dataclass(frozen=True, slots=True)
class Door:
    """One door of a running drive.

    Attributes:
        name: One of `DOORS`.
        url: The address to mount, with a slash at its end.
        drive: A client that checks what other clients have done.
        rest: A client of Orthanc's REST API.
    """

    name: str
    url: str
    drive: WebDav = field(repr=False)
    rest: httpx.Client = field(repr=False)


@contextmanager
def opened(name: str, process: OrthancProcess) -> Iterator[Door]:
    """Open clients of the drive of an Orthanc with the plugin, by one door, and close them."""
    port = process.configuration()["Davfs"]["Server"]["Port"]
    url = {COLLECTION: process.drive_url, SERVER: f"http://{LOOPBACK}:{port}/"}[name]
    with WebDav(url) as drive, rest_client(process) as rest:
        yield Door(name, url, drive, rest)


@pytest.fixture(scope="module")
def process(
    plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OrthancProcess]:
    """An Orthanc with both doors of the plugin open, shared by the tests of a module."""
    (port,) = free_ports(1)
    davfs = {"Server": {"Enabled": True, "Port": port}}
    with _watched(OrthancServer(tmp_path_factory.mktemp("orthanc"), plugins=[plugin], davfs=davfs), servers) as each:
        yield each


@pytest.fixture(scope="module")
def standalone(servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A drive beside an Orthanc without any plugin, shared by the tests of a module."""
    with (
        _watched(OrthancServer(tmp_path_factory.mktemp("orthanc")), servers) as process,
        ServeProcess(tmp_path_factory.mktemp("serve"), process.url) as served,
        served.ready().drive() as drive,
        rest_client(process) as rest,
    ):
        yield Door(STANDALONE, served.url, drive, rest)
        assert served.stop() == 0, served.text


@contextmanager
def _watched(process: OrthancProcess, servers: list[OrthancProcess]) -> Iterator[OrthancProcess]:
    """Run an Orthanc whose log is shown if a test fails; it must still run at the end of the block."""
    with process:
        servers.append(process)
        try:
            yield process
            assert process.running, f"Orthanc ended during the tests:\n{process.log_tail(100)}"
        finally:
            servers.remove(process)


@pytest.fixture(scope="module")
def inside(process: OrthancProcess) -> Iterator[Door]:
    """The complete server in the plugin: what harms it would harm Orthanc."""
    with opened(SERVER, process) as each:
        yield each


@pytest.fixture(scope="module", params=DOORS)
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    """Each door in turn."""
    yield from _door(request)


@pytest.fixture(scope="module", params=COMPLETE)
def server(request: pytest.FixtureRequest) -> Iterator[Door]:
    """Each door in turn that is a complete WebDAV server."""
    yield from _door(request)


def _door(request: pytest.FixtureRequest) -> Iterator[Door]:
    if request.param == STANDALONE:
        yield request.getfixturevalue("standalone")
    else:
        with opened(request.param, request.getfixturevalue("process")) as each:
            yield each
