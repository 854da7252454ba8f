"""All shipped layouts: what listing their folders takes beside a static plugin, and what changing one takes."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import changes
from bench.connection import Connection, Connections, Question, WrongAnswer, question
from bench.places import wait_until_ready
from bench.race import Race, run
from bench.races import DRIVE, walks
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
    """

    folder: Sampled
    own: float
    floor: float
    ratios: Sequence[float]

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

    title: str
    listings: Sequence[Listing]
    changes: Sequence[float]

    @property
    def worst(self) -> Listing:
        """The folder with the highest ratio."""
        return max(self.listings, key=lambda listing: listing.ratio)

    @property
    def lists_well(self) -> bool:
        """Whether the goal is met in each folder."""
        return self.worst.ratio <= AS_LONG_AS_STATIC

    @property
    def changes_well(self) -> bool:
        """Whether it was listed in time."""
        return statistics.median(self.changes) < changes.SECONDS


def measure(plugin: Path, static: Path, parent: Path, studies: Studies, rounds: int) -> list[Measured]:
    """Start an Orthanc with all layouts and one with the static plugin, and measure each layout.

    Args:
        plugin: The plugin's library.
        static: The static plugin's library.
        parent: Where the archive is kept.
        studies: What Orthanc is filled with, unless an earlier run did.
        rounds: How many blocks the drive and the static plugin get for each folder.

    Raises:
        OrthancFailed: Orthanc did not start.
        WrongAnswer: It did not answer as it has to.
    """
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
        listings = _listings({DRIVE: orthanc.http_port, STATIC: other.http_port}, samples, rounds)
        seconds = changes.measure(drive, _MOUNT, second, file)
    return [Measured(title, listings[title], seconds[title]) for title in titles]


def _samples(drive: Connection, studies: Studies) -> dict[str, list[Sampled]]:
    print("looking for folders in all layouts", flush=True)
    marks = studies.marks(_KEY)
    return {title: sample(drive, _MOUNT + title, marks) for title in shipped_names()}


def _listings(
    ports: Mapping[str, int], samples: Mapping[str, Sequence[Sampled]], rounds: int
) -> dict[str, list[Listing]]:
    """List the same folders of the drive and of the static plugin."""
    with ExitStack() as stack:
        clients = {port: stack.enter_context(Connection(port)) for port in ports.values()}
        client = stack.enter_context(Connections([*clients]))
        found = {}
        for title, some in samples.items():
            print(f"measuring: {len(some)} folders of {title}", flush=True)
            found[title] = [_listed(each, _same(each, clients, ports), client, rounds) for each in some]
        return found


def _listed(folder: Sampled, questions: Mapping[str, Question], client: Connections, rounds: int) -> Listing:
    contestants = walks({name: [each] for name, each in questions.items()})
    requests = max(1, min(_REQUESTS, _ENTRIES // (folder.entries + 1)))
    (found,) = run(Race(folder.href, contestants, requests=requests, rounds=rounds), [client])
    return Listing(folder, found.own, found.peers, [1 / ratio for ratio in found.ratios])


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
