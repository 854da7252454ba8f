"""The thread that deletes for good what was in the trash for too long, and what a drive that ended has left over."""

import logging
import threading
from collections.abc import Callable

from davfs.errors import OrthancError
from davfs.filesystem.trash.trash import Trash

_log = logging.getLogger(__name__)

_PAUSE = 300.0
"""Seconds between two looks at the trash."""
_FIRST = 5.0
"""Seconds until the first look, and between attempts while Orthanc does not answer."""


class Retention:
    """Deletes for good what is too old.

    Args:
        trash: The trash.
        refresh: Takes note of all marks that were written before.
        pause: Seconds between two looks at it.
        first: Seconds until the first look.
    """

    def __init__(
        self, trash: Trash, refresh: Callable[[], object], pause: float = _PAUSE, first: float = _FIRST
    ) -> None:
        self._trash = trash
        self._refresh = refresh
        self._pause = pause
        self._first = first
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
                self._trash.purge_expired()
                pause = self._pause
            except OrthancError as error:
                _log.info("the trash could not be looked through: %s", error.reason)
