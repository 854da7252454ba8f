"""The trash of two nodes: a client whose requests reach one and the other makes one entry, which both restore."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from davfs.demo.process import OrthancProcess
from tests.cluster.conftest import WAIT, Node, node_server
from tests.support import dicom
from tests.support.drive import place, rest_client
from tests.support.postgresql import PostgresServer
from tests.support.webdav import WebDav

IMAGES = {
    place("both", study, 1, number): dicom.instance("both", study, 1, number) for study in (1, 2) for number in (1, 2)
}


@pytest.fixture(scope="module")
def nodes(
    plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Node]]:
    """Two nodes on a database of their own, where what is deleted goes into the trash."""
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        database, found = stack.enter_context(PostgresServer()), list[Node]()
        for name in ("a", "b"):
            server = stack.enter_context(node_server(folder / name, plugin, database, {"DeleteForGood": False}))
            servers.append(server)
            stack.callback(servers.remove, server)
            urls = server.drive_url, server.server_url
            drive, second = (stack.enter_context(WebDav(url, seconds=WAIT)) for url in urls)
            found.append(Node(server, stack.enter_context(rest_client(server)), drive, second))
        for content in IMAGES.values():
            found[0].rest.post("/instances", content=content).raise_for_status()
        yield found


def drives(nodes: list[Node]) -> list[WebDav]:
    """Return all drives."""
    return [drive for node in nodes for drive in (node.drive, node.second)]


def assert_shown(nodes: list[Node]) -> None:
    """Assert that all drives show all images."""
    for drive in drives(nodes):
        assert {path: drive.get(path).content for path in IMAGES} == IMAGES


def test_one_folder(nodes: list[Node]) -> None:
    """What one node deletes is hidden at the other at once, and restored by it."""
    for one, other in (nodes, reversed(nodes)):
        assert_shown(nodes)
        assert one.second.delete("by-patient/Doe both (both)").status_code == 204
        for drive in drives(nodes):
            assert all(drive.get(path).status_code == 404 for path in IMAGES)
            assert list(drive.listing("by-patient")) == []
        ((entry, _),) = other.second.listing("trash").items()
        headers = {"Destination": other.second.href(f"by-patient/{entry}")}
        assert other.second.request("MOVE", f"trash/{entry}", headers=headers).status_code == 201
    assert_shown(nodes)


def test_file_by_file(nodes: list[Node]) -> None:
    """Requests that reach one node and the other in turn end with one entry: that of the folder."""
    folders = sorted({path.rsplit("/", depth)[0] for path in IMAGES for depth in (1, 2, 3)}, key=len, reverse=True)
    for number, path in enumerate([*IMAGES, *folders]):
        assert nodes[number % 2].second.delete(path).status_code == 204, path
    for node in nodes:
        ((entry, _),) = node.second.listing("trash").items()
        assert entry.endswith(" Doe both (both)")
        assert "2 studies, 2 series, 4 images" in node.second.get(f"trash/{entry}/deleted.txt").text
    answer = nodes[1].second.http.get("/davfs-api/trash").json()
    assert nodes[0].second.http.post(f"/davfs-api/trash/{answer[0]['id']}/restore").status_code == 204
    assert_shown(nodes)
