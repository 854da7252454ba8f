"""The thread that builds the first index, follows Orthanc's events, and reconciles where something was missed."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from davfs.catalog.catalog import Catalog
from davfs.catalog.facts import Facts
from davfs.errors import OrthancError
from davfs.events import EventKind, ResourceEvent
from davfs.orthanc.model import OrthancId

_log = logging.getLogger(__name__)

_TICK = 0.5
"""Seconds to wait for an event before looking at what else is due."""
_BATCH = 1000
"""Events that are handled together: an import of a series is one refresh, not hundreds."""
_LONGEST_STALE = 5.0
"""Seconds after which arrivals are taken over even where more keep coming: about as many as one call tells."""
_SHARE = 0.05
"""Largest part of the time that is spent comparing the whole index."""
_PERIOD = 2.0
"""Seconds, at least, between two looks at what no event tells."""
_TURN = 10.0
"""Seconds, at least, in which everything is read again once."""
_FORGET = 300.0
"""Seconds, at least, for which the tags of instances are kept."""
_QUICK = 2.0
"""Seconds that listings wait for the first index: a small archive is complete from the start."""


class Indexer:
    """Keeps a catalog in step with its Orthanc.

    Args:
        next_change: Waits that many seconds for an event; None for none.
        now: Clock, in seconds.
    """

    def __init__(
        self,
        next_change: Callable[[float], ResourceEvent | None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._next_change = next_change
        self._now = now
        self._stopping = threading.Event()
        self._built = threading.Event()
        self._due = threading.Event()
        self._started = False
        self._not_before = 0.0
        self._next_look = 0.0
        self._next_reading = self._turn_began = self._forgotten = now()
        self._stale_since: float | None = None
        self._patient_until: float | None = None
        self._catalog: Catalog | None = None
        self._also: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self.progress = (0, 0)

    def reconcile_soon(self) -> None:
        """Ask for a comparison of the whole index, as soon as its share of the time allows."""
        self._due.set()

    def index_anew(self) -> None:
        """Build the index again, as at first: the catalog's file was lost."""
        self._built.clear()
        if self._catalog:
            self._catalog.facts.building = True
        self.reconcile_soon()

    def wait_for_first_index(self) -> bool:
        """Wait for the first index, all callers together no longer than a moment; return whether it is complete."""
        if self._patient_until is None:
            self._patient_until = self._now() + _QUICK
        return self._built.wait(max(0.0, self._patient_until - self._now()))

    @property
    def built(self) -> bool:
        """Whether the first index is complete."""
        return self._built.is_set()

    def start(self, catalog: Catalog, also: Callable[[], None] = lambda: None) -> None:
        """Start the thread, which calls `also` now and then; the index is built once Orthanc has started."""
        self._catalog = catalog
        self._also = also
        catalog.facts.building = True
        self._thread = threading.Thread(target=self._run, args=(catalog.facts,), name="davfs-catalog", daemon=True)
        self._thread.start()

    def interrupt(self) -> None:
        """Have the thread end as soon as it can, also in the middle of the first index; `stop` waits for it."""
        self._stopping.set()

    def stop(self, timeout: float) -> bool:
        """Stop the thread; return whether it ended within ``timeout`` seconds."""
        self.interrupt()
        if self._thread:
            self._thread.join(timeout)
        return not (self._thread and self._thread.is_alive())

    def _run(self, facts: Facts) -> None:
        while not self._stopping.is_set():
            try:
                self._step(facts)
            except OrthancError as error:
                if self._stopping.is_set():
                    return
                _log.warning("the catalog could not follow Orthanc, and will compare itself: %s", error)
                self.reconcile_soon()
            except Exception:  # noqa: BLE001  the thread has to live: without it deletions go unnoticed
                _log.exception("the catalog could not follow Orthanc, and will compare itself")
                self.reconcile_soon()
                self._stopping.wait(_TICK)

    def _step(self, facts: Facts) -> None:
        self._also()
        events = self._wait()
        kinds = {event.kind for event in events}
        if gone := [OrthancId(event.id) for event in events if event.kind is EventKind.DELETED]:
            facts.deleted(gone)
        if EventKind.STARTED in kinds:
            self._started = True
        if kinds & {EventKind.STARTED, EventKind.LOST}:
            self.reconcile_soon()
        facts.return_to_file()
        self._prefetch(facts, arriving=EventKind.OTHER in kinds)
        self._read_again(facts)
        self._look_around(facts)
        if self._due.is_set() and self._started and self._now() >= self._not_before:
            self._compare(facts)

    def _prefetch(self, facts: Facts, *, arriving: bool) -> None:
        """Take over what has come once nothing more comes: listings refresh by themselves, this makes them quick."""
        if arriving and self._stale_since is None:
            self._stale_since = self._now()
        if self._stale_since is None or not self._built.is_set():
            return
        if not arriving or self._now() - self._stale_since > _LONGEST_STALE:
            self._stale_since = None
            facts.refresh()

    def _read_again(self, facts: Facts) -> None:
        """Read a part of the archive again, one after the other: Orthanc does not tell of all changes."""
        if not self._built.is_set() or self._now() < self._next_reading:
            return
        started, ended = self._now(), False
        with suppress(OrthancError):  # as in `_look_around`
            ended = facts.read_again()
        now = self._now()
        self._next_reading = now + (now - started) * (1 / _SHARE - 1)
        if ended:
            self._next_reading = max(self._next_reading, self._turn_began + _TURN)
            self._turn_began = self._next_reading
            if now >= self._forgotten + _FORGET:
                facts.forget_instances()
                self._forgotten = now

    def _look_around(self, facts: Facts) -> None:
        """Notice what no event tells: what another process on the same database has deleted."""
        if not self._built.is_set() or self._now() < self._next_look:
            return
        started = self._now()
        with suppress(OrthancError):  # it will be looked at again, and what is known meanwhile is no worse
            if facts.differs():
                self.reconcile_soon()
        ended = self._now()
        self._next_look = ended + max(_PERIOD, (ended - started) * (1 / _SHARE - 1))

    def _wait(self) -> list[ResourceEvent]:
        first = self._next_change(_TICK)
        if first is None:
            self._stopping.wait(0.01)  # the queue answers at once while the plugin is being finalized
            return []
        events = [first]
        while len(events) < _BATCH and (event := self._next_change(0)):
            events.append(event)
        return events

    def _compare(self, facts: Facts) -> None:
        started = self._now()
        self._due.clear()
        facts.reconcile(self._report)
        cost = self._now() - started
        self._not_before = self._now() + cost * (1 / _SHARE - 1)
        if not self._built.is_set():
            facts.building = False
            self._built.set()
            _log.info("the index is complete after %.1f s (%d resources fetched)", cost, self.progress[1])

    def _report(self, done: int, total: int) -> None:
        self.progress = (done, total)
        if self._stopping.is_set():
            raise OrthancError("the catalog is being stopped")
