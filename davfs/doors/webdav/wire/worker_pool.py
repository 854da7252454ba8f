"""The worker pool: threads that answer requests, and never wait for a client for longer than a moment."""

import logging
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from davfs.doors.webdav.wire.connection import ClientConnection
from davfs.doors.webdav.wire.connection_state import ConnectionState
from davfs.doors.webdav.wire.fair_queue import FairQueue
from davfs.doors.webdav.wire.tasks import RunningTask

_log = logging.getLogger(__name__)


class WorkerPool:
    """In place of cheroot's thread pool.

    Args:
        server: Takes connections back that wait for their clients.
        count: Number of threads.
    """

    def __init__(self, server: Any, count: int) -> None:
        self._server = server
        self._queue: FairQueue[ClientConnection] = FairQueue(count)
        self._busy: set[ClientConnection] = set()
        self._threads = [
            threading.Thread(target=self._work, name=f"davfs-webdav-{number}", daemon=True)
            for number in range(1, count + 1)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, connection: ClientConnection) -> None:
        """Queue a connection that can go on."""
        self._queue.put(connection)

    @property
    def waiting(self) -> int:
        """Number of connections that wait for a thread."""
        return self._queue.waiting

    def has_idle_threads(self) -> bool:
        """Return True if enough threads are idle for one of them to wait briefly for a client."""
        return not self._queue.waiting and self._queue.busy <= len(self._threads) * 3 // 4

    def drop(self, may_go: Callable[[ClientConnection], bool]) -> ClientConnection | None:
        """See `FairQueue.drop`."""
        return self._queue.drop(may_go)

    def stop(self, timeout: float) -> bool:
        """End the threads after their current requests; break the connections of those that take too long.

        Args:
            timeout: Seconds.

        Returns:
            True if all of them have ended.
        """
        end = time.monotonic() + timeout
        self._queue.stop()
        self._join(end - timeout / 4)
        for connection in list(self._busy):
            connection.unread = False
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        self._join(end)
        return not any(thread.is_alive() for thread in self._threads)

    def _join(self, end: float) -> None:
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0, end - time.monotonic()))

    def _work(self) -> None:
        while (taken := self._queue.take()) is not None:
            connection, running = taken
            self._busy.add(connection)
            try:
                running = self._serve(connection, running)
            finally:
                self._busy.discard(connection)
                self._queue.done(running)
                self._give_back(connection)

    def _serve(self, connection: ClientConnection, running: RunningTask) -> RunningTask:
        """Serve a connection until its client has to be waited for, or others come first."""
        try:
            while connection.proceed() and connection.has_next_request():
                following = self._queue.exchange(running, connection)
                if following is None:
                    break
                running = following
        except Exception:  # noqa: BLE001  the thread has other connections to serve
            log_error("a connection broke")
            connection.state = None
        return running

    def _give_back(self, connection: ClientConnection) -> None:
        """Queue a connection again if its next request is there; else close it, or wait for its client."""
        try:
            if connection.state is None:
                connection.close()
            elif self._server.ready and connection.state is ConnectionState.REQUEST and connection.rfile.has_head():
                self.put(connection)
            else:
                self._server.put_conn(connection)
        except OSError:  # it was broken already
            pass
        except Exception:  # noqa: BLE001  as above
            log_error("a connection could not be closed")


def log_error(event: str, level: int = logging.ERROR) -> None:
    """Log the error that is being handled, by type and stack, without its message, which may name patients."""
    kind, error, trace = sys.exc_info()
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(trace)[-5:]))
    _log.log(level, "%s: %s in %s", event, kind.__name__ if kind else "nothing", where)
    del error, trace
