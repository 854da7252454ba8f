"""A lane: a bounded queue of jobs, and the named threads that run them.

1. `ImportQueue.run` puts a job into a bounded queue and waits for that job.
2. A worker starts it. From then on the caller waits for its end, however long: the job reads the caller's memory.
3. A job that no worker started in time is withdrawn, and the caller gets `Busy`.

A `concurrent.futures.Future` decides between "started" and "withdrawn"; there is no executor around it, because its
hook at exit would keep the interpreter alive until the last job has ended.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from time import monotonic
from typing import Generic, TypeVar

from davfs.errors import Busy

T = TypeVar("T")


class _Ticket(Generic[T]):
    """A job and its future result."""

    __slots__ = ("future", "job")

    def __init__(self, job: Callable[[], T]) -> None:
        self.job = job
        self.future: Future[T] = Future()

    def perform(self) -> None:
        """Run the job, unless it was withdrawn."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.job()
        except BaseException as error:  # noqa: BLE001  it is raised in the caller's thread
            self.future.set_exception(error)
            del self  # as in `ImportQueue.run`
        else:
            self.future.set_result(result)


class ImportQueue:
    """A bounded queue of jobs and the threads that run them.

    Args:
        name: Part of its threads' names.
        workers: Number of threads.
        capacity: Jobs that may wait for a thread.
        patience: Seconds within which a job has to be started.
        waits_for_room: Whether a caller waits while the queue is full, with the same patience, or is refused at once.
    """

    def __init__(
        self,
        name: str = "import",
        *,
        workers: int = 4,
        capacity: int = 64,
        patience: float = 30.0,
        waits_for_room: bool = True,
    ) -> None:
        self._capacity = capacity
        self._patience = patience
        self._waits_for_room = waits_for_room
        self._waiting: deque[_Ticket[object]] = deque()
        self._stopping = False
        # Two conditions of one lock: a job wakes one worker, and no caller that waits for room.
        lock = threading.Lock()
        self._arrived = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._threads = [
            threading.Thread(target=self._work, name=f"davfs-{name}-{number}", daemon=True)
            for number in range(1, workers + 1)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def stopping(self) -> bool:
        """True while the drive is stopping: long jobs have to end now."""
        return self._stopping

    def run(self, job: Callable[[], T]) -> T:
        """Run a job in a worker, and wait for its result; not to be called from a job.

        Returns:
            What the job returned.

        Raises:
            Busy: No worker could start it in time, or the queue is stopping; it never will be started. The error's path
                is empty.
            BaseException: Anything that the job raised.
        """
        ticket = _Ticket(job)
        deadline = monotonic() + self._patience
        self._submit(ticket)
        with suppress(TimeoutError, CancelledError):  # what the job raises is returned here, and raised below
            ticket.future.exception(max(0.0, deadline - monotonic()))
        # A future can be cancelled until a worker starts it: this line decides between the two of them.
        if ticket.future.cancel():
            self._withdraw(ticket)
            raise Busy((), "the queue of imports and deletions is busy")
        try:
            return ticket.future.result()
        finally:
            # An error's traceback refers to this variable, and the ticket to the error. The cycle would keep the
            # caller's memory; if that is cffi's, collecting it crashes the process (seen on Python 3.11).
            del ticket

    def refuse(self) -> None:
        """Refuse new jobs, and set `stopping` for those that run; `stop` joins the threads."""
        with self._arrived:
            self._stopping = True
            self._arrived.notify_all()
            self._room.notify_all()

    def stop(self, timeout: float) -> bool:
        """Refuse new jobs, let the workers finish the waiting ones, and join them; then withdraw those that wait still.

        Args:
            timeout: Seconds for all of it.

        Returns:
            True if all threads ended in time. The others are daemons, and do not keep the interpreter alive.
        """
        deadline = monotonic() + timeout
        self.refuse()
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        for ticket in self._clear():
            ticket.future.cancel()
            ticket.future.set_running_or_notify_cancel()  # wakes its caller
        return not any(thread.is_alive() for thread in self._threads)

    def _submit(self, ticket: "_Ticket[T]") -> None:
        patience = self._patience if self._waits_for_room else 0
        with self._room:
            self._room.wait_for(lambda: self._stopping or len(self._waiting) < self._capacity, patience)
            if self._stopping:
                raise Busy((), "the drive is stopping")
            if len(self._waiting) >= self._capacity:
                raise Busy((), "the queue of imports and deletions is full")
            self._waiting.append(ticket)  # type: ignore[arg-type]  # each result goes to its own future
            self._arrived.notify()

    def _withdraw(self, ticket: "_Ticket[T]") -> None:
        """Remove a job, and with it the reference to the caller's memory, unless a worker has taken it."""
        with self._room:
            if ticket in self._waiting:
                self._waiting.remove(ticket)  # type: ignore[arg-type]  # as above
                self._room.notify()

    def _clear(self) -> "list[_Ticket[object]]":
        with self._room:
            tickets = list(self._waiting)
            self._waiting.clear()
            return tickets

    def _work(self) -> None:
        while (ticket := self._next()) is not None:
            ticket.perform()
            del ticket  # or an idle worker would keep its last caller's memory

    def _next(self) -> "_Ticket[object] | None":
        with self._arrived:
            self._arrived.wait_for(lambda: self._waiting or self._stopping)
            if not self._waiting:
                return None
            ticket = self._waiting.popleft()
            self._room.notify()
            return ticket
