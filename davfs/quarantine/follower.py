"""Keeps the filters' table of identities in step with the index, and passes on the instances that were held."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from davfs.quarantine.identity import Quarantined

_INTERVAL = 0.5
"""Seconds between two readings of Orthanc's log: what other Orthancs have stored is known after that."""
_SETTLED = 60.0
"""Seconds after which what was let in is in the index, or was not stored."""
_REPORT_INTERVAL = 60.0
"""Seconds, at least, between two lines in the log about instances that were held."""

_log = logging.getLogger(__name__)


class IdentityTable(Protocol):
    """The table by which the filters decide."""

    def set_study(self, study: str, patient: Mapping[str, str]) -> None:
        """Set the attributes of a study's patient, by keyword."""

    def forget_study(self, study: str) -> None:
        """Forget a study; it need not be known."""

    def clear(self) -> None:
        """Forget all studies; not all are known from then on."""

    def set_complete(self, *, complete: bool) -> None:
        """Set whether all studies in the archive are known."""

    def settle(self, seconds: float) -> None:
        """Forget identities that arrived that many seconds ago, and are those of no study."""


class FollowedIndex(Protocol):
    """The index: `davfs.catalog.catalog.Catalog` is one."""

    @property
    def may_lack_resources(self) -> bool:
        """True while studies may be missing or outdated."""

    def refresh(self) -> None:
        """Read Orthanc's log of changes."""


class HeldQueue(Protocol):
    """The instances that the filters held."""

    def take(self, timeout: float, keep: Callable[[Quarantined, memoryview], None]) -> bool:
        """Wait that many seconds for the next one, and pass it on; return False if there was none."""

    def lost(self) -> int:
        """Return how many could not be queued, since the last call."""


class StudyIdentities:
    """Passes the patients of the studies in the index to the table: a `StudyObserver`.

    Args:
        table: The filters' table.

    Attributes:
        table: The same.
        is_loaded: Whether the studies that were in the index from the start are in the table.
    """

    def __init__(self, table: IdentityTable) -> None:
        self.table = table
        self.is_loaded = False

    def load(self, job: Callable[[], None]) -> None:
        """Run the job that sets all studies."""
        self.is_loaded = True  # what is missed meanwhile makes it False again
        try:
            job()
        except BaseException:
            self.is_loaded = False
            raise

    def changed(self, patients: Mapping[str, Mapping[str, str] | None]) -> None:
        """See `StudyObserver`."""
        for study, patient in patients.items():
            if patient is None:
                self.table.forget_study(study)
            else:
                self.table.set_study(study, patient)

    def cleared(self) -> None:
        """See `StudyObserver`."""
        self.table.clear()

    def missed(self) -> None:
        """See `StudyObserver`."""
        self.is_loaded = False
        self.table.set_complete(complete=False)


class QuarantineFollower:
    """The thread of the quarantine.

    Until all studies of the archive are in the table, the filters let in only what agrees with it, and refuse the rest
    for now.

    Args:
        studies: Sets the studies in the filters' table.
        queue: What the filters held.
        load: Sets all studies that are in the index already.
        keep: Keeps an instance that was held.
        now: Monotonic clock, in seconds.
    """

    def __init__(
        self,
        studies: StudyIdentities,
        queue: HeldQueue,
        load: Callable[[], None],
        keep: Callable[[Quarantined, memoryview], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._studies = studies
        self._queue = queue
        self._load = load
        self._keep = keep
        self._now = now
        self._complete = False
        self._next = self._next_report = 0.0
        self._held = self._dropped = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, index: FollowedIndex) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, args=(index,), name="davfs-quarantine", daemon=True)
        self._thread.start()

    def interrupt(self) -> None:
        """End the thread as soon as possible; `stop` waits for it."""
        self._stopping.set()

    def stop(self, timeout: float) -> bool:
        """Stop; return True if the thread ended within ``timeout`` seconds."""
        self.interrupt()
        if self._thread:
            self._thread.join(timeout)
        return not (self._thread and self._thread.is_alive())

    def _run(self, index: FollowedIndex) -> None:
        while not self._stopping.is_set():
            try:
                self._step(index)
            except Exception as error:  # noqa: BLE001  the thread has to live: without it nothing new is let in
                self._log_failure(type(error).__name__)

    def _log_failure(self, name: str) -> None:
        if not self._stopping.is_set():
            _log.warning("the quarantine could not follow the archive, and tries again: %s", name)
            self._stopping.wait(_INTERVAL)

    def _step(self, index: FollowedIndex) -> None:
        self._queue.take(_INTERVAL / 2, self._keep_held)
        if self._now() < self._next:
            return
        self._follow(index)
        self._report()
        self._next = self._now() + _INTERVAL

    def _follow(self, index: FollowedIndex) -> None:
        if not self._studies.is_loaded:
            self._studies.load(self._load)
        index.refresh()
        complete = self._studies.is_loaded and not index.may_lack_resources
        self._studies.table.set_complete(complete=complete)
        if complete:
            self._studies.table.settle(_SETTLED)
        if complete is not self._complete:
            self._complete = complete
            known = "all identities in the archive are known" if complete else "new patients are refused for now"
            _log.info("quarantine: %s", known)

    def _keep_held(self, held: Quarantined, content: memoryview) -> None:
        kept = self._keep(held, content)
        self._held += 1
        self._dropped += not kept

    def _report(self) -> None:
        lost = self._queue.lost()
        self._held += lost
        self._dropped += lost
        if self._held and self._now() >= self._next_report:
            text = "%d instances contradict the identities in the archive: they are in inbox/quarantine/, except %d"
            _log.warning(f"{text} for which there was no room", self._held, self._dropped)
            self._held = self._dropped = 0
            self._next_report = self._now() + _REPORT_INTERVAL
