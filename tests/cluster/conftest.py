"""Two Orthancs with the plugin on one PostgreSQL and one storage folder, behind nginx; the clock of one is wrong."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support.drive import delete_all, rest_client
from tests.support.nginx import Nginx
from tests.support.orthanc_server import OrthancServer
from tests.support.postgresql import PostgresServer
from tests.support.webdav import WebDav

INDEX_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancPostgreSQLIndex.so")
"""The plugin orthanc-postgresql."""
FAST_CLOCK = {
    "LD_PRELOAD": "libfaketimeMT.so.1",
    "LD_LIBRARY_PATH": ":".join(map(str, Path("/usr/lib").glob("*/faketime"))),
    "FAKETIME": "+300",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # or Orthanc's waits do not end
}
"""The environment of a process whose clock is five minutes fast."""
HEALING = 30.0
"""Seconds within which a drive is right again after its database, or its Orthanc, has come back."""
WAIT = 60.0
"""Time limit of a request, in seconds: Orthanc waits for a database that is gone."""


@dataclass(frozen=True, slots=True)
class Node:
    """An Orthanc of the cluster, with clients of it.

    Attributes:
        server: The process.
        rest: A client of its REST API.
        drive: A client of the drive at Orthanc's own port.
        second: A client of the drive at its own port.
    """

    server: OrthancProcess
    rest: httpx.Client
    drive: WebDav
    second: WebDav


@dataclass(frozen=True, slots=True)
class Cluster:
    """Orthancs on one database.

    Attributes:
        database: The database.
        nodes: The Orthancs.
        balanced: A client of the drive at Orthanc's own port, through nginx.
        second: A client of the drive at its own port, through nginx.
    """

    database: PostgresServer
    nodes: tuple[Node, ...]
    balanced: WebDav
    second: WebDav

    @property
    def has_labels(self) -> bool:
        """True if this Orthanc has labels: since 1.12."""
        major, minor = self.nodes[0].rest.get("/system").json()["Version"].split(".")[:2]
        return (int(major), int(minor)) >= (1, 12)

    def others(self, node: Node) -> tuple[Node, ...]:
        """Return all nodes but one."""
        return tuple(each for each in self.nodes if each is not node)


def node_server(
    folder: Path,
    plugin: Path,
    database: PostgresServer,
    davfs: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> OrthancServer:
    """Return an Orthanc of a cluster; its storage folder lies beside its own folder."""
    (port,) = free_ports(1)
    settings = {
        "PostgreSQL": database.section,
        "StorageDirectory": str(folder.parent / "storage"),
        "IndexDirectory": str(folder / "index"),
    }
    ours = {
        "Cluster": True,
        "AllowDelete": True,
        "DeleteForGood": True,
        "Server": {"Enabled": True, "Port": port},
    } | dict(davfs or {})
    plugins = [INDEX_PLUGIN, plugin]
    return OrthancServer(folder, plugins=plugins, settings=settings, davfs=ours, environment=environment)


@pytest.fixture(scope="session")
def database() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def cluster(
    plugin: Path, servers: list[OrthancProcess], database: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two Orthancs behind nginx."""
    folder = tmp_path_factory.mktemp("cluster")
    layouts = {"Layouts": ["by-patient", "by-date", "by-label"]}
    with ExitStack() as stack:
        nodes = []
        for name, environment in (("a", {}), ("b", FAST_CLOCK)):
            server = stack.enter_context(node_server(folder / name, plugin, database, layouts, environment))
            servers.append(server)
            stack.callback(servers.remove, server)
            rest = stack.enter_context(rest_client(server))
            drive, second = (
                stack.enter_context(WebDav(url, seconds=WAIT)) for url in (server.drive_url, server.server_url)
            )
            for client in (rest, drive.http):
                client.headers["Connection"] = "close"  # Orthanc 1.12 closes idle ones, perhaps while a request is sent
            nodes.append(Node(server, rest, drive, second))
        ports = [node.server.http_port for node in nodes], [node.server.dav_port or 0 for node in nodes]
        front, other = (stack.enter_context(Nginx(folder / f"nginx{each[0]}", each)) for each in ports)
        balanced = (WebDav(f"{front.url}/davfs/drive/", seconds=WAIT), WebDav(f"{other.url}/", seconds=WAIT))
        yield Cluster(database, tuple(nodes), *map(stack.enter_context, balanced))


@pytest.fixture
def empty(cluster: Cluster) -> None:
    """An empty archive, which both nodes show."""
    delete_all(cluster.nodes[0].rest)
    end = time.monotonic() + HEALING
    while any(node.drive.listing(path) for node in cluster.nodes for path in ("by-date", "by-label")):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def empty_inbox(cluster: Cluster) -> Iterator[None]:
    """An empty inbox, before and after a test, and an empty archive."""
    delete_all(cluster.nodes[0].rest)
    _clear(cluster.nodes[0].second)
    yield
    _clear(cluster.nodes[0].second)


def _clear(drive: WebDav) -> None:
    """Remove all from the inbox, locks too."""
    for listed in drive.listing("inbox").values():
        for each in drive.propfind(f"inbox/{listed.name}"):
            token = each.raw.findtext(".//{DAV:}locktoken/{DAV:}href")
            if token:
                drive.http.request("UNLOCK", each.href, headers={"Lock-Token": f"<{token}>"})
        assert drive.delete(f"inbox/{listed.name}").is_success


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Assert that the Debian packages are there that only this folder needs."""
    assert INDEX_PLUGIN.exists(), "orthanc-postgresql is not installed: make test-packages"
    assert Path("/usr/lib/postgresql").is_dir(), "PostgreSQL is not installed: make test-packages"
    assert FAST_CLOCK["LD_LIBRARY_PATH"], "libfaketime is not installed: make test-packages"
