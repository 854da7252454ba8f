"""The price of the audit trail: reads at both doors of two Orthancs, of which one records them."""

import json
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from bench.archive import fill, kept
from bench.connection import Connection, Question, WrongAnswer, question
from bench.cpu import cpu_seconds
from bench.figures import MET, Goal
from bench.places import children, wait_until_ready
from bench.results import Part
from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support.dicom import CT_IMAGE, instance

_SIZES = {"small image": 0, "CT image": CT_IMAGE}
"""Bytes of pixel data of the images, by the PatientID of those who have them."""
_IMAGES = 200
"""Images of each size."""
_A_MINUTE = 10_000
"""Reads in a minute."""
_SECONDS = 3.0
"""Seconds of a block."""
_GOAL = 0.05


@dataclass(frozen=True, slots=True)
class Price:
    """The CPU time of a read with and without the audit trail.

    Attributes:
        title: Where it is read.
        recorded: Seconds with it, the median over all blocks.
        plain: Seconds without it.
        ratios: In each round, by what share it took more with it.
    """

    HEADINGS: ClassVar[tuple[str, ...]] = ("", "CPU ms with it", "without", "costs %", "goal", "met")
    LEFT: ClassVar[frozenset[int]] = frozenset({0})

    title: str
    recorded: float
    plain: float
    ratios: Sequence[float]

    def row(self) -> tuple[str, ...]:
        """See `Figure`."""
        (goal,) = self.goals()
        shown = f"{100 * (self.recorded / self.plain - 1):.1f} ({min(self.ratios):.1%} to {max(self.ratios):.1%})"
        return (
            self.title,
            f"{self.recorded * 1000:.3f}",
            f"{self.plain * 1000:.3f}",
            shown,
            goal.wanted,
            MET[goal.met],
        )

    def goals(self) -> tuple[Goal, ...]:
        """See `Figure`."""
        cost = self.recorded / self.plain - 1
        return (Goal(f"{self.title}: costs", f"< {_GOAL:.0%}", f"{cost:.1%}", cost < _GOAL),)


@dataclass(frozen=True, slots=True)
class _Server:
    """One of the two Orthancs."""

    process: OrthancProcess
    files: dict[tuple[str, str], list[Question]]
    connections: dict[str, Connection]

    def block(self, place: tuple[str, str]) -> float:
        """Read at the pace of the goal, at a door images of a size; return the CPU seconds of a read."""
        client, files = self.connections[place[0]], self.files[place]
        number = int(_SECONDS * _A_MINUTE / 60)
        start, before = time.monotonic(), cpu_seconds([self.process.pid])
        for done in range(number):
            time.sleep(max(0.0, start + done * 60 / _A_MINUTE - time.monotonic()))
            client.ask(files[done % len(files)])
        return (cpu_seconds([self.process.pid]) - before) / number


def measure(part: Part, plugin: Path, folder: Path, rounds: int) -> None:
    """Measure the price at both doors.

    Args:
        part: Gets what is found.
        plugin: Its library.
        folder: Where archives are kept.
        rounds: Blocks of each door of each server.

    Raises:
        WrongAnswer: Orthanc does not answer rightly, or reads are not in the audit file.
    """
    with ExitStack() as stack:
        trail = folder / "audit.jsonl"
        trail.unlink(missing_ok=True)
        recording = _started(stack, plugin, kept(folder, "audit-on"), {"Audit": {"File": str(trail)}})
        plain = _started(stack, plugin, kept(folder, "audit-off"), {"Audit": False})
        for place in recording.files:
            found = [(recording.block(place), plain.block(place)) for _ in range(rounds + 1)][1:]
            with_it, without = (statistics.median(each) for each in zip(*found, strict=True))
            part.add(Price(": GET of a ".join(place), with_it, without, [one / two - 1 for one, two in found]))
        _check(trail, len(recording.files) * (rounds + 1) * int(_SECONDS * _A_MINUTE / 60))


def _started(stack: ExitStack, plugin: Path, folder: Path, settings: dict[str, object]) -> _Server:
    (port,) = free_ports(1)
    davfs = {"Server": {"Enabled": True, "Port": port}, **settings}
    process = stack.enter_context(OrthancProcess(folder, plugins=[plugin], davfs=davfs))
    core, own = (stack.enter_context(Connection(each)) for each in (process.http_port, port))
    numbers = range(1, _IMAGES + 1)
    contents = (instance(name, number=number, pixels=size) for name, size in _SIZES.items() for number in numbers)
    fill(core, contents, {"CountPatients": len(_SIZES), "CountInstances": len(_SIZES) * _IMAGES})
    wait_until_ready(own)
    roots = {"door 1": f"{urlsplit(process.drive_url).path}by-patient", "door 2": "/by-patient"}
    connections = dict(zip(roots, (core, own), strict=True))
    files = {
        (door, size): _files(connections[door], folder.href)
        for door, root in roots.items()
        for folder in children(connections[door], root)
        for size in _SIZES
        if size in folder.name
    }
    return _Server(process, files, connections)


def _files(connection: Connection, folder: str) -> list[Question]:
    """Return the requests that read a patient's images."""
    for _ in ("study", "series"):
        (below,) = children(connection, folder)
        folder = below.href
    return [question("GET", each.href, size=each.size) for each in children(connection, folder)]


def _check(trail: Path, expected: int) -> None:
    """Check that each read is in the audit file.

    Raises:
        WrongAnswer: Some are missing.
    """
    deadline = time.monotonic() + 5
    while (found := _reads(trail)) != expected:
        if time.monotonic() > deadline:
            raise WrongAnswer(f"the audit file has {found:,} reads instead of {expected:,}")
        time.sleep(0.5)


def _reads(trail: Path) -> int:
    return sum(json.loads(line)["action"] == "read" for line in trail.read_text().splitlines())
