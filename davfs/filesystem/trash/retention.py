"""The thread that deletes for good what was in the trash for too long, and what a drive that ended has left over."""

import logging
import threading
import time
from collections.abc import Callable

from davfs.errors import OrthancError
from davfs.filesystem.trash.trash import Trash

_log = logging.getLogger(__name__)

_PAUSE = 300.0
"""Seconds between two looks at the trash."""
_JUMP, _HELD = 3600.0, 86_400.0
"""Seconds by which the clock may be put forward between two looks; and for which nothing expires if it was by more."""
_FIRST = 5.0
"""Seconds until the first look, and between attempts while Orthanc does not answer."""


class Retention:
    """Deletes for good what is too old.

    Args:
        trash: The trash.
        refresh: Takes note of all marks that were written before.
        pause: Seconds between two looks at it.
        first: Seconds until the first look.
        clocks: Return the time in seconds, as the clock says, and as it passes.
    """

    def __init__(
        self,
        trash: Trash,
        refresh: Callable[[], object],
        pause: float = _PAUSE,
        first: float = _FIRST,
        clocks: tuple[Callable[[], float], Callable[[], float]] = (time.time, time.monotonic),
    ) -> None:
        self._trash = trash
        self._refresh = refresh
        self._pause = pause
        self._first = first
        self._clocks = clocks
        self._ahead = self._difference()
        self._held_until = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="davfs-trash", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def interrupt(self) -> None:
        """End soon: what is not deleted yet is deleted when the drive starts again."""
        self._stopping.set()
        self._trash.interrupt()

    def stop(self, timeout: float) -> bool:
        """Stop; return True if the thread ended within ``timeout`` seconds."""
        self.interrupt()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause, resumed = self._first, False
        while not self._stopping.wait(pause):
            pause = self._first
            try:
                self._refresh()
                if not resumed:
                    self._trash.resume()
                    resumed = True
                if not self._is_clock_doubtful():
                    self._trash.purge_expired()
                pause = self._pause
            except OrthancError as error:
                _log.info("the trash could not be looked through: %s", error.reason)

    def _difference(self) -> float:
        clock, passed = self._clocks
        return clock() - passed()

    def _is_clock_doubtful(self) -> bool:
        """Return True for a day after the clock was put forward: it may be wrong, or was when something was deleted."""
        ahead, now = self._difference(), self._clocks[1]()
        jump, self._ahead = ahead - self._ahead, ahead
        if jump > _JUMP:
            self._held_until = now + _HELD
            _log.error(
                "the clock was put forward by %.1f hours: nothing in the trash is deleted for good by age for a day",
                jump / 3600,
            )
        return now < self._held_until
