"""Real Orthanc servers with the plugin, and clients of them."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from davfs.demo.process import OrthancProcess
from tests.support.drive import rest_client
from tests.support.orthanc_server import OrthancServer
from tests.support.webdav import WebDav

STOPPING = 5
"""Seconds within which Orthanc ends after SIGTERM."""

REFUSAL = "davfs: the drive does not start: "
"""Begins the line that Orthanc logs where the plugin refuses to start."""

PYTHON_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancPython.so")
"""The plugin orthanc-python."""

RunOrthanc: TypeAlias = Callable[..., AbstractContextManager[OrthancProcess]]
"""The type of the fixture `run_orthanc`."""


@pytest.fixture(scope="session")
def run_orthanc(plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> RunOrthanc:
    """Context manager that runs an Orthanc with the plugin; it takes the arguments of `OrthancProcess`.

    At the end of the block it must still run. It is killed then; with ``stops=True`` it must end in order.
    ``folder`` goes on with the data of an earlier server, ``plugins`` replaces the list of plugins.
    """

    @contextmanager
    def run(folder: Path | None = None, *, stops: bool = False, **options: Any) -> Iterator[OrthancProcess]:
        folder = folder or tmp_path_factory.mktemp("orthanc")
        server = OrthancServer(folder, **{"plugins": [plugin], **options})
        servers.append(server)
        try:
            with server:
                yield server
                assert_runs(server)
                if stops:
                    assert_stops(server)
        finally:
            servers.remove(server)

    return run


def assert_runs(server: OrthancProcess) -> None:
    """Assert that the server has not crashed."""
    assert server.running, f"Orthanc ended with {server.wait()} during the tests:\n{server.log_tail(100)}"


def assert_stops(server: OrthancProcess) -> None:
    """Assert that the server still runs, and stops in time and in order."""
    assert_runs(server)
    asked = time.monotonic()
    code = server.stop(limit=STOPPING)
    assert not server.killed, f"Orthanc did not end within {STOPPING} s of SIGTERM:\n{server.log_tail(100)}"
    assert code == 0, f"Orthanc ended with {code} after {time.monotonic() - asked:.1f} s:\n{server.log_tail(100)}"


@pytest.fixture(scope="module")
def orthanc(run_orthanc: RunOrthanc) -> Iterator[OrthancProcess]:
    """An Orthanc with the plugin in its default configuration, shared by the tests of a module."""
    with run_orthanc() as server:
        yield server


@pytest.fixture(scope="module")
def url(orthanc: OrthancProcess) -> str:
    """Orthanc's own address, without a slash at its end."""
    return orthanc.url


@pytest.fixture(scope="module")
def rest(orthanc: OrthancProcess) -> Iterator[httpx.Client]:
    """A client of the shared Orthanc's REST API."""
    with rest_client(orthanc) as client:
        yield client


@pytest.fixture(scope="module")
def drive(orthanc: OrthancProcess) -> Iterator[WebDav]:
    """A client of the shared Orthanc's drive."""
    with WebDav(orthanc.drive_url) as client:
        yield client
