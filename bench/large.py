"""One large multi-frame instance: it passes through ``davfs serve`` without being held in memory, and how fast?"""

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPResponse
from pathlib import Path

from bench import peers
from bench.archive import CT_PATIENT, Archive
from bench.connection import SECONDS, Connection, Question, WrongAnswer, question
from bench.memory import Growth, Memory
from bench.places import find, rest_files, wait_for_index
from bench.race import Race, run, walks
from bench.races import REST
from bench.results import Part
from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.support import large

ALONE, PLUGIN = "davfs serve", "plugin"
LIMIT = 64 << 20
"""Bytes by which ``davfs serve`` may grow."""
_RANGE = 16 << 20
_BLOCK = 1 << 20
_ROUNDS = 2
_ROOT = "/by-patient"
_ARCHIVE = Archive(patients=0, images=1)  # nothing but the first image of the big series, which is large here


def measure(part: Part, plugin: Path, folder: Path, megabytes: int) -> None:
    """Download the instance from ``davfs serve`` beside an Orthanc without the plugin, and from its peers.

    Args:
        part: Gets what is found.
        plugin: The plugin's library.
        folder: Where two Orthancs keep the instance, one with the plugin and one without.
        megabytes: Size of its pixels.

    Raises:
        OrthancFailed: Orthanc did not start.
        WrongAnswer: A server did not answer as it has to, or took too much memory.
    """
    (door,) = free_ports(1)
    server = {"Server": {"Enabled": True, "Port": door}}
    with ExitStack() as stack:
        core = stack.enter_context(OrthancProcess(folder / "alone"))
        other = stack.enter_context(OrthancProcess(folder / "plugin", plugins=[plugin], davfs=server))
        expected = {_filled(each.http_port, folder, megabytes) for each in (core, other)}
        serve = stack.enter_context(peers.davfs(folder / "serve", core.url))
        (rest,) = rest_files(_ARCHIVE)
        alone = _found(serve.port)
        files = {
            ALONE: alone,
            PLUGIN: _found(door),
            REST: replace(rest, port=core.http_port, size=alone.size),
        }
        title = f"{ALONE}: GET {megabytes:,} MB"
        grown = _growths(part, title, files[ALONE], serve.process, expected)
        contestants = {name: [each] for name, each in files.items()}
        processes = {ALONE: [serve.process, core.pid], PLUGIN: [other.pid], REST: [core.pid]}
        part.add(*run(Race(title, walks(contestants), requests=1, rounds=_ROUNDS), Download(expected), processes))
    if not all(each.met for each in grown):
        raise WrongAnswer(f"the memory of {ALONE} grew by {LIMIT >> 20} MB or more")


def _filled(orthanc: int, folder: Path, megabytes: int) -> str:
    """Import the instance unless an earlier run did, and return its MD5 as Orthanc computed it when it arrived.

    Raises:
        WrongAnswer: Orthanc refuses it, or received something else.
    """
    instance = f"/instances/{_ARCHIVE.image_id(1)}"
    with Connection(orthanc) as connection:
        connection.ask(question("GET", "/statistics"))
        sent = None if json.loads(connection.body)["CountInstances"] else _import(connection, folder, megabytes)
        connection.ask(question("GET", f"{instance}/attachments/dicom/md5"))
        stored = connection.body.decode()
    if sent not in {None, stored}:
        raise WrongAnswer(f"Orthanc received a file with MD5 {stored} instead of {sent}")
    return stored


def _import(connection: Connection, folder: Path, megabytes: int) -> str:
    print(f"filling Orthanc with an instance of {megabytes:,} MB", flush=True)
    made = folder / "large.dcm"
    large.write(made, megabytes * (1 << 20) // large.FRAME, patient=CT_PATIENT)
    try:
        content = made.read_bytes()
        connection.ask(question("POST", "/instances", body=content))
        return hashlib.md5(content, usedforsecurity=False).hexdigest()
    finally:
        made.unlink()


def _found(port: int) -> Question:
    """Return the request that fetches the instance from a drive, once that shows it."""
    with Connection(port) as connection:
        wait_for_index(connection, _ROOT, _ARCHIVE)
        (file,) = find(connection, _ROOT, _ARCHIVE).files
    return replace(file, port=port)


def _growths(part: Part, title: str, whole: Question, process: int, expected: set[str]) -> list[Growth]:
    """Fetch the instance at once and then by ranges in their order, and see what that does to a process's memory."""
    memory, found = Memory(process), []
    for how, questions in (("whole", [whole]), (f"by ranges of {_RANGE >> 20} MB", list(_ranges(whole)))):
        _check(f"{ALONE}, {how}", questions, expected)
        found.append(Growth(f"{title}, {how}", memory.growth(), LIMIT))
        part.add(found[-1])
    return found


def _ranges(whole: Question) -> Iterator[Question]:
    assert whole.size is not None
    for start in range(0, whole.size, _RANGE):
        stop = min(start + _RANGE, whole.size)
        head = whole.head.removesuffix(b"\r\n") + f"Range: bytes={start}-{stop - 1}\r\n\r\n".encode()
        yield replace(whole, head=head, status=206, size=stop - start)


def _check(what: str, questions: Sequence[Question], expected: set[str]) -> None:
    """Put the answers together, and check the MD5 of what comes out.

    Raises:
        WrongAnswer: It is not the instance.
    """
    digest, room = hashlib.md5(usedforsecurity=False), memoryview(bytearray(_BLOCK))
    for each in questions:
        _read(each, room, digest.update)
    if {digest.hexdigest()} != expected:
        raise WrongAnswer(f"{what}: MD5 {digest.hexdigest()} instead of {' or '.join(expected)}")


class Download:
    """A `Client` that keeps nothing of an answer, and opens a connection for each.

    The first answer of each server is checked by its MD5 too, which costs time: a race does not count it.

    Args:
        expected: The MD5 that each file has to have.
    """

    def __init__(self, expected: set[str]) -> None:
        self._expected = expected
        self._checked: set[int] = set()
        self._room = memoryview(bytearray(_BLOCK))

    def open(self) -> None:
        """See `Client`."""

    def ask(self, asked: Question) -> float:
        """See `Client`."""
        start = time.perf_counter()
        if asked.port in self._checked:
            _read(asked, self._room, len)
        else:
            _check(str(asked), [asked], self._expected)
            self._checked.add(asked.port)
        return time.perf_counter() - start

    def close(self) -> None:
        """See `Client`."""


def _read(asked: Question, room: memoryview, take: Callable[[memoryview], object]) -> None:
    """Send a request, and hand over the body of the answer, block by block.

    Raises:
        WrongAnswer: Status or length are not as they have to be.
    """
    size = 0
    with socket.create_connection((LOOPBACK, asked.port), SECONDS) as source:
        source.sendall(asked.head)
        with HTTPResponse(source, method="GET") as answer:
            answer.begin()
            while count := answer.readinto(room):
                take(room[:count])
                size += count
    if (answer.status, size) != (asked.status, asked.size):
        raise WrongAnswer(f"{asked}: status {answer.status} and {size} bytes instead of {asked.size}")
