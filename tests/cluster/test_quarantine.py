"""With a quarantine, what other Orthancs on the database have stored counts, too, and all show what was held."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from davfs.demo.process import OrthancProcess
from tests.cluster.conftest import node_server
from tests.support import cstore, dicom
from tests.support.drive import rest_client
from tests.support.postgresql import PostgresServer
from tests.support.waiting import eventually
from tests.support.webdav import WebDav

ERROR = 0xA900
QUARANTINE = {"Quarantine": {"Identity": True}}


@pytest.fixture(scope="module")
def nodes(
    plugin: Path, servers: list[OrthancProcess], database: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[OrthancProcess]]:
    """Two Orthancs with a quarantine."""
    folder = tmp_path_factory.mktemp("quarantine")
    with ExitStack() as stack:
        found: list[OrthancProcess] = []
        for name in "ab":
            server = stack.enter_context(node_server(folder / name, plugin, database, QUARANTINE))
            servers.append(server)
            stack.callback(servers.remove, server)
            found.append(server)
        assert eventually(lambda: all(stored(each, person("start", "FIRST^F")) == 0 for each in found))
        yield found


def person(patient: str, name: str, study: int = 1) -> bytes:
    """Return an instance."""
    return dicom.instance(patient, f"{name} {study}", tags={"PatientName": name})


def stored(server: OrthancProcess, content: bytes) -> int:
    """Send an instance by C-STORE; return its status."""
    return cstore.send(server.dicom_port, [content])[0]


def test_what_one_node_has_stored_is_known_to_the_others(nodes: list[OrthancProcess]) -> None:
    """Another person is held by the other node, too, a moment later; all show it, and any of them can let it in."""
    one, other = nodes
    assert stored(one, person("cluster", "DOE^JOHN")) == 0
    time.sleep(2)
    assert stored(other, person("cluster", "ROE^JANE")) == ERROR
    with WebDav(one.server_url) as drive:
        assert eventually(lambda: drive.status("inbox/quarantine/cluster") == 207)
        (name,) = (name for name in drive.listing("inbox/quarantine/cluster") if name.endswith(".dcm"))
        headers = {"Destination": drive.href(f"inbox/accepted/{name}")}
        source = f"inbox/quarantine/cluster/{name}"
        assert drive.request("MOVE", source, headers=headers).status_code == 201
    time.sleep(2)
    assert stored(other, person("cluster", "ROE^JANE", 2)) == 0
    with rest_client(other) as rest:
        assert rest.delete(f"/patients/{dicom.ids(person('cluster', 'ROE^JANE')).patient}").status_code == 200
