"""A node dies, or the database is restarted, while others work on."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from tests.cluster.conftest import HEALING, Cluster
from tests.cluster.test_cluster import (
    FOLLOWED,
    MULTI_STATUS,
    Archive,
    Study,
    Turns,
    by_rest,
    delete_by_rest,
    healed,
)
from tests.support import dicom
from tests.support.webdav import WebDav

CLIENTS = 50
BEFORE, AFTER = 5.0, 10.0
"""Seconds for which clients work before a node dies, and after."""


@pytest.fixture
def archive(empty: None) -> Archive:  # noqa: ARG001  it shows nothing
    """An empty archive, which both nodes show."""
    return Archive()


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    """Stop PostgreSQL, and start it again at the end of the block; then both Orthancs have to answer."""
    cluster.database.stop()
    yield
    cluster.database.start()
    for node in cluster.nodes:
        healed(node)


def test_database_restarted(cluster: Cluster, archive: Archive) -> None:
    """A database that comes back is followed again without a restart of Orthanc; its loss is one line in the log."""
    turns = Turns(cluster, archive)
    for _ in range(10):
        turns.take(turns.any_node())
    before = [node.server.log.read_text() for node in cluster.nodes]
    with stopped(cluster):
        time.sleep(5)
    for node in cluster.nodes:
        archive.soon(node.drive, HEALING)
    for node, earlier in zip(cluster.nodes, before, strict=True):
        end = time.monotonic() + HEALING
        while (new := node.server.log.read_text()[len(earlier) :]).count(f"{FOLLOWED} again") != 1:
            assert time.monotonic() < end, new
            time.sleep(0.1)
        assert new.count("davfs: the drive cannot follow Orthanc's database") == 1, new
        assert "the catalog could not be updated" not in new
    for _ in range(10):
        turns.take(turns.any_node())


def change(cluster: Cluster, archive: Archive) -> None:
    """Delete a study through the first node; label another one, where this Orthanc has labels."""
    node, (gone, labelled, *_) = cluster.nodes[0], list(archive.studies.values())
    del archive.studies[gone.number]
    delete_by_rest(node, gone)
    if cluster.has_labels:
        labelled.labels ^= {"urgent"}
        method = "PUT" if labelled.labels else "DELETE"
        assert node.rest.request(method, f"/studies/{labelled.id}/labels/urgent").is_success


def filled(cluster: Cluster, archive: Archive, count: int) -> None:
    """Store studies, which all nodes show then."""
    for number in range(1, count + 1):
        archive.studies[number] = Study(number)
        by_rest(cluster.nodes[0], archive.studies[number])
    for node in cluster.nodes:
        archive.soon(node.drive)


def test_changes_without_a_connection(cluster: Cluster, archive: Archive) -> None:
    """What is deleted or labelled while a drive has lost its connection shows within the bound, too."""
    filled(cluster, archive, 6)
    for _ in range(4):
        cluster.database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^davfs '"
        )
        change(cluster, archive)
        for node in cluster.nodes:
            archive.soon(node.drive)
            archive.at_once(node.drive)


def test_changes_before_the_start(cluster: Cluster, archive: Archive) -> None:
    """What is deleted or labelled while a node is down shows within the bound once it follows the database again."""
    filled(cluster, archive, 4)
    second = cluster.nodes[1]
    for _ in range(2):
        second.server.kill()
        change(cluster, archive)
        second.server.start()
        end = time.monotonic() + HEALING
        while FOLLOWED not in second.server.log.read_text():
            assert time.monotonic() < end, second.server.log_tail()
            time.sleep(0.05)
        archive.soon(second.drive)
        archive.at_once(second.drive)


@dataclass
class Work:
    """What all clients did.

    Attributes:
        stored: Patients whose file was acknowledged.
        failed: Start and end of each request that failed.
        wrong: Wrong answers.
        ended: Set when clients are to end.
    """

    stored: deque[str] = field(default_factory=deque)
    failed: deque[tuple[float, float]] = field(default_factory=deque)
    wrong: deque[str] = field(default_factory=deque)
    ended: threading.Event = field(default_factory=threading.Event)


def work(number: int, drive: WebDav, shared: Work) -> None:
    """Upload files, and look at them; each answer is right, or an error."""
    count = 0
    while not shared.ended.is_set():
        count += 1
        patient = f"c{number}x{count}"
        started = time.monotonic()
        try:
            stored = drive.put(f"inbox/{patient}.dcm", dicom.instance(patient)).is_success
            found = drive.status(f"by-patient/Doe {patient} ({patient})") if stored else 0
        except httpx.HTTPError:
            stored, found = False, 0
        if stored:
            shared.stored.append(patient)
        if found == httpx.codes.NOT_FOUND:
            shared.wrong.append(patient)
        if found != MULTI_STATUS:
            shared.failed.append((started, time.monotonic()))


@pytest.mark.timeout(600)
def test_node_dies(cluster: Cluster, archive: Archive) -> None:
    """Fifty clients go on through nginx while a node dies: no wrong answer, nothing acknowledged lost.

    Errors are the answers to requests that were under way when it died, and no others.
    """
    shared, dying = Work(), cluster.nodes[1]
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [WebDav(str(cluster.second.http.base_url), seconds=60) for _ in range(CLIENTS)]
        done = [pool.submit(work, number, client, shared) for number, client in enumerate(clients)]
        time.sleep(BEFORE)
        died = time.monotonic()
        dying.server.kill()
        time.sleep(AFTER)
        shared.ended.set()
        for each in done:
            each.result()
    for client in clients:
        client.http.close()
    dying.server.start()
    assert not shared.wrong
    late = [(started - died, ended - died) for started, ended in shared.failed if not started <= died <= ended]
    assert not late, late
    expected = {f"Doe {patient} ({patient})" for patient in shared.stored}
    assert len(expected) > CLIENTS
    for node in cluster.nodes:
        end = time.monotonic() + HEALING
        while not expected <= set(node.drive.listing("by-patient")):
            assert time.monotonic() < end
            time.sleep(0.2)
    archive.studies.clear()
