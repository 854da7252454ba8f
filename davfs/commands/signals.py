"""Turns SIGINT and SIGTERM into an event that the main thread waits for."""

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def until_signalled() -> Iterator[threading.Event]:
    """Yield an event that is set by SIGINT or SIGTERM; the second of them ends the process at once.

    Python runs handlers on the main thread, which may be waiting for the event at that moment and hold its lock. So the
    event is set on a thread of its own, and that is started without `threading.Thread`, which takes locks itself.
    """
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        _thread.start_new_thread(stopping.set, ())

    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)  # the parent process may have blocked them
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
