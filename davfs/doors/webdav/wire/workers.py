"""The threads that answer requests."""

import logging
import queue
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import Any

from davfs.doors.webdav.wire.exchange import Connection

_QUEUED = 512
"""Requests that wait for a worker; more of them are answered with 503."""
_log = logging.getLogger(__name__)


class Workers:
    """What cheroot calls its thread pool.

    Args:
        server: Takes connections back.
        count: Number of threads.
    """

    def __init__(self, server: Any, count: int) -> None:
        self._server = server
        self._queue: queue.Queue[Connection | None] = queue.Queue()
        self._busy: set[Connection] = set()
        self._threads = [
            threading.Thread(target=self._work, name=f"davfs-webdav-{number}", daemon=True)
            for number in range(1, count + 1)
        ]

    @property
    def plenty(self) -> bool:
        """Whether so many threads have nothing to do that one of them may wait for a client."""
        return self._queue.empty() and len(self._busy) <= len(self._threads) * 3 // 4

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, connection: Connection) -> bool:
        """Have the request on a connection answered; return False where too many wait for that."""
        if self._queue.qsize() >= _QUEUED:
            return False
        self._queue.put(connection)
        return True

    def stop(self, timeout: float) -> bool:
        """Let the threads finish what they are doing, and break connections where that takes too long.

        Args:
            timeout: Seconds.

        Returns:
            Whether all of them have ended.
        """
        end = time.monotonic() + timeout
        for _ in self._threads:
            self._queue.put(None)
        self._join(end - timeout / 4)
        for connection in list(self._busy):
            _break(connection)
        self._join(end)
        return not any(thread.is_alive() for thread in self._threads)

    def _join(self, end: float) -> None:
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0, end - time.monotonic()))

    def _work(self) -> None:
        while (connection := self._queue.get()) is not None:
            self._busy.add(connection)
            keep = False
            try:
                keep = connection.communicate()
            except Exception:  # noqa: BLE001  the thread has others to answer
                report("a connection broke")
            finally:
                self._busy.discard(connection)
                self._let_go(connection, keep=keep)

    def _let_go(self, connection: Connection, *, keep: bool) -> None:
        with suppress(OSError):  # it was broken already
            self._server.put_conn(connection) if keep else connection.close()


def _break(connection: Connection) -> None:
    connection.unread = False
    with suppress(OSError):
        connection.socket.shutdown(socket.SHUT_RDWR)


def report(what: str, level: int = logging.ERROR) -> None:
    """Log the error that is being handled: its type and where it came from, for its text may name patients."""
    kind, error, trace = sys.exc_info()
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(trace)[-5:]))
    _log.log(level, "%s: %s in %s", what, kind.__name__ if kind else "nothing", where)
    del error, trace
