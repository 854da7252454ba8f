"""The threads that follow Orthanc's database: what another Orthanc on it deletes or labels, the index knows at once.

One holds the connection, and never asks Orthanc; the other one updates the index, for which it asks Orthanc.

Without a connection, the drive continues: deletions are found by comparisons, as without these threads (`indexer`), and
labels by reading everything again in turn. After each connection the index is compared, since notifications may have
been missed.

When the connection is lost, the database may be gone: an outage begins (`davfs.orthanc.outage`). It ends once Orthanc
answers a request that needs the database.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial

from davfs.catalog.synchronizer import Synchronizer
from davfs.errors import OrthancError, Unavailable
from davfs.orthanc.outage import Outage
from davfs.orthanc.postgresql import Connect, Notification, Notifications

_log = logging.getLogger(__name__)

_TICK = 0.5
"""Seconds after which the threads look whether they have to stop."""
_PAUSE = 2.0
"""Seconds between two attempts to connect; the double after each failure."""
_LONGEST_PAUSE = 30.0
_WAITING = 1000
"""Groups of notifications that wait to be handled."""
_ATTEMPTS = 5
"""Times that a group is tried if Orthanc does not answer."""


@dataclass(frozen=True, slots=True)
class DatabaseLink:
    """The ways to Orthanc's database.

    Attributes:
        connect: Connects to it; raises Unavailable.
        outage: Begins when that connection is lost.
        ask_orthanc: Asks Orthanc for anything that it has there, also during an outage; raises OrthancError.
        session: Makes a connection for the inbox that all its Orthancs share; None for an inbox on the disk.
    """

    connect: Callable[[], Notifications]
    outage: Outage
    ask_orthanc: Callable[[], object]
    session: Connect | None = None


@dataclass(frozen=True, slots=True)
class IndexComparison:
    """Requests for a comparison of the whole index.

    Attributes:
        soon: Something may have been missed.
        now: Much may have been missed: listings compare themselves until it is done.
    """

    soon: Callable[[], object]
    now: Callable[[], object]


class DatabaseFollower:
    """Updates the index from notifications of the database.

    Args:
        link: The database.
        synchronizer: Updates the index.
        comparison: Compares the whole index.
        pause: Seconds between two attempts to connect, at first.
    """

    def __init__(
        self, link: DatabaseLink, synchronizer: Synchronizer, comparison: IndexComparison, pause: float = _PAUSE
    ) -> None:
        self._link = link
        self._outage = link.outage
        self._synchronizer = synchronizer
        self._comparison = comparison
        self._pause = pause
        self._failures = 0
        self._reported = False
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._tasks: queue.Queue[Callable[[], None]] = queue.Queue(_WAITING)
        self._threads = (
            threading.Thread(target=self._run, name="davfs-database", daemon=True),
            threading.Thread(target=self._handle_all, name="davfs-database-index", daemon=True),
        )

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def interrupt(self) -> None:
        """End the threads as soon as possible; `stop` waits for them."""
        self._stopping.set()
        self._wake.set()

    def stop(self, timeout: float) -> bool:
        """Stop the threads; return True if they ended within ``timeout`` seconds."""
        self.interrupt()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout / len(self._threads))
        return not any(thread.is_alive() for thread in self._threads)

    # The thread that holds the connection

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._follow()
            except Unavailable as error:
                self._lose(error)
            except Exception:  # noqa: BLE001  the thread has to live: without it other nodes' deletions come late
                _log.exception("the drive could not follow Orthanc's database, and tries it again")
            self._wake.wait(min(self._pause * 2**self._failures, _LONGEST_PAUSE))
            self._failures = min(self._failures + 1, 10)

    def _follow(self) -> None:
        with closing(self._link.connect()) as notifications:
            self._report_once(notifications)
            labels = notifications.labels()
            self._put(partial(self._synchronizer.compare_labels, labels))
            (self._comparison.now if self._failures else self._comparison.soon)()
            _log.warning("the drive follows Orthanc's database%s", " again" if self._failures else "")
            self._failures = 0
            while not self._stopping.is_set():
                if found := notifications.wait(_TICK):
                    self._put(partial(self._update, found))

    def _report_once(self, notifications: Notifications) -> None:
        """Log what the first connection finds wrong."""
        if not self._reported:
            self._reported = True
            for mistake in notifications.mistakes():
                _log.error("%s", mistake)

    def _put(self, task: Callable[[], None]) -> None:
        """Queue a task, once there is room for it."""
        while not self._stopping.is_set():
            with suppress(queue.Full):
                return self._tasks.put(task, timeout=_TICK)
        return None

    def _lose(self, error: Unavailable) -> None:
        """Begin an outage, and log it, unless it is known that Orthanc goes on without this connection."""
        if self._stopping.is_set() or self._failures > 1:
            return
        self._outage.begin()
        if not self._failures:
            text = "the drive cannot follow Orthanc's database: what other Orthancs delete or label shows later: %s"
            _log.warning(text, error)

    # The thread that updates the index

    def _handle_all(self) -> None:
        while not self._stopping.is_set():
            if self._outage.since is not None:
                self._await_orthanc()
                continue
            try:
                task = self._tasks.get(timeout=_TICK)
            except queue.Empty:
                continue
            self._handle(task)

    def _await_orthanc(self) -> None:
        """Ask Orthanc for something in its database: the answer comes once it has connected again."""
        try:
            self._link.ask_orthanc()
        except OrthancError:
            self._stopping.wait(_TICK)
            return
        self._comparison.now()
        self._outage.end()
        self._wake.set()

    def _handle(self, task: Callable[[], None]) -> None:
        """Do a task; it is given up in an outage, after which everything is compared."""
        for _ in range(_ATTEMPTS):
            try:
                return task()
            except OrthancError:  # Orthanc itself does not reach its database, or is stopping
                if self._outage.since is not None or self._stopping.wait(self._pause):
                    return None
            except Exception:  # noqa: BLE001  as in `_run`
                _log.exception("the index could not follow Orthanc's database, and will be compared")
                break
        self._comparison.soon()
        return None

    def _update(self, found: Sequence[Notification]) -> None:
        if gone := list(dict.fromkeys(each.id for each in found if each.deleted)):
            self._synchronizer.handle_deletions(gone)
        if labelled := [(each.level, each.id) for each in found if not each.deleted]:
            self._synchronizer.handle_label_changes(labelled)
