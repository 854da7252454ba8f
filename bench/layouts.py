"""All shipped layouts: what listing their folders takes beside a static plugin, and what changing one takes."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from bench import changes
from bench.connection import Connection, Connections, Question, WrongAnswer, question
from bench.figures import MET, Goal, spread
from bench.places import wait_until_ready
from bench.race import Comparison, Race, run, walks
from bench.races import DRIVE
from bench.results import Part
from bench.sampling import Sampled, sample, write_tree
from bench.studies import Studies
from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from davfs.layout.loader import shipped_names

STATIC = "static"
AS_LONG_AS_STATIC = 1.2
"""How many times as long as the static plugin the drive may take for a listing."""
LARGE = 100
"""Entries of a folder from which on they cost more than the request as such."""
_MOUNT = "/davfs/drive/"
_KEY = "a key for the benchmark"
_REQUESTS = 8
_ENTRIES = 2000
"""Entries of all listings in a block, where that is more than one listing."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One folder, listed by the drive and by the static plugin.

    Attributes:
        folder: The folder.
        own: Seconds of the drive, the median over all blocks.
        floor: Seconds of the static plugin.
        ratios: In each round, how many times as long the drive took.
        own_cpu: Seconds of CPU time that Orthanc used for it, with the drive.
        floor_cpu: That of the Orthanc with the static plugin.
    """

    folder: Sampled
    own: float
    floor: float
    ratios: Sequence[float]
    own_cpu: float
    floor_cpu: float

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def is_large(self) -> bool:
        """Whether it has many entries."""
        return self.folder.entries >= LARGE


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found of one layout.

    Attributes:
        title: Its name.
        listings: Its folders.
        changes: Seconds from the request to read the layouts again until its root was listed, where it took the place
            of another one.
    """

    HEADINGS: ClassVar[tuple[str, ...]] = (
        "layout",
        f"below {LARGE} entries",
        "ms more",
        "larger folders",
        "worst folder",
        "goal",
        "met",
        "change s",
        "goal",
        "met",
    )
    LEFT: ClassVar[frozenset[int]] = frozenset({0, 4})

    title: str
    listings: Sequence[Listing]
    changes: Sequence[float]

    def row(self) -> tuple[str, ...]:
        """See `Figure`."""
        small = [each for each in self.listings if not each.is_large]
        listed, changed = self.goals()
        return (
            self.title,
            _ratios(small),
            f"{statistics.median(each.own - each.floor for each in small) * 1000:.2f}",
            _ratios([each for each in self.listings if each.is_large]),
            f"{self.worst.ratio:.2f} at depth {self.worst.folder.depth}, entries: {self.worst.folder.entries:,}",
            listed.wanted,
            MET[listed.met],
            spread(self.changes),
            changed.wanted,
            MET[changed.met],
        )

    def goals(self) -> tuple[Goal, ...]:
        """See `Figure`."""
        ratio, seconds = self.worst.ratio, statistics.median(self.changes)
        listed = f"list folders of {self.title}: times as long as a static plugin"
        changed = f"list {self.title} after its file was replaced"
        return (
            Goal(listed, f"<= {AS_LONG_AS_STATIC:g}", f"{ratio:.2f}", ratio <= AS_LONG_AS_STATIC),
            Goal(changed, f"< {changes.SECONDS:g} s", f"{seconds:.2f} s", seconds < changes.SECONDS),
        )

    @property
    def worst(self) -> Listing:
        """The folder with the highest ratio."""
        return max(self.listings, key=lambda listing: listing.ratio)


def _ratios(listings: Sequence[Listing]) -> str:
    return spread([each.ratio for each in listings]) if listings else ""


def measure(part: Part, libraries: tuple[Path, Path], parent: Path, studies: Studies, rounds: int) -> None:
    """Start an Orthanc with all layouts and one with the static plugin, and measure each layout.

    Args:
        part: Gets what is found.
        libraries: Those of the plugin and of the static plugin.
        parent: Where the archive is kept.
        studies: What Orthanc is filled with, unless an earlier run did.
        rounds: How many blocks the drive and the static plugin get for each folder.

    Raises:
        OrthancFailed: Orthanc did not start.
        WrongAnswer: It did not answer as it has to.
    """
    plugin, static = libraries
    folder, titles = studies.folder(parent), shipped_names()
    with OrthancProcess(folder) as orthanc, Connection(orthanc.http_port) as connection:
        studies.fill(connection)  # without the drive, which would read all that arrives
    file = folder / "changing.toml"
    changes.put(file, titles[-1])
    (door,) = free_ports(1)
    davfs = {"Layouts": [*titles, str(file)], "HashKey": _KEY, "Server": {"Enabled": True, "Port": door}}
    with OrthancProcess(folder, plugins=[plugin], davfs=davfs) as orthanc, ExitStack() as stack:
        drive, second = (stack.enter_context(Connection(port)) for port in (orthanc.http_port, door))
        wait_until_ready(second)
        samples = _samples(drive, studies)
        tree = folder.resolve() / "static.tree"
        write_tree(tree, drive, _MOUNT, (each for some in samples.values() for each in some))
        settings = {"Static": {"Tree": str(tree)}}
        other = stack.enter_context(OrthancProcess(folder / "static", plugins=[static], settings=settings))
        listings = _listings({DRIVE: orthanc, STATIC: other}, samples, rounds)
        seconds = changes.measure(drive, _MOUNT, second, file)
    part.add(*(Measured(title, listings[title], seconds[title]) for title in titles))


def _samples(drive: Connection, studies: Studies) -> dict[str, list[Sampled]]:
    print("looking for folders in all layouts", flush=True)
    marks = studies.marks(_KEY)
    return {title: sample(drive, _MOUNT + title, marks) for title in shipped_names()}


def _listings(
    servers: Mapping[str, OrthancProcess], samples: Mapping[str, Sequence[Sampled]], rounds: int
) -> dict[str, list[Listing]]:
    """List the same folders of the drive and of the static plugin."""
    ports = {name: server.http_port for name, server in servers.items()}
    processes = {name: [server.pid] for name, server in servers.items()}
    with ExitStack() as stack:
        clients = {port: stack.enter_context(Connection(port)) for port in ports.values()}
        client = stack.enter_context(Connections([*clients]))
        found = {}
        for title, some in samples.items():
            print(f"measuring: {len(some)} folders of {title}", flush=True)
            found[title] = [
                _listed(each, _same(each, clients, ports), rounds, lambda race: run(race, client, processes))
                for each in some
            ]
        return found


def _listed(
    folder: Sampled, questions: Mapping[str, Question], rounds: int, run_race: Callable[[Race], list[Comparison]]
) -> Listing:
    contestants = walks({name: [each] for name, each in questions.items()})
    requests = max(1, min(_REQUESTS, _ENTRIES // (folder.entries + 1)))
    (found,) = run_race(Race(folder.href, contestants, requests=requests, rounds=rounds))
    ratios = [1 / ratio for ratio in found.ratios]
    return Listing(folder, found.own, found.peers, ratios, found.own_cpu, found.peers_cpu)


def _same(folder: Sampled, clients: Mapping[int, Connection], ports: Mapping[str, int]) -> dict[str, Question]:
    """Return the requests of both, after checking that they answer with the same bytes.

    Raises:
        WrongAnswer: They do not.
    """
    asked = question("PROPFIND", folder.href, depth=1, status=207)
    for client in clients.values():
        client.ask(asked)
    bodies = [client.body for client in clients.values()]
    if len({_entries(body) for body in bodies}) != 1:
        raise WrongAnswer(f"a folder of depth {folder.depth} is not the same in the static plugin")
    return {name: replace(asked, port=port, size=len(bodies[0])) for name, port in ports.items()}


def _entries(body: bytes) -> bytes:
    """Return what follows the folder itself, whose date is that of the answer."""
    return body.partition(b"</D:response>")[2]
