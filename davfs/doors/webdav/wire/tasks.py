"""Requests as the `FairQueue` knows them: those that wait for a thread, and those that have one."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

_PROGRESS = 0.001
"""Seconds of CPU time that a thread has used at least unless it waits."""


class RequestKind(Enum):
    """Kinds of requests, by the time that they may take, in the order in which they are served."""

    QUICK = "little, whatever Orthanc does"
    HANDSHAKE = "that of a signature"
    ABORT = "that of closing the files of a client that is not waited for any longer"
    DOWNLOAD = "that of reading or generating a file"
    CHANGE = "that of an import, or of waiting for a lock on the path"


class Task(Protocol):
    """A connection with a request, or part of one, for a thread."""

    @property
    def kind(self) -> RequestKind:
        """Kind of the request."""

    @property
    def client(self) -> str:
        """Its client: the address, and the user that has logged in."""

    @property
    def target(self) -> str:
        """Its method and target: requests with the same ones take the same time."""


@dataclass(slots=True, eq=False)
class RunningTask:
    """A task that a thread has taken.

    Attributes:
        kind: Kind of its request.
        client: Its client.
        target: Its method and target.
        thread: Identifier of the thread.
        started: When the thread began, in seconds of the queue's clock.
        active: When the thread began, or was last seen to use CPU time, likewise.
        measured: CPU time of the thread when it was last measured for `RequestCosts`.
        unmeasured: Seconds that cheap requests before this one have taken since then; None for no such requests.
        seen: CPU time of the thread at `active`.
    """

    kind: RequestKind
    client: str
    target: str
    thread: int
    started: float
    active: float
    measured: float
    seen: float
    unmeasured: float | None = None

    def has_computed(self, now: float, cpu_time: Callable[[int], float]) -> bool:
        """Return True if the thread has used CPU time since `active`, and does not only wait."""
        used = cpu_time(self.thread)
        has_computed = used > self.seen + _PROGRESS
        if has_computed:
            self.active, self.seen = now, used
        return has_computed
