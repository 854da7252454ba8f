"""A queue of requests: quick ones come before long ones, and within each kind the clients take turns."""

import time
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from threading import Condition
from typing import Generic, Protocol, TypeVar


class RequestKind(Enum):
    """What a request may take."""

    QUICK = "no time, whatever is behind the drive"
    END = "the time to close what was opened for a client that is waited for no longer"
    DOWNLOAD = "the time to read or to make a file"
    CHANGE = "the time of an import, or of all that waits for the same path"


class Task(Protocol):
    """What waits for a thread: a connection."""

    @property
    def kind(self) -> RequestKind:
        """What it may take."""

    @property
    def whose(self) -> str:
        """Its client: the address, and the user that has logged in."""


T = TypeVar("T", bound=Task)
_SHORT = 0.05
"""Seconds after which a task is taken to wait for something else than the interpreter."""
_SHARED = 1.0
"""Seconds for which a client is taken to go on, after a task of it."""


@dataclass(slots=True, eq=False)
class RunningTask:
    """A task that a thread is busy with.

    Attributes:
        kind: What it may take.
        whose: Its client.
        since: When it began, in seconds of the queue's clock.
    """

    kind: RequestKind
    whose: str
    since: float


class FairQueue(Generic[T]):
    """Tasks for a number of threads.

    A kind gets a part of the threads, and a client a part of those: whatever one of them asks for, and however often,
    there are threads for the others. While several clients ask, each has few tasks that have just begun: threads that
    need the interpreter at the same time make each other slow. Those that have run for a while wait for Orthanc, or for
    each other, and hardly count.

    Args:
        threads: How many take tasks.
        clock: Seconds that never go back.

    Attributes:
        waiting: Tasks that wait for a thread.
        busy: Tasks that threads are busy with.
    """

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        eighth = max(1, threads // 8)
        self._limits = {
            RequestKind.QUICK: threads,
            RequestKind.DOWNLOAD: 4 * eighth,
            RequestKind.CHANGE: 4 * eighth,
            RequestKind.END: eighth,
        }
        self._of_client = {
            RequestKind.QUICK: eighth,
            RequestKind.DOWNLOAD: 2 * eighth,
            RequestKind.CHANGE: 3 * eighth,
            RequestKind.END: eighth,
        }
        self._short_alone = {
            RequestKind.QUICK: eighth,
            RequestKind.DOWNLOAD: 2 * eighth,
            RequestKind.CHANGE: 2 * eighth,
            RequestKind.END: eighth,
        }
        few = {RequestKind.QUICK: 2, RequestKind.DOWNLOAD: 4, RequestKind.CHANGE: 4, RequestKind.END: 4}
        self._short_shared = {kind: min(count, self._short_alone[kind]) for kind, count in few.items()}
        self._latest = ""
        self._shared_until = 0.0
        self._clock = clock
        self._waiting: dict[RequestKind, OrderedDict[str, deque[T]]] = {kind: OrderedDict() for kind in RequestKind}
        self._running: Counter[RequestKind] = Counter()
        self._turns: defaultdict[tuple[RequestKind, str], list[RunningTask]] = defaultdict(list)
        self._changed = Condition()
        self._is_watched = False
        self._stopping = False
        self.waiting = 0
        self.busy = 0

    def put(self, task: T) -> None:
        """Have a task done."""
        with self._changed:
            self._note(task.whose, self._clock())
            self._waiting[task.kind].setdefault(task.whose, deque()).append(task)
            self.waiting += 1
            self._changed.notify()

    def take(self) -> tuple[T, RunningTask] | None:
        """Wait for a task, and return it with its turn, for `done`; None where no more are to come."""
        with self._changed:
            while (found := self._next()) is None:
                if self._stopping:
                    return None
                self._wait()
            if self.waiting:
                self._changed.notify()  # for somebody to watch over the others
            return found

    def exchange(self, turn: RunningTask, task: T) -> RunningTask | None:
        """Go on with another task of the client of a turn; return its own, None where others go first."""
        kind, now = task.kind, self._clock()
        self._note(turn.whose, now)
        if kind is turn.kind and not self.waiting and now >= self._shared_until:
            turn.since = now
            return turn
        with self._changed:
            if self.waiting:
                return None
            self._end(turn)
            if self._may_run(kind, turn.whose):
                return self._begin(kind, turn.whose)
            self._begin(turn.kind, turn.whose, turn)
        return None

    def done(self, turn: RunningTask) -> None:
        """Note that a task is done."""
        with self._changed:
            self._end(turn)
            self._changed.notify()

    def drop(self, may_go: Callable[[T], bool]) -> T | None:
        """Take one of the tasks that wait out of the queue: of a client, the last one that may go; None for none."""
        with self._changed:
            for queue in self._waiting.values():
                for whose, tasks in queue.items():
                    for task in reversed(tasks):
                        if may_go(task):
                            self._remove(queue, whose, task)
                            return task
        return None

    def stop(self) -> None:
        """Have `take` return None where nothing waits any more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for a change; one of those who wait looks from time to time whether a turn has become a long one."""
        if not self.waiting or self._is_watched:
            self._changed.wait()
            return
        self._is_watched = True
        self._changed.wait(_SHORT)
        self._is_watched = False

    def _next(self) -> tuple[T, RunningTask] | None:
        for kind, queue in self._waiting.items():
            for whose in queue:
                if self._may_run(kind, whose):
                    task = queue[whose][0]
                    self._remove(queue, whose, task)
                    return task, self._begin(kind, whose)
        return None

    def _remove(self, queue: OrderedDict[str, deque[T]], whose: str, task: T) -> None:
        tasks = queue[whose]
        tasks.remove(task)
        self.waiting -= 1
        if tasks:
            queue.move_to_end(whose)
        else:
            del queue[whose]

    def _may_run(self, kind: RequestKind, whose: str) -> bool:
        turns = self._turns.get((kind, whose), ())
        if self._running[kind] >= self._limits[kind] or len(turns) >= self._of_client[kind]:
            return False
        now = self._clock()
        most = (self._short_shared if now < self._shared_until else self._short_alone)[kind]
        return len(turns) < most or sum(turn.since > now - _SHORT for turn in turns) < most

    def _note(self, whose: str, now: float) -> None:
        """Take note of who asks."""
        if whose != self._latest:
            self._shared_until = now + _SHARED if self._latest else 0.0
            self._latest = whose

    def _begin(self, kind: RequestKind, whose: str, turn: RunningTask | None = None) -> RunningTask:
        turn = turn or RunningTask(kind, whose, self._clock())
        self._turns[kind, whose].append(turn)
        self._running[kind] += 1
        self.busy += 1
        return turn

    def _end(self, turn: RunningTask) -> None:
        turns = self._turns[turn.kind, turn.whose]
        turns.remove(turn)
        if not turns:
            del self._turns[turn.kind, turn.whose]
        self._running[turn.kind] -= 1
        self.busy -= 1
