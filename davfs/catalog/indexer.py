"""The background thread that builds the first index and keeps the index up to date between requests.

1. After Orthanc's event STARTED, it builds the first index: it fetches all studies and series.
2. It forgets what is deleted, as events tell, and indexes new resources once no more come in.
3. It re-reads the archive part by part, since not all changes of tags are in Orthanc's log.
4. It compares the numbers of resources, to notice what was deleted by another Orthanc on the same database.
5. Where something was missed, it compares the whole index.
6. It checks the index's file for damage, if Orthanc was killed before.

Steps 3 to 5 take a twentieth of the time at most.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from davfs.catalog.catalog import Catalog
from davfs.errors import DatabaseGone, OrthancError
from davfs.events import EventKind, ResourceEvent
from davfs.orthanc.model import OrthancId

_log = logging.getLogger(__name__)

_TICK = 0.5
"""Seconds to wait for an event before other work that is due."""
_BATCH = 1000
"""Events that are handled together: an import of a series is one refresh, not hundreds."""
_MAX_DELAY = 5.0
"""Seconds after which new resources are indexed even if more keep coming: about as many as one request returns."""
_SHARE = 0.05
"""Largest part of the time that is spent on comparisons."""
_COUNT_INTERVAL = 2.0
"""Seconds, at least, between two comparisons of counts."""
_ROUND = 10.0
"""Seconds, at least, in which everything is re-read once."""
_INSTANCE_LIFETIME = 300.0
"""Seconds, at least, for which the tags of instances are cached."""
_FIRST_INDEX_WAIT = 0.9
"""Seconds that listings wait for the first index: a small archive is complete from the start."""


class Indexer:
    """Builds and updates the index of a catalog.

    Args:
        next_change: Waits that many seconds for an event; None for none.
        now: Clock, in seconds.

    Attributes:
        progress: Number of resources fetched by the comparison that runs now, and of those to fetch.
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
        self._reconcile_due = threading.Event()
        self._orthanc_started = False
        self._distrusting, self._distrusted = threading.Lock(), 0
        self._next_reconcile = self._next_count = self._fetching_since = 0.0
        self._next_reread = self._round_began = self._instances_forgotten = now()
        self._arriving_since: float | None = None
        self._wait_until: float | None = None
        self._catalog: Catalog | None = None
        self._call_regularly: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self.progress = (0, 0)

    def reconcile_soon(self) -> None:
        """Request a comparison of the whole index, as soon as its share of the time allows."""
        self._reconcile_due.set()

    def reconcile_now(self) -> None:
        """Request a comparison of the whole index at once; until it is complete, listings compare themselves."""
        with self._distrusting:
            self._distrusted += 1
            if self._catalog:
                self._catalog.synchronizer.building = True
        self._next_reconcile = 0.0
        self.reconcile_soon()

    def rebuild(self) -> None:
        """Build the first index again: the index's file was lost."""
        self._built.clear()
        if self._catalog:
            self._catalog.synchronizer.building = True
        self.reconcile_soon()

    def wait_for_first_index(self) -> bool:
        """Wait for the first index, all callers together less than a second; return True if it is complete."""
        if self._wait_until is None:
            self._wait_until = self._now() + _FIRST_INDEX_WAIT
        return self._built.wait(max(0.0, self._wait_until - self._now()))

    @property
    def built(self) -> bool:
        """True once the first index is complete."""
        return self._built.is_set()

    def start(self, catalog: Catalog, also: Callable[[], None] = lambda: None) -> None:
        """Start the thread, which also calls ``also`` regularly; it builds the first index after the event STARTED."""
        self._catalog = catalog
        self._call_regularly = also
        catalog.synchronizer.building = True
        self._thread = threading.Thread(target=self._run, args=(catalog,), name="davfs-catalog", daemon=True)
        self._thread.start()

    def interrupt(self) -> None:
        """End the thread as soon as possible, also in the middle of the first index; `stop` waits for it."""
        self._stopping.set()

    def stop(self, timeout: float) -> bool:
        """Stop the thread; return True if it ended within ``timeout`` seconds."""
        self.interrupt()
        if self._thread:
            self._thread.join(timeout)
        return not (self._thread and self._thread.is_alive())

    def _run(self, catalog: Catalog) -> None:
        while not self._stopping.is_set():
            try:
                self._step(catalog)
            except DatabaseGone:
                self.reconcile_soon()
                self._stopping.wait(_TICK)
            except OrthancError as error:
                if self._stopping.is_set():
                    return
                _log.warning("the catalog could not be updated, and will be compared with Orthanc: %s", error)
                self.reconcile_soon()
            except Exception:  # noqa: BLE001  the thread has to live: without it deletions go unnoticed
                _log.exception("the catalog could not follow Orthanc, and will compare itself")
                self.reconcile_soon()
                self._stopping.wait(_TICK)

    def _step(self, catalog: Catalog) -> None:
        self._call_regularly()
        events = self._wait()
        kinds = {event.kind for event in events}
        if gone := [OrthancId(event.id) for event in events if event.kind is EventKind.DELETED]:
            catalog.synchronizer.handle_deletions(gone)
        if EventKind.STARTED in kinds:
            self._orthanc_started = True
        if kinds & {EventKind.STARTED, EventKind.LOST}:
            self.reconcile_soon()
        catalog.checkpoint()
        catalog.return_to_file()
        if self._built.is_set():
            catalog.check_next()
        self._prefetch(catalog, arriving=EventKind.OTHER in kinds)
        self._reread(catalog)
        self._compare_counts(catalog)
        if self._reconcile_due.is_set() and self._orthanc_started and self._now() >= self._next_reconcile:
            self._reconcile(catalog)

    def _wait(self) -> list[ResourceEvent]:
        first = self._next_change(_TICK)
        if first is None:
            self._stopping.wait(0.01)  # the queue answers at once while the plugin is being finalized
            return []
        events = [first]
        while len(events) < _BATCH and (event := self._next_change(0)):
            events.append(event)
        return events

    def _prefetch(self, catalog: Catalog, *, arriving: bool) -> None:
        """Index new resources once no more come in: each request does so by itself, and is quicker this way."""
        if arriving and self._arriving_since is None:
            self._arriving_since = self._now()
        if self._arriving_since is None or not self._built.is_set():
            return
        if not arriving or self._now() - self._arriving_since > _MAX_DELAY:
            self._arriving_since = None
            catalog.refresh()

    def _reread(self, catalog: Catalog) -> None:
        """Re-read a part of the archive, since Orthanc's log does not have all changes."""
        if not self._built.is_set() or self._now() < self._next_reread:
            return
        started, complete = self._now(), False
        with suppress(OrthancError):  # as in `_compare_counts`
            complete = catalog.reconciler.reread_part()
        now = self._now()
        self._next_reread = now + (now - started) * (1 / _SHARE - 1)
        if complete:
            self._next_reread = max(self._next_reread, self._round_began + _ROUND)
            self._round_began = self._next_reread
            if now >= self._instances_forgotten + _INSTANCE_LIFETIME:
                catalog.synchronizer.forget_instances()
                self._instances_forgotten = now

    def _compare_counts(self, catalog: Catalog) -> None:
        """Notice resources that were deleted by another Orthanc on the same database, for which no event comes."""
        if not self._built.is_set() or self._now() < self._next_count:
            return
        started = self._now()
        with suppress(OrthancError):  # it will be retried, and the index is no worse meanwhile
            if catalog.reconciler.counts_differ():
                self.reconcile_soon()
        ended = self._now()
        self._next_count = ended + max(_COUNT_INTERVAL, (ended - started) * (1 / _SHARE - 1))

    def _reconcile(self, catalog: Catalog) -> None:
        started, distrusted = self._now(), self._distrusted
        self._reconcile_due.clear()
        catalog.reconciler.reconcile(self._report)
        cost, compared = self._now() - started, self._fetching_since - started  # what was fetched is not fetched again
        self._next_reconcile = self._now() + compared * (1 / _SHARE - 1)
        with self._distrusting:
            catalog.synchronizer.building = self._distrusted != distrusted
        if not self._built.is_set():
            self._built.set()
            _log.info("the index is complete after %.1f s (%d resources fetched)", cost, self.progress[1])

    def _report(self, done: int, total: int) -> None:
        self.progress = (done, total)
        if not done:
            self._fetching_since = self._now()
        if self._stopping.is_set():
            raise OrthancError("the catalog is being stopped")
