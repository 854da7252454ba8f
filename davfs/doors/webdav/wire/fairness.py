"""Which request is next: quick ones before those that may take long, and of each kind one address after the other."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from enum import Enum
from threading import Condition
from typing import Generic, Protocol, TypeVar


class Kind(Enum):
    """What a request may take."""

    QUICK = "no time, whatever is behind the drive"
    DOWNLOAD = "the time to read or to make a file"
    CHANGE = "the time of an import, or of all that waits for the same path"


class Task(Protocol):
    """What waits for a thread: a connection."""

    @property
    def kind(self) -> Kind:
        """What it may take."""

    @property
    def remote_addr(self) -> str:
        """The address of its client."""


T = TypeVar("T", bound=Task)
Share = tuple[Kind, str]
"""What a running task is counted for: its kind, and its address."""


class FairQueue(Generic[T]):
    """Tasks for a number of threads.

    A kind gets a part of the threads, and an address a part of those: whatever one client asks for, and however often,
    there are threads for the others. Quick tasks and downloads need the interpreter most of the time; a change waits
    for Orthanc, or for another one.

    Args:
        threads: How many take tasks.

    Attributes:
        waiting: Tasks that wait for a thread.
        busy: Tasks that threads are busy with.
    """

    def __init__(self, threads: int) -> None:
        eighth = max(1, threads // 8)
        self._limits = {Kind.QUICK: threads, Kind.DOWNLOAD: 4 * eighth, Kind.CHANGE: 4 * eighth}
        self._of_address = {Kind.QUICK: eighth, Kind.DOWNLOAD: 2 * eighth, Kind.CHANGE: 3 * eighth}
        self._waiting: dict[Kind, OrderedDict[str, deque[T]]] = {kind: OrderedDict() for kind in Kind}
        self._running: Counter[Kind] = Counter()
        self._shares: Counter[Share] = Counter()
        self._changed = Condition()
        self._stopping = False
        self.waiting = 0
        self.busy = 0

    def put(self, task: T) -> None:
        """Have a task done."""
        with self._changed:
            self._waiting[task.kind].setdefault(task.remote_addr, deque()).append(task)
            self.waiting += 1
            self._changed.notify()

    def take(self) -> tuple[T, Share] | None:
        """Wait for a task, and return it with what `done` wants to know; None where no more are to come."""
        with self._changed:
            while (found := self._next()) is None:
                if self._stopping:
                    return None
                self._changed.wait()
            return found

    def exchange(self, share: Share, task: T) -> Share | None:
        """Go on with another task of the address of a share; return its own, None where others go first."""
        if task.kind is share[0] and not self.waiting:
            return share
        new = (task.kind, task.remote_addr)
        with self._changed:
            if self.waiting:
                return None
            self._count(share, -1)
            if not self._may_run(new):
                self._count(share, 1)
                return None
            self._count(new, 1)
        return new

    def done(self, share: Share) -> None:
        """Note that a task is done."""
        with self._changed:
            self._count(share, -1)
            self._changed.notify()

    def drop(self, address: str, may_go: Callable[[T], bool]) -> T | None:
        """Take one of the tasks that wait for an address out of the queue, the last one that may go; None for none."""
        with self._changed:
            for queue in self._waiting.values():
                for task in reversed(queue.get(address, ())):
                    if may_go(task):
                        self._remove(queue, address, task)
                        return task
        return None

    def stop(self) -> None:
        """Have `take` return None where nothing waits any more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _next(self) -> tuple[T, Share] | None:
        for kind, queue in self._waiting.items():
            for address in queue:
                share = (kind, address)
                if self._may_run(share):
                    task = queue[address][0]
                    self._remove(queue, address, task)
                    self._count(share, 1)
                    return task, share
        return None

    def _remove(self, queue: OrderedDict[str, deque[T]], address: str, task: T) -> None:
        tasks = queue[address]
        tasks.remove(task)
        self.waiting -= 1
        if tasks:
            queue.move_to_end(address)
        else:
            del queue[address]

    def _may_run(self, share: Share) -> bool:
        kind = share[0]
        return self._running[kind] < self._limits[kind] and self._shares[share] < self._of_address[kind]

    def _count(self, share: Share, change: int) -> None:
        self.busy += change
        self._running[share[0]] += change
        self._shares[share] += change
        if not self._shares[share]:
            del self._shares[share]
