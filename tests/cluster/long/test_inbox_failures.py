"""The inbox of several Orthancs while a node is killed, or PostgreSQL restarted."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import HEALING, Cluster, Node
from tests.cluster.long.test_failures import stopped
from tests.support import dicom
from tests.support.webdav import WebDav


@pytest.mark.usefixtures("empty_inbox")
def test_killed(cluster: Cluster) -> None:
    """A node that is killed during uploads takes nothing acknowledged with it, and leaves nothing behind."""
    first, second = cluster.nodes
    stored: dict[str, bytes] = {}
    ended = threading.Event()

    def upload(thread: int) -> None:
        with WebDav(second.server.server_url, seconds=30) as drive:
            for number in range(10_000):
                path = f"inbox/{thread}-{number}"
                content = dicom.instance(path) if number % 3 == 0 else b"%d" % number * 700_000
                with suppress(httpx.TransportError):
                    if drive.put(path, content).is_success:
                        stored[path] = content
                        continue
                if ended.is_set():
                    return

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(upload, thread) for thread in range(4)]
        time.sleep(4)
        ended.set()
        second.server.kill()
        for each in running:
            each.result()
    assert len(stored) > 10, second.server.log_tail()
    for path, content in stored.items():
        assert first.second.get(path).content == content
    for listed in first.second.propfind("inbox")[1:]:  # those that were not acknowledged are whole, or not there
        assert len(first.second.http.get(listed.href).content) == listed.size
    _wait_for_end_of_transactions(cluster)
    assert (
        cluster.database.sql("SELECT count(*) FROM davfs_chunk WHERE content NOT IN (SELECT id FROM davfs_content)")
        == "0"
    )
    unused = (
        "SELECT count(*) FROM davfs_content WHERE id NOT IN (SELECT content FROM davfs_name WHERE content IS NOT NULL)"
    )
    assert cluster.database.sql(unused) == "0"
    _start_during_upload(first, second)
    assert not list(_spool(second).joinpath("incoming").iterdir())


def _wait_for_end_of_transactions(cluster: Cluster) -> None:
    """Wait until the server has noticed that a node is dead."""
    end = time.monotonic() + HEALING
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'davfs-inbox' AND state <> 'idle'"
    while cluster.database.sql(query) != "0":
        assert time.monotonic() < end
        time.sleep(0.1)


def _start_during_upload(first: Node, second: Node) -> None:
    """Start a node while the other one receives an upload, which has to be complete in the end."""

    def body() -> Iterator[bytes]:
        yield b"begin"
        second.server.start()
        yield b"end"

    assert first.second.http.put(first.second.href("inbox/slow"), content=body(), timeout=60).is_success
    assert second.second.get("inbox/slow").content == b"beginend"


def _spool(node: Node) -> Path:
    return next(node.server.folder.rglob("incoming")).parent


@pytest.mark.usefixtures("empty_inbox")
def test_database_restarted(cluster: Cluster) -> None:
    """Without PostgreSQL, writing is answered with 503; what was acknowledged is there when it is back."""
    first, second = cluster.nodes
    assert first.second.put("inbox/before", b"before").is_success
    with stopped(cluster):
        for node in cluster.nodes:
            for method in ("PUT", "MKCOL", "LOCK", "DELETE"):
                assert node.second.request(method, "inbox/before").status_code == httpx.codes.SERVICE_UNAVAILABLE
    for node in cluster.nodes:
        assert node.second.get("inbox/before").content == b"before"
        assert node.second.put("inbox/after", b"after").is_success
    assert set(second.second.listing("inbox")) >= {"before", "after"}
