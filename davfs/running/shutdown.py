"""How a drive is ended: what takes long is told, threads are waited for within one time limit, files are closed."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

THREADS = "davfs-"
"""Begins the name of each thread of a drive."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The parts of a drive that have to be ended, each kind in its order.

    Attributes:
        hasten: Tell what takes long to end, without waiting for it: imports of ZIPs, the first index.
        threads: Each stops some threads, and returns whether they have ended within so many seconds.
        files: Each closes files and connections.
    """

    hasten: tuple[Callable[[], object], ...]
    threads: tuple[Callable[[float], bool], ...]
    files: tuple[Callable[[], object], ...]

    def begin(self) -> None:
        """Tell what takes long to end; what does not can go on until `finish`."""
        for each in self.hasten:
            each()

    def finish(self, seconds: float) -> None:
        """End everything, whatever becomes of single parts.

        Args:
            seconds: Time for all threads together; those that run after it are named in the log, and left behind.
        """
        self.begin()
        deadline = time.monotonic() + seconds
        for stop in self.threads:
            _attempt(partial(stop, max(0.0, deadline - time.monotonic())))
        for close in self.files:
            _attempt(close)


def log_running_threads() -> None:
    """Log the names of the threads that still run once a drive has ended."""
    names = sorted(thread.name for thread in threading.enumerate() if thread.name.startswith(THREADS))
    if names:
        _log.warning("not everything has ended in time: %s", ", ".join(names))


def _attempt(end: Callable[[], object]) -> None:
    try:
        end()
    except Exception as error:  # noqa: BLE001  the others have to be ended as well
        _log.error("a part of the drive did not end: %s", type(error).__name__)
