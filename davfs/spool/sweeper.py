"""The thread that removes expired files from the spool."""

import logging
import threading

from davfs.spool.files import InboxFiles

_log = logging.getLogger(__name__)

_SWEEPS = 100  # per lifetime of a file
_LONGEST = 600.0
_SHORTEST = 1.0


class Sweeper:
    """Removes expired files from a spool, a hundred times in the lifetime of a file and at least every ten minutes.

    Args:
        spool: The spool.
        maximum_age: Seconds after which a file expires; 0 for never, and then there is no thread.
    """

    def __init__(self, spool: InboxFiles, maximum_age: float) -> None:
        self._spool = spool
        self._needed = maximum_age > 0
        # Bounded before it is divided: the configuration allows numbers that no float can hold.
        self._pause = min(_LONGEST * _SWEEPS, max(_SHORTEST * _SWEEPS, maximum_age)) / _SWEEPS
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="davfs-sweeper", daemon=True)

    def start(self) -> None:
        """Start the thread, if files expire."""
        if self._needed:
            self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Stop; return True if the thread ended within ``timeout`` seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            try:
                self._spool.expire()
            except OSError as error:
                _log.warning("expired files could not be removed from the spool: %s", error.strerror)
