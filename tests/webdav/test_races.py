"""Two clients at once: the slower one is refused, and nothing acknowledged is lost."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Barrier

import pytest

from tests.support import doors
from tests.support.doors import Door
from tests.support.locking import lock
from tests.support.webdav import WebDav

process = doors.process
standalone = doors.standalone
server = doors.server
CLIENTS = 6
ROUNDS = 10
SECONDS = 20


class SlowUpload:
    """A PUT whose last byte waits for `finish`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def finish(self) -> int:
        """Send the last byte, and return the status."""
        self._connection.sendall(b"!")
        return int(self._connection.recv(64).split()[1])


@contextmanager
def uploading(drive: WebDav, path: str, content: bytes, *headers: str) -> Iterator[SlowUpload]:
    """Begin a PUT of some bytes and an exclamation mark; once this returns, the server has looked at its head."""
    head = [
        f"PUT {drive.href(path)} HTTP/1.1", f"Host: {drive.host}:{drive.port}", f"Content-Length: {len(content) + 1}",
        "Expect: 100-continue", *headers, "", "",
    ]  # fmt: skip
    with socket.create_connection((drive.host, drive.port), timeout=SECONDS) as connection:
        connection.sendall("\r\n".join(head).encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 100 ")
        connection.sendall(content)
        yield SlowUpload(connection)


def at_once(drive: WebDav, *jobs: Callable[[WebDav], int]) -> list[int]:
    """Do jobs at the same moment, each over a connection of its own, and return their results."""
    barrier = Barrier(len(jobs))

    def run(job: Callable[[WebDav], int]) -> int:
        with WebDav(f"http://{drive.host}:{drive.port}/") as own:
            own.options()
            barrier.wait(SECONDS)
            return job(own)

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def _put(path: str, content: bytes, drive: WebDav) -> int:
    return drive.put(path, content).status_code


def _lock(path: str, drive: WebDav) -> int:
    return lock(drive, path).status_code


def _take(method: str, path: str, headers: dict[str, str], drive: WebDav) -> int:
    return drive.request(method, path, headers=headers).status_code


def test_only_one_creates(server: Door) -> None:
    """Of two uploads that must not replace anything, the one that ends second is refused."""
    with uploading(server.drive, "inbox/created", b"slow", "If-None-Match: *") as slow:
        quick = server.drive.request("PUT", "inbox/created", content=b"quick", headers={"If-None-Match": "*"})
        assert quick.status_code == 201
        assert slow.finish() == 412
    assert server.drive.get("inbox/created").content == b"quick"


@pytest.mark.parametrize("header", ["If-Match: {}", "If: ([{}])"])
def test_nothing_new_is_overwritten(server: Door, header: str) -> None:
    """An upload with a condition on one version does not replace a later version."""
    server.drive.put("inbox/version", b"first")
    tag = server.drive.head("inbox/version").headers["ETag"]
    with uploading(server.drive, "inbox/version", b"slow", header.format(tag)) as slow:
        assert server.drive.put("inbox/version", b"quick").status_code == 204
        assert slow.finish() == 412
    assert server.drive.get("inbox/version").content == b"quick"


def test_nothing_comes_back(server: Door) -> None:
    """An upload with a condition on one version is refused if that version was deleted meanwhile."""
    server.drive.put("inbox/deleted", b"first")
    tag = server.drive.head("inbox/deleted").headers["ETag"]
    with uploading(server.drive, "inbox/deleted", b"slow", f"If-Match: {tag}") as slow:
        assert server.drive.delete("inbox/deleted").status_code == 204
        assert slow.finish() == 412
    assert server.drive.status("inbox/deleted") == 404


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
def test_only_one_takes_a_name(server: Door, method: str) -> None:
    """Of several MOVE and COPY requests to one free name without overwriting, one succeeds."""
    for round_ in range(ROUNDS):
        target = f"inbox/{method}-{round_}"
        headers = {"Destination": server.drive.href(target), "Overwrite": "F"}
        for number in range(CLIENTS):
            server.drive.put(f"inbox/source-{number}", b"%d" % number)
        takers = [partial(_take, method, f"inbox/source-{number}", headers) for number in range(CLIENTS)]
        statuses = at_once(server.drive, *takers)
        assert sorted(statuses) == [201, *[412] * (CLIENTS - 1)]
        assert server.drive.get(target).content == b"%d" % statuses.index(201)
        server.drive.delete(target)


def test_lock_keeps_an_upload(server: Door) -> None:
    """A lock on a free name creates an empty file, and does not empty a faster upload."""
    for round_ in range(ROUNDS):
        path = f"inbox/new-{round_}"
        _, status = at_once(server.drive, partial(_lock, path), partial(_put, path, b"content"))
        if status in (201, 204):
            assert server.drive.get(path).content == b"content"


def test_last_upload_stays(server: Door) -> None:
    """Of concurrent uploads of one name, one is kept complete, with its date and size."""
    for round_ in range(ROUNDS):
        contents = [bytes([number]) * 50_000 * number for number in range(CLIENTS)]
        at_once(server.drive, *(partial(_put, "inbox/same", content) for content in contents))
        answer = server.drive.get("inbox/same")
        assert answer.content in contents, round_
        assert server.drive.listing("inbox")["same"].size == len(answer.content)
