"""A queue of requests: quick ones come before long ones, and within each kind the clients take turns.

A request waits in proportion to the CPU time that requests like it have taken, as if many clients had equal shares of
the processor: a short one does not wait for a round of long ones, and none waits for ever. While several clients send
requests, few threads compute at the same time: threads that need the interpreter make each other slow. Threads that
wait for Orthanc, or for a lock, hardly count.
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from davfs.doors.webdav.wire.request_costs import RequestCosts
from davfs.doors.webdav.wire.tasks import RequestKind, RunningTask, Task
from davfs.doors.webdav.wire.thread_clock import cpu_time

T = TypeVar("T", bound=Task)
_SHORT = (RequestKind.QUICK, RequestKind.HANDSHAKE)
"""Kinds for which an eighth of the threads is kept free of all others."""
_WINDOW = 0.02
"""Seconds, for each busy thread, after which a thread that has used no CPU time counts as waiting."""
_COMPUTING, _CHEAP_COMPUTING = 2, 6
"""Quick requests that compute at the same time while several clients send requests; the second, if all are cheap."""
_SHARED_SECONDS = 1.0
"""Time for which a client counts as active after a request."""
_SHARES = 100
"""Seconds that a request waits, for each second of CPU time that it costs, before later ones cannot overtake it."""


@dataclass(slots=True, eq=False)
class _ClientQueue(Generic[T]):
    """Tasks of one client.

    Attributes:
        since: When the first of them became the first, in seconds of the queue's clock.
        tasks: In the order in which they came.
    """

    since: float
    tasks: deque[T] = field(default_factory=deque)


class FairQueue(Generic[T]):
    """Tasks for a number of threads, which call `take` and `done`.

    Each kind may occupy part of the threads, and each client part of those, so that whatever one client asks for, and
    however often, threads are left to the others.

    Args:
        threads: Number of threads.
        clock: Monotonic clock, in seconds.
        cpu_time: See `thread_clock.cpu_time`.

    Attributes:
        waiting: Number of tasks that wait for a thread.
        busy: Number of tasks that threads have taken.
    """

    def __init__(
        self,
        threads: int,
        clock: Callable[[], float] = time.monotonic,
        cpu_time: Callable[[int], float] = cpu_time,
    ) -> None:
        eighth = max(1, threads // 8)
        kinds = tuple(RequestKind)
        few = max(1, eighth // 2)
        self._threads = dict(zip(kinds, (threads, few, eighth, 4 * eighth, 4 * eighth), strict=True))
        self._long_threads = max(1, threads - eighth)
        self._threads_of_client = dict(zip(kinds, (eighth, few, eighth, 2 * eighth, 3 * eighth), strict=True))
        self._computing_alone = dict(zip(kinds, (eighth, few, eighth, 2 * eighth, 2 * eighth), strict=True))
        shared = dict(zip(kinds, (2, 2, 4, 4, 4), strict=True))
        self._computing_shared = {kind: min(count, self._computing_alone[kind]) for kind, count in shared.items()}
        self._latest, self._shared_until = "", 0.0
        self._clock, self._cpu_time = clock, cpu_time
        self._costs = RequestCosts(cpu_time)
        self._queued: dict[RequestKind, dict[str, _ClientQueue[T]]] = {kind: {} for kind in kinds}
        self._running: dict[RequestKind, set[RunningTask]] = {kind: set() for kind in kinds}
        self._running_of_client: defaultdict[tuple[RequestKind, str], list[RunningTask]] = defaultdict(list)
        self._changed = threading.Condition()
        self._is_watched = False
        self._stopping = False
        self.waiting = 0
        self.busy = 0

    def put(self, task: T) -> None:
        """Queue a task."""
        with self._changed:
            now, clients = self._clock(), self._queued[task.kind]
            self._note(task.client, now)
            clients.setdefault(task.client, _ClientQueue(now)).tasks.append(task)
            self.waiting += 1
            self._changed.notify()

    def take(self) -> tuple[T, RunningTask] | None:
        """Wait for a task; return it with its entry for `done`, or None after `stop` where none is left."""
        with self._changed:
            while (found := self._next()) is None:
                if self._stopping:
                    return None
                self._wait()
            if self.waiting:
                self._changed.notify()  # another thread has to watch the queue
            return found

    def exchange(self, running: RunningTask, task: T) -> RunningTask | None:
        """Replace a running task by the next one of the same client; return None where others come first."""
        kind, now = task.kind, self._clock()
        self._note(running.client, now)
        if kind is running.kind and not self.waiting and now >= self._shared_until:
            self._costs.learn_in_a_row(running, now)
            running.started = running.active = now
            running.target = task.target
            return running
        with self._changed:
            if self.waiting:
                return None
            self._remove_running(running)
            if self._has_thread(kind) and self._may_run(kind, running.client):
                self._costs.learn(running, now)
                return self._run(task)
            self._add_running(running)
        return None

    def done(self, running: RunningTask) -> None:
        """Note that a task has ended; to be called by the thread that took it."""
        with self._changed:
            self._remove_running(running)
            self._costs.learn(running, self._clock())
            self._changed.notify()

    def drop(self, may_go: Callable[[T], bool]) -> T | None:
        """Remove a queued task from the queue: of a client, the last one that may go. Return None for none."""
        with self._changed:
            for clients in self._queued.values():
                for client, queue in clients.items():
                    for task in reversed(queue.tasks):
                        if may_go(task):
                            self._unqueue(clients, client, task)
                            return task
        return None

    def stop(self) -> None:
        """Have `take` return None once the queue is empty."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for a change; while tasks are queued, one thread looks from time to time which others only wait."""
        if not self.waiting or self._is_watched:
            self._changed.wait()
            return
        self._is_watched = True
        self._changed.wait(_WINDOW)
        self._is_watched = False

    def _next(self) -> tuple[T, RunningTask] | None:
        for kind, clients in self._queued.items():
            allowed = self._allowed(kind, clients) if clients else []
            if allowed:
                queue = min(allowed, key=self._due)
                task = queue.tasks[0]
                self._unqueue(clients, task.client, task)
                queue.since = self._clock()
                return task, self._run(task)
        return None

    def _allowed(self, kind: RequestKind, clients: dict[str, _ClientQueue[T]]) -> list[_ClientQueue[T]]:
        """Return the queues of clients whose first task may run now."""
        if not self._has_thread(kind):
            return []
        if len(clients) > 1:
            self._shared_until = self._clock() + _SHARED_SECONDS
        computing = self._computing_quick(kind)
        return [
            queue
            for client, queue in clients.items()
            if self._may_run(kind, client) and self._may_compute(queue.tasks[0], computing)
        ]

    def _due(self, queue: _ClientQueue[T]) -> float:
        """Return the time after which no later request overtakes the first one of a client."""
        return queue.since + _SHARES * self._costs.expected(queue.tasks[0])

    def _unqueue(self, clients: dict[str, _ClientQueue[T]], client: str, task: T) -> None:
        clients[client].tasks.remove(task)
        self.waiting -= 1
        if not clients[client].tasks:
            del clients[client]

    def _has_thread(self, kind: RequestKind) -> bool:
        """Return True if a thread is left for a kind."""
        is_full = len(self._running[kind]) >= self._threads[kind]
        long = self.busy - sum(len(self._running[each]) for each in _SHORT)
        return not is_full and (kind in _SHORT or long < self._long_threads)

    def _computing_quick(self, kind: RequestKind) -> int:
        """Return how many quick requests compute, where another one is to run and several clients send requests."""
        running, now = self._running[RequestKind.QUICK], self._clock()
        if kind is not RequestKind.QUICK or len(running) < _COMPUTING or now >= self._shared_until:
            return 0
        return self._computing(running, now)

    def _may_compute(self, task: Task, computing: int) -> bool:
        return computing < (_COMPUTING if self._costs.expected(task) else _CHEAP_COMPUTING)

    def _may_run(self, kind: RequestKind, client: str) -> bool:
        """Return True if a client has threads left for a kind, and not too many of its threads compute."""
        running = self._running_of_client.get((kind, client), ())
        if len(running) >= self._threads_of_client[kind]:
            return False
        now = self._clock()
        most = (self._computing_shared if now < self._shared_until else self._computing_alone)[kind]
        return len(running) < most or self._computing(running, now) < most

    def _computing(self, tasks: Iterable[RunningTask], now: float) -> int:
        """Return how many tasks compute, rather than wait for Orthanc or each other."""
        since = now - _WINDOW * self.busy
        return sum(task.active > since or task.has_computed(now, self._cpu_time) for task in tasks)

    def _note(self, client: str, now: float) -> None:
        """Note that a client sends requests."""
        if client != self._latest:
            self._shared_until = now + _SHARED_SECONDS if self._latest else 0.0
            self._latest = client

    def _run(self, task: T) -> RunningTask:
        thread = threading.get_ident()
        used = self._cpu_time(thread)
        now = self._clock()
        running = RunningTask(task.kind, task.client, task.target, thread, now, now, used, used)
        self._add_running(running)
        return running

    def _add_running(self, running: RunningTask) -> None:
        self._running_of_client[running.kind, running.client].append(running)
        self._running[running.kind].add(running)
        self.busy += 1

    def _remove_running(self, running: RunningTask) -> None:
        of_client = self._running_of_client[running.kind, running.client]
        of_client.remove(running)
        if not of_client:
            del self._running_of_client[running.kind, running.client]
        self._running[running.kind].remove(running)
        self.busy -= 1
