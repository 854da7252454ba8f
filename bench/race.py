"""Contestants that take turns: A B C, B C A, C A B …, so that whatever else the machine does hits all of them alike."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from bench.connection import Client, Question
from bench.cpu import cpu_seconds
from bench.figures import MET, Goal, spread

T = TypeVar("T")

Walk = Callable[[int], Question]
"""Gives the request of a turn (from 0)."""


@dataclass(frozen=True, slots=True)
class Block:
    """A few requests of one contestant.

    Attributes:
        seconds: For one request.
        cpu: Seconds of CPU time that its server used for one request.
    """

    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Race:
    """One thing that all contestants do.

    Attributes:
        title: What is done.
        contestants: Their requests by name; the first one is compared with each of the others.
        goals: How many times as fast as another contestant the first one has to be, by that one's name.
        within: Seconds that the first one may take.
        requests: How many requests are made in one block.
        rounds: How many blocks each contestant gets.
    """

    title: str
    contestants: Mapping[str, Walk]
    goals: Mapping[str, float] = field(default_factory=dict)
    within: float | None = None
    requests: int = 20
    rounds: int = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """One contestant against one of the others.

    Attributes:
        title: What was done.
        own: Seconds for one request, the median over all blocks.
        own_cpu: Seconds of CPU time that the server used for it.
        peer: Name of the other one.
        peers: Its seconds.
        peers_cpu: Its seconds of CPU time.
        ratios: In each round, how many times as fast the first one was.
        goal: What the median of the ratios has to be at least; None for no goal.
        within: Seconds that `own` may be; None for no goal.
    """

    HEADINGS: ClassVar[tuple[str, ...]] = (
        "",
        *("ms", "CPU ms", "peer", "ms", "CPU ms"),
        "times as fast as the peer",
        *("goal", "met"),
    )
    LEFT: ClassVar[frozenset[int]] = frozenset({0, 3})

    title: str
    own: float
    own_cpu: float
    peer: str
    peers: float
    peers_cpu: float
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
            *(f"{seconds * 1000:.3f}" for seconds in (self.own, self.own_cpu)),
            self.peer,
            *(f"{seconds * 1000:.3f}" for seconds in (self.peers, self.peers_cpu)),
            spread(self.ratios),
            ", ".join(goal.wanted for goal in goals),
            MET[all(goal.met for goal in goals) if goals else None],
        )

    def goals(self) -> tuple[Goal, ...]:
        """See `Figure`."""
        found = []
        if self.goal is not None:
            what = f"{self.title}: times as fast as {self.peer}"
            found.append(Goal(what, f">= {self.goal:g}", f"{self.ratio:.2f}", self.ratio >= self.goal))
        if self.within is not None:
            wanted, taken = f"<= {self.within * 1000:g} ms", f"{self.own * 1000:.2f} ms"
            found.append(Goal(self.title, wanted, taken, self.own <= self.within))
        return tuple(found)


def run(race: Race, client: Client, processes: Mapping[str, Sequence[int]]) -> list[Comparison]:
    """Run a race, and compare the first contestant with all others; see `blocks`.

    Raises:
        WrongAnswer: An answer was not as it has to be.
    """
    first, *others = race.contestants
    found, limits = blocks(race, client, processes), [race.within, *[None] * len(others)]
    return [
        compared(race.title, found, (first, other), race.goals.get(other), limit)
        for other, limit in zip(others, limits, strict=False)
    ]


def blocks(race: Race, client: Client, processes: Mapping[str, Sequence[int]]) -> dict[str, list[Block]]:
    """Run all rounds, after one block of each contestant that does not count; return the blocks of each by its name.

    All contestants of a round share its connections. Each round has new ones: how fast a thread of Orthanc can get and
    give back half a megabyte of memory depends on what it did before, and moves a GET by a factor of 2.

    Args:
        race: What to measure.
        client: Asks all contestants.
        processes: Ids of the processes of each contestant's servers.

    Raises:
        WrongAnswer: An answer was not as it has to be.
    """
    found: dict[str, list[Block]] = {name: [] for name in race.contestants}
    for number, names in enumerate(rotations(list(race.contestants), race.rounds + 1)):
        client.close()  # another thread of Orthanc answers the next one
        for name in names:
            turns = range(number * race.requests, (number + 1) * race.requests)
            found[name].append(_block(client, [race.contestants[name](turn) for turn in turns], processes[name]))
    return {name: each[1:] for name, each in found.items()}


def rotations(names: Sequence[T], count: int) -> Iterator[list[T]]:
    """Return the names in so many orders, each of which begins one further on."""
    for number in range(count):
        first = number % len(names)
        yield [*names[first:], *names[:first]]


def _block(client: Client, questions: Sequence[Question], processes: Sequence[int]) -> Block:
    client.open()
    before = cpu_seconds(processes)
    seconds = statistics.median([client.ask(each) for each in questions])
    return Block(seconds, (cpu_seconds(processes) - before) / len(questions))


def compared(
    title: str,
    found: Mapping[str, Sequence[Block]],
    names: tuple[str, str],
    goal: float | None = None,
    within: float | None = None,
) -> Comparison:
    """Compare two contestants."""
    own, peer = names
    seconds = {name: [block.seconds for block in found[name]] for name in (own, peer)}
    cpu = {name: statistics.median(block.cpu for block in found[name]) for name in (own, peer)}
    ratios = [other / mine for mine, other in zip(seconds[own], seconds[peer], strict=True)]
    own_seconds, peer_seconds = (statistics.median(seconds[name]) for name in (own, peer))
    return Comparison(title, own_seconds, cpu[own], peer, peer_seconds, cpu[peer], ratios, goal, within)


def walks(contestants: Mapping[str, Sequence[Question]]) -> dict[str, Walk]:
    """Return endless iterators over the requests, each with a start of its own.

    So none of them finds what another one has just brought into Orthanc's cache.
    """

    def walk(requests: Sequence[Question], position: int) -> Walk:
        first = position * len(requests) // len(contestants)
        return lambda turn: requests[(first + turn) % len(requests)]

    return {name: walk(each, position) for position, (name, each) in enumerate(contestants.items())}
