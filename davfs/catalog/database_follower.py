"""The thread that follows Orthanc's database: what another Orthanc on it deletes or labels, the index knows at once.

Without a connection, the drive continues: deletions are found by comparisons, as without this thread (`indexer`), and
labels by reading everything again in turn. After each connection the index is compared, since notifications may have
been missed.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import closing

from davfs.catalog.synchronizer import Synchronizer
from davfs.errors import OrthancError, Unavailable
from davfs.orthanc.postgresql import Notification, Notifications

_log = logging.getLogger(__name__)

_TICK = 0.5
"""Seconds after which the thread looks whether it has to stop."""
_PAUSE = 2.0
"""Seconds between two attempts to connect; the double after each failure."""
_LONGEST_PAUSE = 30.0


class DatabaseFollower:
    """Updates the index from notifications of the database.

    Args:
        connect: Connects to the database, and may raise Unavailable.
        synchronizer: Updates the index.
        reconcile_soon: Requests a comparison of the whole index.
        pause: Seconds between two attempts to connect, at first.
    """

    def __init__(
        self,
        connect: Callable[[], Notifications],
        synchronizer: Synchronizer,
        reconcile_soon: Callable[[], object],
        pause: float = _PAUSE,
    ) -> None:
        self._connect = connect
        self._synchronizer = synchronizer
        self._reconcile_soon = reconcile_soon
        self._pause = pause
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="davfs-database", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def interrupt(self) -> None:
        """End the thread as soon as possible; `stop` waits for it."""
        self._stopping.set()

    def stop(self, timeout: float) -> bool:
        """Stop the thread; return True if it ended within ``timeout`` seconds."""
        self.interrupt()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except Unavailable as error:
                self._log_loss(error)
            except Exception:  # noqa: BLE001  the thread has to live: without it other nodes' deletions come late
                _log.exception("the drive could not follow Orthanc's database, and tries it again")
            self._stopping.wait(min(self._pause * 2**self._failures, _LONGEST_PAUSE))
            self._failures = min(self._failures + 1, 10)

    def _follow(self) -> None:
        with closing(self._connect()) as notifications:
            self._reconcile_soon()
            _log.warning("the drive follows Orthanc's database%s", " again" if self._failures else "")
            self._failures = 0
            while not self._stopping.is_set():
                if found := notifications.wait(_TICK):
                    self._handle(found)

    def _handle(self, found: Sequence[Notification]) -> None:
        try:
            if gone := list(dict.fromkeys(each.id for each in found if each.deleted)):
                self._synchronizer.handle_deletions(gone)
            if labelled := [(each.level, each.id) for each in found if not each.deleted]:
                self._synchronizer.handle_label_changes(labelled)
        except OrthancError:
            self._reconcile_soon()  # Orthanc itself does not reach its database, or is stopping

    def _log_loss(self, error: Unavailable) -> None:
        """Log the first failure in a row."""
        if not self._failures and not self._stopping.is_set():
            text = "the drive cannot follow Orthanc's database: what other Orthancs delete or label shows later: %s"
            _log.warning(text, error)
