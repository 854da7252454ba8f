"""PostgreSQL is gone, or hangs: the drive shows what it knows, takes nothing, and is right again by itself."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.cluster.conftest import HEALING, Cluster
from tests.support import dicom
from tests.support.postgresql import PostgresServer
from tests.support.webdav import WebDav

NOTICED = 6.0
"""Seconds within which a drive notices that its database hangs: three without an answer, and some between two looks."""
QUICK = 1.0
"""Seconds within which each request is answered then, on a busy machine: without this they take ten or more."""
CLIENTS = 60


@contextmanager
def stopped(database: PostgresServer) -> Iterator[None]:
    """Stop PostgreSQL as a crash does, and start it again."""
    database.stop(immediate=True)
    try:
        yield
    finally:
        database.start()


@contextmanager
def frozen(database: PostgresServer) -> Iterator[None]:
    """Have PostgreSQL hang, with all connections open, and go on again."""
    database.freeze()
    try:
        yield
    finally:
        database.thaw()


def file_of(patient: str) -> str:
    """Return the path of the only file of a patient."""
    return f"by-patient/Doe {patient} ({patient})/no date no description/001 OT no description/00001.dcm"


def walk(drive: WebDav, path: str) -> dict[str, object]:
    """Return all that is below a folder."""
    found: dict[str, object] = {}
    for name, resource in drive.listing(path).items():
        found[f"{path}/{name}"] = None
        if resource.is_folder:
            found |= walk(drive, f"{path}/{name}")
    return found


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("gone", [stopped, frozen])
def test_outage(cluster: Cluster, gone: Callable[[PostgresServer], Iterator[None]]) -> None:
    """What was listed is listed on, at both doors; files and uploads get 503 at once; then all is as it should be."""
    node, other = cluster.nodes
    for patient in ("a", "b", "c"):
        assert node.rest.post("/instances", content=dicom.instance(patient)).is_success
    drives = (node.drive, node.second, other.drive, other.second)
    before = walk(node.drive, "by-patient")
    assert all(walk(drive, "by-patient") == before for drive in drives)
    file = next(path for path in before if path.endswith(".dcm"))
    with gone(cluster.database):  # type: ignore[attr-defined]
        time.sleep(NOTICED)
        for drive in drives:
            started = time.monotonic()
            assert walk(drive, "by-patient") == before
            assert time.monotonic() - started < len(before) * QUICK
            for answer in (
                drive.get(file),
                drive.put("inbox/d.dcm", dicom.instance("d")),
                drive.delete("by-patient/Doe a (a)"),
            ):
                assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
                assert answer.elapsed.total_seconds() < QUICK
                assert drive in (node.drive, other.drive) or answer.headers["Retry-After"]
    end = time.monotonic() + HEALING
    while not all(drive.get(file).is_success for drive in drives):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert all(walk(drive, "by-patient") == before for drive in drives)
    assert node.second.put("inbox/d.dcm", dicom.instance("d")).is_success
    assert "Doe d (d)" in other.drive.listing("by-patient")


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("gone", [stopped, frozen])
def test_busy(cluster: Cluster, gone: Callable[[PostgresServer], Iterator[None]]) -> None:
    """However many requests were under way when the database went, the drive answers the next ones."""
    node = cluster.nodes[0]
    assert node.rest.post("/instances", content=dicom.instance("a")).is_success
    before = walk(node.second, "by-patient")
    running = [True]

    def hammer(url: str) -> None:
        with WebDav(url, seconds=60) as drive:
            while running[0]:
                try:
                    drive.status("by-patient")
                except httpx.HTTPError:
                    time.sleep(0.1)

    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(CLIENTS):
            pool.submit(hammer, (node.server.drive_url, node.server.server_url)[number % 2])
        time.sleep(2)
        try:
            with gone(cluster.database):  # type: ignore[attr-defined]
                time.sleep(NOTICED)
                for drive in (node.second, node.drive):
                    started = time.monotonic()
                    assert walk(drive, "by-patient") == before
                    assert time.monotonic() - started < len(before) * QUICK
        finally:
            running[0] = False
