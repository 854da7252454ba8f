"""Wakes a thread that waits for sockets, from another thread."""

import os
from contextlib import suppress


class WakeUp:
    """A pipe whose reading end the thread waits for, beside the sockets."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        for descriptor in (self._reading, self._writing):
            os.set_blocking(descriptor, False)

    def fileno(self) -> int:
        """Return the end to wait for."""
        return self._reading

    def wake(self) -> None:
        """Wake the thread."""
        with suppress(BlockingIOError):  # the pipe is full, so the thread wakes
            os.write(self._writing, b".")

    def clear(self) -> None:
        """Wait for the next `wake` from now on; called by the thread."""
        os.read(self._reading, 4096)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._writing)
        os.close(self._reading)
