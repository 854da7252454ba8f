"""Other WebDAV servers, over a folder on the disk that looks like by-patient/ of the drive; and ``davfs serve``."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.archive import CT_PATIENT, Archive
from bench.connection import Connection, WrongAnswer
from bench.places import children, wait_until_ready
from davfs.demo.ports import LOOPBACK, free_ports, is_taken

_SECONDS = 30
_TOP = "/by-patient"


@dataclass(frozen=True, slots=True)
class Peer:
    """A server.

    Attributes:
        port: Its TCP port.
        process: The id of its process.
    """

    port: int
    process: int


def mirror(connection: Connection, folder: Path, archive: Archive, files: Sequence[bytes]) -> None:
    """Make folders and files with the names that door 2 shows, unless an earlier run did.

    Args:
        connection: Asks door 2.
        folder: Where to make them.
        archive: What must be there.
        files: Contents of the first files of the big series; the others get their size alone, which a listing needs.
    """
    if folder.is_dir():
        return
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for patient in children(connection, _TOP):
        made = unfinished / _TOP.strip("/") / patient.name
        made.mkdir(parents=True)
        if CT_PATIENT in patient.name:
            _mirror_series(connection, patient.href, made, archive, files)
    unfinished.rename(folder)


def _mirror_series(connection: Connection, patient: str, made: Path, archive: Archive, files: Sequence[bytes]) -> None:
    (study,) = children(connection, patient)
    (series,) = children(connection, study.href)
    target = made / study.name / series.name
    target.mkdir(parents=True)
    images = children(connection, series.href)
    if len(images) != archive.images:
        raise WrongAnswer(f"the series has {len(images)} images instead of {archive.images}")
    for number, image in enumerate(images):
        if number < len(files):
            (target / image.name).write_bytes(files[number])
        else:
            with (target / image.name).open("wb") as file:
                file.truncate(image.size)


@contextmanager
def rclone(folder: Path) -> Iterator[Peer]:
    """Serve a folder with rclone.

    Raises:
        WrongAnswer: It does not start.
    """
    (port,) = free_ports(1)
    command = ["rclone", "serve", "webdav", "--addr", f"{LOOPBACK}:{port}", "--config", os.devnull, str(folder)]
    with _running(command, port) as peer:
        yield peer


@contextmanager
def wsgidav(folder: Path) -> Iterator[Peer]:
    """Serve a folder with WsgiDAV as it comes.

    Raises:
        WrongAnswer: It does not start.
    """
    (port,) = free_ports(1)
    with _running([sys.executable, str(Path(__file__).with_name("stock.py")), str(folder), str(port)], port) as peer:
        yield peer


@contextmanager
def davfs(folder: Path, orthanc: str, *options: str) -> Iterator[Peer]:
    """Serve the drive of an Orthanc beside it.

    Args:
        folder: Where it keeps its state.
        orthanc: Orthanc's address.
        options: Further options of ``davfs serve``.

    Raises:
        WrongAnswer: It does not start.
    """
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "davfs", "serve", "--orthanc", orthanc, "--port", str(port), *options]
    with _running(command, port, {"XDG_STATE_HOME": str(folder)}) as peer, Connection(port) as connection:
        wait_until_ready(connection)
        yield peer


@contextmanager
def _running(command: Sequence[str], port: int, variables: Mapping[str, str] | None = None) -> Iterator[Peer]:
    """Run a program that listens on a port."""
    process = subprocess.Popen(  # noqa: S603 - ours
        command, env=os.environ | dict(variables or {}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + _SECONDS
        while not is_taken(port):
            if process.poll() is not None or time.monotonic() > end:
                raise WrongAnswer(f"{command[0]} did not start")
            time.sleep(0.05)
        yield Peer(port, process.pid)
    finally:
        process.terminate()
        process.wait(_SECONDS)
