"""Polls an Orthanc over HTTP for changes, and turns them into events.

1. Additions and updates increase the last number of the log of changes, which is requested every second.
2. Deletions are in no log: they show in the counts of ``/statistics``, if those are not the earlier ones plus the log's
   new resources. Orthanc counts its rows for them, so they are requested as often as their measured cost allows.
3. Other changes, such as while Orthanc was unreachable, are found by comparing everything: that event is LOST.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from davfs.events import EventKind, ResourceEvent
from davfs.orthanc import ChangeLog, Counts

_log = logging.getLogger(__name__)

_PERIOD = 1.0
"""Seconds between two requests for the log of changes: a listing reads it by itself, this only prepares it."""
_LONGEST = 30.0
"""Longest time in seconds between two attempts to reach an Orthanc that does not answer."""
_SHARE = 0.05
"""Largest share of the time that Orthanc spends on counting."""
_UNSETTLED = 5
"""Inconclusive counts in a row, since something was stored meanwhile; then everything is compared."""


@dataclass(frozen=True, slots=True)
class _Count:
    """Counts, and the newest number of the log when they were taken."""

    last: int
    counts: Counts


class Polling:
    """Source of events for `davfs.catalog.indexer.Indexer` beside an Orthanc, for one thread.

    Args:
        orthanc: The Orthanc.
        now: Clock, in seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        orthanc: ChangeLog,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._orthanc = orthanc
        self._now = now
        self._sleep = sleep
        self._ready = deque[EventKind]()
        self._next = 0.0
        self._next_count = 0.0
        self._failures = 0
        self._last: int | None = None
        self._counted: _Count | None = None
        self._unsettled = 0

    def next_change(self, timeout: float) -> ResourceEvent | None:
        """Wait for the next event; nothing is ever raised.

        Args:
            timeout: Seconds; longer if Orthanc does not answer, by its client's timeouts.

        Returns:
            STARTED when Orthanc answers for the first time, and again with LOST after it was unreachable; OTHER if a
            resource was added or changed; LOST if one was deleted; None after the timeout.
        """
        if not self._ready:
            until_next = self._next - self._now()
            self._sleep(max(0.0, min(timeout, until_next)))
            if until_next > timeout:
                return None
            self._poll()
        return ResourceEvent(self._ready.popleft(), "") if self._ready else None

    def _poll(self) -> None:
        try:
            self._ask()
        except Exception as error:  # noqa: BLE001  the server at that address may be no Orthanc at all
            if not self._failures:
                _log.warning("Orthanc does not answer correctly; this will be retried: %s", type(error).__name__)
            self._next = self._now() + min(_PERIOD * 2**self._failures, _LONGEST)
            self._failures = min(self._failures + 1, 10)
        else:
            self._next = self._now() + _PERIOD

    def _ask(self) -> None:
        last = self._orthanc.last_change()
        if self._last is None or self._failures:
            self._ready += [EventKind.STARTED] if self._last is None else [EventKind.STARTED, EventKind.LOST]
            self._counted = None
            _log.info("Orthanc answers")
        elif last < self._last:
            self._ready.append(EventKind.LOST)  # the number goes back where the newest of all resources is deleted
        elif last > self._last:
            self._ready.append(EventKind.OTHER)
        self._failures = 0
        self._last = last
        if self._now() >= self._next_count:
            self._count()

    def _count(self) -> None:
        """Compare the counts with the last ones, and the differences with the log."""
        started = self._now()
        try:
            before = self._orthanc.last_change()
            counts = self._orthanc.counts()
            expected = self._expected(before)
            settled = self._orthanc.last_change() == before
        finally:
            ended = self._now()
            self._next_count = ended + (ended - started) * (1 / _SHARE - 1)
        self._unsettled = 0 if settled else self._unsettled + 1
        if not settled and self._unsettled < _UNSETTLED:
            return
        if expected is not None and (not settled or expected != _studies_and_series(counts)):
            self._ready.append(EventKind.LOST)
        self._unsettled = 0
        self._counted = _Count(before, counts)

    def _expected(self, last: int) -> tuple[int, int] | None:
        """Return the numbers of studies and series if none was deleted; None at first."""
        if self._counted is None:
            return None
        new = Counter[str]()
        since, done = self._counted.last, False
        while since < last and not done:
            page = self._orthanc.changes(since)
            new.update(change.kind for change in page.entries if change.seq <= last)
            done, since = page.done or page.last <= since, page.last
        studies, series = _studies_and_series(self._counted.counts)
        return studies + new["NewStudy"], series + new["NewSeries"]


def _studies_and_series(counts: Counts) -> tuple[int, int]:
    """Return the counts of studies and series; a deleted instance shows in its series' own listing."""
    return counts.studies, counts.series
