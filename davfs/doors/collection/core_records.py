"""Passes to the audit trail what was done without Python: files that C has sent, and arrivals past the drive."""

import logging
import threading

from davfs.audit.record import AuditAction, AuditRecord, lost_records
from davfs.audit.trail import AuditTrail
from davfs.sdk import arrivals, reads

_log = logging.getLogger(__name__)

_WAIT_SECONDS = 1.0
_PAUSE_SECONDS = 1.0
"""Pause in which reads gather: one pass over many costs the requests less than many passes."""
_ARRIVAL_SECONDS = 60
"""Seconds for which the arrivals of a series are counted before they become a record."""


class CoreRecords:
    """The thread ``davfs-audit-core``, which reads the queues in native/read_queue.c and native/arrivals.c.

    Args:
        trail: Takes the records.
        hold: Seconds for which the arrivals of a series are counted.
    """

    def __init__(self, trail: AuditTrail, hold: int = _ARRIVAL_SECONDS) -> None:
        self._trail = trail
        self._hold = hold
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="davfs-audit-core", daemon=True)

    def start(self) -> None:
        """Open the queues of what is wanted, and start the thread if any is."""
        wants_reads, wants_arrivals = map(self._trail.wants, (AuditAction.READ, AuditAction.ARRIVAL))
        if wants_reads:
            reads.open_reads()
        if wants_arrivals:
            arrivals.open_arrivals()
        if wants_reads or wants_arrivals:
            self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Close the queues and record what is in them; return True if that was done within so many seconds."""
        self._stopping.set()
        arrivals.close_arrivals()
        reads.close_reads()
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._pass_on(_WAIT_SECONDS, self._hold)
            except Exception as error:  # noqa: BLE001  the thread has to live: without it the queues overflow
                _log.warning("some records of the audit trail were lost: %s", type(error).__name__)
            self._stopping.wait(_PAUSE_SECONDS)
        self._pass_on(0, 0)

    def _pass_on(self, wait: float, hold: int) -> None:
        while taken := reads.take_reads(wait):
            self._record(taken)
            wait = 0
        self._record(list(arrivals.take_arrivals(hold)))
        if lost := reads.lost_reads() + arrivals.lost_arrivals():
            self._record([lost_records(lost)])

    def _record(self, records: list[AuditRecord]) -> None:
        for record in records:
            self._trail.record(record)
