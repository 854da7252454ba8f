"""The thread that takes images out of the trash that were sent to Orthanc again, past the drive.

Orthanc has such an image already and answers that all is well, so that its sender may delete its copy. C queues these
images (native/sent_again.c). What is queued is looked up before anything is deleted for good; what is left when the
drive ends is in a file, until it starts again.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from davfs.cache import LruSet
from davfs.errors import DavfsError
from davfs.filesystem.trash import changes
from davfs.orthanc.model import OrthancId
from davfs.trash.known_marks import KnownMarks
from davfs.trash.mark import StudyMark
from davfs.trash.marks import Marks

_log = logging.getLogger(__name__)

POSTPONED = 7 * 86_400.0
"""Seconds for which nothing is deleted for good by itself after an image sent again could not be queued."""
_DELETED, _DELETED_SECONDS = 10_000, 60.0
"""Images that are remembered to have been deleted for good, and for how many seconds."""
_WAIT = 1.0
"""Seconds for which the thread waits for an image, and between attempts while Orthanc does not answer."""
_GATHER = 0.1
"""Seconds in which images gather: looking up many costs little more than one."""


class SentAgainQueue(Protocol):
    """The queue in C: `davfs.sdk.sent_again.InstancesSentAgain`."""

    def wait(self, seconds: float) -> None:
        """Wait until there is one, for so many seconds at most."""

    def take(self) -> list[str]:
        """Return some instances, oldest first; none if there are none."""

    def lost(self) -> int:
        """Return the number of those for which there was no room since the last call."""

    def close(self) -> None:
        """End all waiting."""


class StudiesOfInstances(Protocol):
    """The part of Orthanc that is needed."""

    def studies_of(self, ids: Sequence[OrthancId]) -> Sequence[OrthancId]:
        """See `davfs.orthanc.ResourceIndex`."""

    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """See `davfs.orthanc.ResourceIndex`."""


@dataclass(frozen=True, slots=True)
class ShownAgain:
    """Takes images out of the trash, and no others.

    Attributes:
        refresh: Takes note of all marks that were written before.
        known: The marks as they were read last.
        marks: Changes the marks.
        orthanc: Has all images.
        deleted: Images that this drive has deleted for good in the last minute, or is deleting.
    """

    refresh: Callable[[], object]
    known: KnownMarks
    marks: Marks
    orthanc: StudiesOfInstances
    deleted: LruSet[OrthancId] = field(default_factory=lambda: LruSet(_DELETED, lifetime=_DELETED_SECONDS))

    def note_deleted(self, instances: Sequence[OrthancId]) -> None:
        """Take note that images are about to be deleted for good."""
        for one in instances:
            self.deleted.add(one)

    def show(self, instances: Sequence[OrthancId]) -> None:
        """Take those of the images out of the trash that are in it, also if a drive is about to delete them for good.

        Raises:
            OrthancError: Orthanc does not answer: nothing is decided.
        """
        self.refresh()
        if self.known.are_none and not any(one in self.deleted for one in instances):
            return
        if gone := len(instances) - len(self.orthanc.existing(instances)):
            _log.warning("%d images were deleted when they had just been sent again: send them once more", gone)
        marked = self.known.of(self.orthanc.studies_of(instances))
        again = frozenset(instances)
        for study, mark in marked.items():
            if mark.is_readable and _lists(mark, again):
                self.marks.change(study, partial(changes.sent_again, again))
                _log.info("study %s: images that were sent again are out of the trash", study)


class SentAgain:
    """The thread ``davfs-sent-again``.

    Args:
        queue: Has the images.
        show: Takes images out of the trash.
        file: Keeps what is left when the drive ends.
        now: Clock, in seconds since the epoch.
    """

    def __init__(
        self,
        queue: SentAgainQueue,
        show: Callable[[Sequence[OrthancId]], object],
        file: Path,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._queue = queue
        self._show = show
        self._file = file
        self._now = now
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="davfs-sent-again", daemon=True)
        self._waiting, self._lost_at = self._load()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def interrupt(self) -> None:
        """End soon."""
        self._stopping.set()
        self._queue.close()

    def stop(self, timeout: float) -> bool:
        """Stop, and keep what is left; return True if the thread ended within ``timeout`` seconds."""
        self.interrupt()
        if self._thread.is_alive():
            self._thread.join(timeout)
        while self._take():
            pass
        self._note_lost()
        self._save()
        return not self._thread.is_alive()

    @property
    def is_incomplete(self) -> bool:
        """True if images were sent again lately of which it is not known which."""
        self._note_lost()
        return self._now() < self._lost_at + POSTPONED

    def settle(self) -> None:
        """Take all images out of the trash that have been sent again until now.

        Raises:
            OrthancError: Orthanc does not answer; they are kept until it does.
        """
        with self._lock:  # what another thread is looking up is not settled either
            self._note_lost()
            while self._waiting or self._take():
                self._show(self._waiting)
                self._waiting = []
                self._save()

    def _take(self) -> bool:
        """Take some from the queue; return False if it is empty."""
        taken = self._queue.take()
        self._waiting = list(dict.fromkeys((*self._waiting, *map(OrthancId, taken))))
        return bool(taken)

    def _note_lost(self) -> None:
        if not (lost := self._queue.lost()):
            return
        self._lost_at = self._now()
        self._save()
        _log.error(
            "%d images were sent again and there was no room to note which: those in the trash stay there, and nothing "
            "is deleted for good by itself for %d days; restore what was sent",
            lost,
            POSTPONED // 86_400,
        )

    def _run(self) -> None:
        failed = False
        while not self._stopping.is_set():
            if not self._waiting:
                self._queue.wait(_WAIT)
            self._stopping.wait(_GATHER)
            try:
                self.settle()
                failed = False
            except Exception as error:  # noqa: BLE001  the thread has to live: the queue is bounded
                reason = error if isinstance(error, DavfsError) else type(error).__name__
                level = logging.INFO if failed else logging.WARNING
                _log.log(level, "images that were sent again cannot be looked up, and are tried once more: %s", reason)
                failed = True
                self._stopping.wait(_WAIT)

    # What is left

    def _load(self) -> tuple[list[OrthancId], float]:
        """Return the images in the file, and when some were lost."""
        try:
            form = json.loads(self._file.read_bytes())
            return list(map(OrthancId, form["instances"])), float(form["lost"])
        except (OSError, ValueError, TypeError, KeyError):
            return [], 0.0

    def _save(self) -> None:
        """Keep what is left for the next start; it is seldom that anything is."""
        try:
            if not self._waiting and self._now() >= self._lost_at + POSTPONED:
                self._file.unlink(missing_ok=True)
                return
            new = self._file.with_name(f"{self._file.name}.new")
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps({"instances": self._waiting, "lost": self._lost_at}).encode())
                os.fsync(file.fileno())
            new.replace(self._file)
        except OSError as error:
            _log.error("images that were sent again cannot be kept for the next start: %s", error.strerror)


def _lists(mark: StudyMark, instances: frozenset[OrthancId]) -> bool:
    return any(not ids.isdisjoint(instances) for ids in mark.instances.values())
