"""Grows an archive from 1,000 studies to 100,000, and sees whether the drive takes longer for the same request."""

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import ClassVar

from bench import sites
from bench.connection import Connections, Question
from bench.cpu import cpu_seconds
from bench.figures import MET, Goal, spread
from bench.race import Block, Race, Walk, blocks, rotations
from bench.races import DRIVE, REST, WEBDAV
from bench.results import Part
from bench.second_door import DOOR
from bench.sites import Site

FLAT = 1.3
"""How many times as long a request may take in the largest archive as in the smallest."""
READY = 2.0
"""Seconds after which the drive has to be ready."""
ENTRY = {DRIVE: 12e-6, DOOR: 8e-6, WEBDAV: None}
"""Seconds for each entry of the folder of all patients, by who lists it."""
WHO = tuple(ENTRY)
_ROUNDS, _STARTS = 8, 3
_REQUESTS = {DRIVE: 10, DOOR: 10, REST: 10, WEBDAV: 2}


@dataclass(frozen=True, slots=True)
class Trend:
    """The same request in archives of several sizes.

    Attributes:
        title: What was done.
        who: Who did it.
        studies: Number of studies of each archive, the smallest first.
        seconds: For one request, the median over all blocks, in each archive.
        cpu: Seconds of CPU time that the server used for it.
        ratios: In each round, how many times as long the largest took as the smallest.
        goal: What the median of the ratios may be at most; None for no goal.
        within: Seconds that it may take in the largest archive; None for no goal.
    """

    HEADINGS: ClassVar[tuple[str, ...]] = (
        "",
        "who",
        "ms, by size",
        "CPU ms, by size",
        "times as long in the largest",
        *("goal", "met"),
    )
    LEFT: ClassVar[frozenset[int]] = frozenset({0, 1})

    title: str
    who: str
    studies: Sequence[int]
    seconds: Sequence[float]
    cpu: Sequence[float]
    ratios: Sequence[float]
    goal: float | None
    within: float | None

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)

    def row(self) -> tuple[str, ...]:
        """See `Figure`."""
        goals = self.goals()
        return (
            self.title,
            self.who,
            *(" / ".join(f"{each * 1000:.3f}" for each in some) for some in (self.seconds, self.cpu)),
            spread(self.ratios),
            ", ".join(goal.wanted for goal in goals),
            MET[all(goal.met for goal in goals) if goals else None],
        )

    def goals(self) -> tuple[Goal, ...]:
        """See `Figure`."""
        found, what = [], f"{self.who}: {self.title}"
        if self.goal is not None:
            sizes = f"times as long with {self.studies[-1]:,} studies as with {self.studies[0]:,}"
            found.append(Goal(f"{what}: {sizes}", f"<= {self.goal:g}", f"{self.ratio:.2f}", self.ratio <= self.goal))
        if self.within is not None:
            wanted, taken = (f"{seconds * 1000:.4g} ms" for seconds in (self.within, self.seconds[-1]))
            found.append(Goal(what, f"<= {wanted}", taken, self.seconds[-1] <= self.within))
        return tuple(found)


def measure(part: Part, plugin: Path, parent: Path, sizes: Sequence[int]) -> None:
    """Measure starts, and then requests to one Orthanc for each size.

    Args:
        part: Gets what is found.
        plugin: The plugin's library.
        parent: Where the archives are kept; those that are missing are made.
        sizes: Numbers of studies, the smallest first.

    Raises:
        OrthancFailed: Orthanc did not start.
        WrongAnswer: It did not answer as it has to.
    """
    for size in sizes:
        sites.fill(parent, size)
    part.add(_trend("start until the drive is ready", "Orthanc", _starts(plugin, parent, sizes), within=READY))
    part.add(_trend("start without the plugin", "Orthanc", _starts(None, parent, sizes)))
    with ExitStack() as stack:
        running = [stack.enter_context(sites.running(plugin, parent, size)) for size in sizes]
        client = stack.enter_context(Connections([port for site in running for port in site.ports]))
        for who in WHO:
            for title, walks in _places(running, who).items():
                part.add(_requests(f"{title}, one after the other", who, walks, running, client))
        for (title, asked), who in product(sites.REQUESTS, (DRIVE, DOOR, REST)):
            walks = {site.size: partial(asked, who, site) for site in running}
            part.add(_requests(title, who, walks, running, client))
        for site in running:
            sites.clear(site)
        part.add(*(_roots(who, limit, running, client) for who, limit in ENTRY.items()))


def _starts(library: Path | None, parent: Path, sizes: Sequence[int]) -> dict[int, list[Block]]:
    found: dict[int, list[Block]] = {size: [] for size in sizes}
    for order in rotations(sizes, _STARTS + 1):
        for size in order:
            began = time.monotonic()
            with sites.running(library, parent, size) as site:
                found[size].append(Block(time.monotonic() - began, cpu_seconds([site.orthanc.pid])))
    return {size: some[1:] for size, some in found.items()}  # the first may have had to index the archive


def _places(running: Iterable[Site], who: str) -> dict[str, dict[int, Walk]]:
    """Return what is asked for, by its title and the size of the archive."""
    found = {site.size: sites.places(site, who) for site in running}
    titles = next(iter(found.values()))
    return {title: {size: _walk(some[title]) for size, some in found.items()} for title in titles}


def _walk(questions: Sequence[Question]) -> Walk:
    return lambda turn: questions[turn % len(questions)]


def _requests(title: str, who: str, walks: Mapping[int, Walk], running: Iterable[Site], client: Connections) -> Trend:
    goal = FLAT if who in ENTRY and who != WEBDAV else None
    return _trend(title, who, _raced(walks, running, client, _REQUESTS[who], _ROUNDS), goal)


def _roots(who: str, within: float | None, running: Sequence[Site], client: Connections) -> Trend:
    """List all patients; what counts is the time for each of them."""
    walks = {site.size: _walk([sites.root(site, who)]) for site in running}
    found, patients = _raced(walks, running, client, 1, _STARTS), {site.size: site.patients for site in running}
    each = {
        size: [Block(block.seconds / patients[size], block.cpu / patients[size]) for block in some]
        for size, some in found.items()
    }
    return _trend("list all patients, for each of them", who, each, within=within)


def _raced(
    walks: Mapping[int, Walk], running: Iterable[Site], client: Connections, requests: int, rounds: int
) -> dict[int, list[Block]]:
    """Have the archives take turns."""
    processes = {str(site.size): [site.orthanc.pid] for site in running}
    race = Race("", {str(size): walk for size, walk in walks.items()}, requests=requests, rounds=rounds)
    return {int(size): some for size, some in blocks(race, client, processes).items()}


def _trend(
    title: str,
    who: str,
    found: Mapping[int, Sequence[Block]],
    goal: float | None = None,
    within: float | None = None,
) -> Trend:
    first, *_, last = found.values()
    return Trend(
        title,
        who,
        studies=list(found),
        seconds=[statistics.median(block.seconds for block in some) for some in found.values()],
        cpu=[statistics.median(block.cpu for block in some) for some in found.values()],
        ratios=[large.seconds / small.seconds for small, large in zip(first, last, strict=True)],
        goal=goal,
        within=within,
    )
