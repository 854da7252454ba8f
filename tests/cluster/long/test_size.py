"""Deletions and labels through another Orthanc show within the bound, however large the archive is."""

import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from davfs.demo.process import OrthancProcess
from tests.cluster.conftest import INDEX_PLUGIN, WAIT, node_server
from tests.cluster.test_cluster import BOUND, LABELS, MULTI_STATUS
from tests.support.drive import rest_client
from tests.support.orthanc_server import OrthancServer
from tests.support.postgresql import PostgresServer
from tests.support.postgresql_archive import day_of, fill, study_id
from tests.support.webdav import WebDav

STUDIES = int(os.environ.get("TEST_STUDIES", "2000"))
CHANGES = 12


def seconds_until(condition: Callable[[], bool]) -> float:
    """Wait until a condition holds, and return the seconds that it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + WAIT
        time.sleep(0.01)
    return time.monotonic() - started


def wait_for_index(server: OrthancServer) -> float:
    """Wait until the first index is complete, and return the seconds since now."""
    started = time.monotonic()
    while httpx.get(f"{server.server_url}davfs-api/ready", timeout=WAIT).status_code != httpx.codes.OK:
        assert server.running
        time.sleep(0.5)
    return time.monotonic() - started


def change(rest: httpx.Client, drive: WebDav, number: int) -> dict[str, float]:
    """Label a study, where this Orthanc has labels, and delete it; return the seconds until that showed."""
    study, path, taken = f"/studies/{study_id(number)}", f"by-date/{day_of(number):%Y/%Y-%m/%Y-%m-%d}", {}
    assert drive.status(path) == MULTI_STATUS
    if rest.get(f"{study}/labels").is_success:
        label = f"{LABELS[0]}{number}"
        assert rest.put(f"{study}/labels/{label}").is_success
        taken["labelled"] = seconds_until(lambda: drive.status(f"by-label/{label}") == MULTI_STATUS)
    assert rest.delete(study).is_success
    taken["deleted"] = seconds_until(lambda: drive.status(path) == httpx.codes.NOT_FOUND)
    return taken


@pytest.mark.timeout(0)
def test_size(
    plugin: Path, servers: list[OrthancProcess], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The other Orthanc has no plugin: PostgreSQL itself tells the drive. TEST_STUDIES is the number of studies."""
    with ExitStack() as stack:
        database = stack.enter_context(PostgresServer())
        settings = {"PostgreSQL": database.section, "StorageDirectory": str(tmp_path / "storage")}
        other = stack.enter_context(OrthancServer(tmp_path / "a", plugins=[INDEX_PLUGIN], settings=settings))
        fill(database, STUDIES)
        layouts = {"Layouts": ["by-date", "by-label"]}
        server = stack.enter_context(node_server(tmp_path / "b", plugin, database, layouts))
        servers.append(server)
        stack.callback(servers.remove, server)
        record_property("ready", wait_for_index(server))
        rest, drive = stack.enter_context(rest_client(other)), stack.enter_context(WebDav(server.drive_url))
        chosen = random.Random(1).sample(range(1, STUDIES), CHANGES)  # noqa: S311  no secret
        taken = [change(rest, drive, number) for number in chosen]
    for kind in taken[0]:
        seconds = sorted(round(each[kind], 2) for each in taken)
        record_property(kind, seconds)
        assert seconds[-1] < BOUND, seconds
