"""A wait of a moment for a client, before its connection goes back to the selector: most clients go on at once."""

import select
from collections.abc import Callable

from davfs.doors.webdav.wire.tls_socket import Socket

_SECONDS = 0.02
_FAST = 4096
"""Bytes that a client moves in a wait unless it is slow."""
_MOST_SLOW = 2
"""Waits in a row after which a slow client is not waited for any more."""


class BriefWait:
    """Waits up to 20 ms for a client, unless it is slow or threads are short.

    Args:
        connection: A socket that does not block.
        has_idle_threads: Returns True if enough threads are idle for one to wait.
    """

    def __init__(self, connection: Socket, has_idle_threads: Callable[[], bool]) -> None:
        self._socket = connection
        self._has_idle_threads = has_idle_threads
        self._poll = select.poll()
        self._slow = self._moved = 0

    def wait(self, event: int, moved: int) -> bool:
        """Wait; return True if the event has happened.

        Args:
            event: As of `select.poll`.
            moved: Bytes that the client has sent, or taken, so far.
        """
        self._slow = 0 if abs(moved - self._moved) >= _FAST else self._slow + 1
        self._moved = moved
        if self._slow > _MOST_SLOW or not self._has_idle_threads():
            return False
        self._poll.register(self._socket, event)
        return bool(self._poll.poll(1000 * _SECONDS))

    def reset(self) -> None:
        """Take the client for a fast one again, at a new request."""
        self._slow = 0
