"""Takes records from the threads that answer requests, and passes them to the sinks on a thread of its own.

1. `AuditTrail.record` puts a record into a bounded queue: no I/O, no call into Orthanc, nothing that waits.
2. The thread ``davfs-audit`` takes what has gathered in a second, so that it costs the requests little.
3. It merges parts of one read (`merging`), looks up what the caller did not know, and passes the records to each sink.
4. Records that the queue has no room for are counted; a record and a warning in the log tell their number.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from davfs.audit.merging import RecordMerger
from davfs.audit.record import NOBODY, AuditAction, AuditRecord, lost_records

_log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
"""Seconds in which records gather: one pass over many costs the requests less than many passes."""
_WAKE_SECONDS = 1.0
"""Seconds between looks at what is held back, while nothing comes."""
_SHORTEST_SECONDS = 0.5
"""Time limit for the last records, even if other parts of the drive have taken all of theirs."""
_MOST, _CROWDED = 10_000, 2_500
"""Records that the queue has room for; and with how many the thread does not wait for more."""


class AuditSink(Protocol):
    """A place that records are written to."""

    def write(self, records: list[AuditRecord]) -> None:
        """Write records, or keep them to try again; an empty list to try again. Never raises."""

    def close(self, seconds: float) -> bool:
        """Write what is kept; return True if that was done within so many seconds."""


Completion = Callable[[AuditRecord], AuditRecord]
"""Looks up what a record does not have: its StudyInstanceUID, the number of instances."""


class AuditTrail:
    """Takes records of accesses; without sinks, it ignores them.

    Args:
        sinks: Where they are written.
        unwanted: Actions of which nothing is recorded.
        complete: Looks up what is missing, on the trail's thread.
    """

    def __init__(
        self,
        sinks: Iterable[AuditSink],
        unwanted: Iterable[AuditAction] = (),
        complete: Completion = lambda record: record,
    ) -> None:
        self._sinks = tuple(sinks)
        self._unwanted = frozenset(unwanted)
        self._complete = complete
        self._queue: deque[AuditRecord] = deque()
        self._lost, self._counting = 0, threading.Lock()
        self._merger = RecordMerger()
        self._new, self._hurry, self._stopping = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._run, name="davfs-audit", daemon=True)

    def wants(self, action: AuditAction) -> bool:
        """Return True if records of this action are written: others need not be made."""
        return bool(self._sinks) and action not in self._unwanted

    def record(self, record: AuditRecord) -> None:
        """Take a record. Returns at once, and never raises."""
        if not self.wants(record.action):
            return
        if len(self._queue) >= _MOST:
            with self._counting:
                self._lost += 1
            return
        record.client = record.client.shortened()
        self._queue.append(record)
        if not self._new.is_set():
            self._new.set()
        if len(self._queue) == _CROWDED:
            self._hurry.set()

    def completed(self, record: AuditRecord) -> AuditRecord:
        """Return a record with what it did not have, as far as that is known. The trail does this with each record.

        What is going to be deleted has to be looked up before; other records are better left to the trail's thread.
        """
        try:
            return self._complete(record)
        except Exception as error:  # noqa: BLE001  a record without a StudyInstanceUID is better than none
            _log.debug("a record of the audit trail could not be completed: %s", type(error).__name__)
            return record

    def start(self) -> None:
        """Start the thread, if there is a sink."""
        if self._sinks:
            self._thread.start()
            self.record(AuditRecord(client=NOBODY, action=AuditAction.START))

    def stop(self, seconds: float) -> bool:
        """Write what has been recorded; return True if that was done within so many seconds."""
        self._stopping.set()
        self._new.set()
        self._hurry.set()
        seconds = max(seconds, _SHORTEST_SECONDS)
        deadline = time.monotonic() + seconds
        if self._thread.is_alive():
            self._thread.join(seconds)
        closed = [sink.close(max(0.0, deadline - time.monotonic())) for sink in self._sinks]
        return not self._thread.is_alive() and all(closed)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._new.wait(_WAKE_SECONDS)
            self._hurry.wait(_PAUSE_SECONDS)
            self._new.clear()
            self._hurry.clear()
            self._pass_on()
        self._write([*self._merger.rest(), AuditRecord(client=NOBODY, action=AuditAction.STOP)])

    def _pass_on(self) -> None:
        now, ready = time.monotonic(), list[AuditRecord]()
        for _ in range(len(self._queue)):
            ready += self._merger.add(self._queue.popleft(), now)
        ready += self._merger.expired(now)
        with self._counting:
            lost, self._lost = self._lost, 0
        if lost:
            ready.append(lost_records(lost))
        self._write(ready)

    def _write(self, records: list[AuditRecord]) -> None:
        completed = [self.completed(record) for record in records]
        for sink in self._sinks:
            sink.write(completed)
