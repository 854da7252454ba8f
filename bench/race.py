"""Contestants that take turns: A B C, B C A, C A B …, so that whatever else the machine does hits all of them alike."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

from bench.connection import Client, Question

Questions = Callable[[int, int], Question]
"""Gives the request of a client (from 0) in its turn (from 0)."""


@dataclass(frozen=True, slots=True)
class Race:
    """One thing that all contestants do.

    Attributes:
        title: What is done.
        contestants: Their requests by name; the first one is compared with each of the others.
        goals: How many times as fast as another contestant the first one has to be, by that one's name.
        requests: How many requests a client makes in one block.
        rounds: How many blocks each contestant gets.
        clients: How many connections ask at the same time.
    """

    title: str
    contestants: Mapping[str, Questions]
    goals: Mapping[str, float] = field(default_factory=dict)
    requests: int = 20
    rounds: int = 20
    clients: int = 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first contestant against one of the others.

    Attributes:
        title: What was done.
        own: Seconds for one request, the median over all blocks.
        peer: Name of the other one.
        peers: Its seconds.
        ratios: In each round, how many times as fast the first one was.
        goal: What the median of the ratios has to be at least; None for no goal.
    """

    title: str
    own: float
    peer: str
    peers: float
    ratios: Sequence[float]
    goal: float | None

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return None if self.goal is None else self.ratio >= self.goal


def run(race: Race, connections: Sequence[Client]) -> list[Comparison]:
    """Run all rounds, after one block of each contestant that does not count.

    All contestants of a round share its connections. Each round has new ones: how fast a thread of Orthanc can get and
    give back half a megabyte of memory depends on what it did before, and moves a GET by a factor of 2.

    Args:
        race: What to measure.
        connections: At least as many as the race has clients.

    Raises:
        WrongAnswer: An answer was not as it has to be.
    """
    used = connections[: race.clients]
    names = list(race.contestants)
    blocks: dict[str, list[float]] = {name: [] for name in names}
    with ThreadPoolExecutor(race.clients) as pool:
        for number in range(race.rounds + 1):
            for connection in used:
                connection.close()  # another thread of Orthanc answers the next one
            for name in _rotated(names, number):
                turns = range(number * race.requests, (number + 1) * race.requests)
                questions = [[race.contestants[name](client, turn) for turn in turns] for client in range(race.clients)]
                seconds = _alone(used[0], questions[0]) if race.clients == 1 else _together(pool, used, questions)
                blocks[name].append(seconds)
    return _compared(race, {name: seconds[1:] for name, seconds in blocks.items()})


def _rotated(names: Sequence[str], number: int) -> list[str]:
    first = number % len(names)
    return [*names[first:], *names[:first]]


def _alone(connection: Client, questions: Sequence[Question]) -> float:
    """Return the median of the seconds that one client waits."""
    connection.open()
    return statistics.median([connection.ask(each) for each in questions])


def _together(
    pool: ThreadPoolExecutor, connections: Sequence[Client], questions: Sequence[Sequence[Question]]
) -> float:
    """Return the seconds from one answer to the next: the clients' requests per second, added up and turned over."""
    ready = Barrier(len(connections))

    def client(connection: Client, own: Sequence[Question]) -> list[float]:
        connection.open()
        ready.wait()
        return [connection.ask(each) for each in own]

    return 1 / sum(len(waits) / sum(waits) for waits in pool.map(client, connections, questions))


def _compared(race: Race, blocks: Mapping[str, Sequence[float]]) -> list[Comparison]:
    first, *others = blocks
    return [
        Comparison(
            title=race.title,
            own=statistics.median(blocks[first]),
            peer=name,
            peers=statistics.median(blocks[name]),
            ratios=[other / own for own, other in zip(blocks[first], blocks[name], strict=True)],
            goal=race.goals.get(name),
        )
        for name in others
    ]
