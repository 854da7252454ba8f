"""Sends records to a syslog server, on a thread of its own: a server that hangs makes neither requests nor files wait.

Messages that cannot be sent wait for the next attempt, in a bounded queue. A message that was under way when a
connection broke is sent again, so that it may arrive twice. What TCP had taken and not yet delivered by then is lost,
and no one knows (RFC 6587 section 3.1).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from davfs.audit.backlog import Backlog
from davfs.audit.record import AuditRecord
from davfs.audit.syslog_connection import SyslogConnection

_log = logging.getLogger(__name__)

_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between attempts; the last is repeated."""
_SEND_SECONDS = 10.0
_LAST_SECONDS = 0.5
"""Time limit for a message once the drive stops."""
_REMINDER_SECONDS = 300.0
_AT_ONCE = 64 * 1024
_MOST = 10_000
_IDLE_SECONDS = 1.0


class SyslogSink:
    """Sends records to a syslog server.

    Args:
        connection: The connection.
        encode: Encodes a record as a message.
        name: The server's URL, for the log.
        pauses: Seconds between attempts; the last is repeated.
    """

    def __init__(
        self,
        connection: SyslogConnection,
        encode: Callable[[AuditRecord], bytes],
        name: str,
        pauses: tuple[float, ...] = _PAUSES,
    ) -> None:
        self._connection = connection
        self._name = name
        self._pauses = pauses
        self._new_records: deque[AuditRecord] = deque()
        self._dropped = self._told = 0  # each is changed by one thread alone
        self._backlog = Backlog(encode)
        self._failures, self._reminder = 0, 0.0
        self._new, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="davfs-audit-syslog", daemon=True)

    def write(self, records: list[AuditRecord]) -> None:
        """Take records, and return at once."""
        for record in records:
            if len(self._new_records) < _MOST:
                self._new_records.append(record)
            else:
                self._dropped += 1
        if records:
            if self._thread.ident is None:
                self._thread.start()
            self._new.set()

    def close(self, seconds: float) -> bool:
        """Send what is left, as far as that is possible within so many seconds."""
        self._stopping.set()
        self._new.set()
        if self._thread.ident:
            self._thread.join(seconds)
        if self._thread.is_alive():
            self._connection.abort()
            self._thread.join(_LAST_SECONDS)
        left = len(self._backlog) + len(self._new_records) + self._backlog.lost + self._dropped - self._told
        if left:
            _log.warning("%d records of the audit trail were not sent to %s", left, self._name)
        return not self._thread.is_alive() and not left

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._new.wait(_IDLE_SECONDS)
            self._new.clear()
            self._send_all()
        self._send_all()
        self._connection.close()

    def _send_all(self) -> None:
        self._take()
        try:
            while self._backlog:
                self._send_some()
                self._take()
        except OSError as error:
            self._failed(error)

    def _take(self) -> None:
        taken = [self._new_records.popleft() for _ in range(len(self._new_records))]
        self._backlog.add(taken)
        dropped = self._dropped
        self._backlog.lost += dropped - self._told
        self._told = dropped

    def _send_some(self) -> None:
        for message in self._backlog.first(_AT_ONCE):
            self._connection.send(message, _LAST_SECONDS if self._stopping.is_set() else _SEND_SECONDS)
            self._backlog.remove(1)
            self._succeeded()

    def _succeeded(self) -> None:
        if self._failures:
            _log.warning("the audit trail reaches %s again", self._name)
        self._failures, self._reminder = 0, 0.0

    def _failed(self, error: OSError) -> None:
        now = time.monotonic()
        if now >= self._reminder:
            self._reminder = now + _REMINDER_SECONDS
            waiting = f"{len(self._backlog)} records wait, {self._backlog.lost} are lost"
            _log.warning("the audit trail cannot be sent to %s: %s; %s", self._name, error, waiting)
        pause = self._pauses[min(self._failures, len(self._pauses) - 1)]
        self._failures += 1
        self._stopping.wait(pause)
