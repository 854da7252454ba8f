"""Shuts a drive down: interrupts long work, stops threads within one time limit, closes files."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

THREADS = "davfs-"
"""Prefix of the names of a drive's threads."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The parts of a drive that have to be stopped, in this order.

    Attributes:
        interrupt: Interrupt what takes long, without waiting for it: imports of ZIPs, the first index.
        stop: Each stops some threads, and returns True if they have ended within so many seconds.
        close: Each closes files and connections.
    """

    interrupt: tuple[Callable[[], object], ...]
    stop: tuple[Callable[[float], bool], ...]
    close: tuple[Callable[[], object], ...]

    def begin(self) -> None:
        """Interrupt what takes long; everything else can go on until `finish`."""
        for interrupt in self.interrupt:
            interrupt()

    def finish(self, seconds: float) -> None:
        """Stop everything, even if single parts fail.

        Args:
            seconds: Time limit for all threads together; those that still run after it are left behind.
        """
        self.begin()
        deadline = time.monotonic() + seconds
        for stop in self.stop:
            _attempt(partial(stop, max(0.0, deadline - time.monotonic())))
        for close in self.close:
            _attempt(close)


def log_running_threads() -> None:
    """Log the names of the threads that still run after a shutdown."""
    names = sorted(thread.name for thread in threading.enumerate() if thread.name.startswith(THREADS))
    if names:
        _log.warning("not everything has ended in time: %s", ", ".join(names))


def _attempt(end: Callable[[], object]) -> None:
    try:
        end()
    except Exception as error:  # noqa: BLE001  the others have to be stopped as well
        _log.error("a part of the drive did not end: %s", type(error).__name__)
