"""The CPU time of threads, on systems that can measure it for other threads, and on those that cannot (macOS)."""

import threading
import time

_find_clock = getattr(time, "pthread_getcpuclockid", None)


def cpu_time(thread: int) -> float:
    """Return the CPU time of a running thread, in seconds.

    Where the system measures it for the calling thread alone, that of others is 0: they count as waiting, so that more
    of them compute at the same time than elsewhere, and none is kept from work.

    Args:
        thread: Its identifier.
    """
    if _find_clock is not None:
        return time.clock_gettime(_find_clock(thread))
    return time.thread_time() if thread == threading.get_ident() else 0.0
