"""Fixtures of the real clients: each is connected once, and runs all operations."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.operations import OPERATIONS, Workspace
from tests.support import doors
from tests.support.clients import Client, ClientFailed, Connect, Unconnected
from tests.support.clients.commands import cadaver, curl, rclone
from tests.support.clients.gvfs import gio, gvfs_fuse
from tests.support.clients.libraries import node_webdav, webdavclient3
from tests.support.clients.mounts import davfs2, rclone_mount
from tests.support.doors import Door

# pytest finds fixtures by the names in a module.
process, standalone, door, server = doors.process, doors.standalone, doors.door, doors.server

CLIENTS: dict[str, Connect] = {
    "davfs2": davfs2(locks=False),
    "davfs2 with locks": davfs2(locks=True),
    "GVFS, gio": gio,
    "GVFS, FUSE": gvfs_fuse,
    "rclone": rclone,
    "rclone mount": rclone_mount,
    "cadaver": cadaver,
    "curl": curl,
    "webdavclient3": webdavclient3,
    "npm webdav": node_webdav(Path(__file__).parent / "node"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option that updates the tables in docs/clients.md instead of comparing them."""
    parser.addoption("--write-table", action="store_true", help="update the tables in docs/clients.md")


@dataclass(frozen=True, slots=True)
class ConnectedClient:
    """A client that is connected to the drive, and its workspace."""

    name: str
    client: Client
    workspace: Workspace


@pytest.fixture(scope="module", params=CLIENTS)
def connected(
    request: pytest.FixtureRequest, door: Door, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ConnectedClient]:
    """Each client in turn, connected to a drive that is prepared for all operations."""
    name: str = request.param
    workspace = Workspace(door, f"inbox/{door.name} {name}")
    assert door.drive.mkcol(workspace.folder).status_code == 201
    for operation in OPERATIONS.values():
        operation.prepare(workspace)
    with ExitStack() as stack:
        try:
            client = stack.enter_context(CLIENTS[name](door.url, tmp_path_factory.mktemp("client")))
        except ClientFailed as error:
            client = Unconnected(error)
        yield ConnectedClient(name, client, workspace)
