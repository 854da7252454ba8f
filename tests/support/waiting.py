"""Waits until something holds."""

import time
from collections.abc import Callable

_PAUSE = 0.05


def eventually(holds: Callable[[], object], seconds: float = 20) -> bool:
    """Return True once something holds, or False if it does not within a time.

    Args:
        holds: Asked again and again.
        seconds: That time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True
