"""The threads that answer requests, and never wait for a client for longer than a moment."""

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
from davfs.doors.webdav.wire.fair_queue import FairQueue, RunningTask

_log = logging.getLogger(__name__)


class WorkerPool:
    """What cheroot calls its thread pool.

    Args:
        server: Takes connections back.
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
        """Have a connection go on."""
        self._queue.put(connection)

    def may_wait(self) -> bool:
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
            Whether all of them have ended.
        """
        end = time.monotonic() + timeout
        self._queue.stop()
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
        while (taken := self._queue.take()) is not None:
            connection, turn = taken
            self._busy.add(connection)
            try:
                turn = self._serve(connection, turn)
            finally:
                self._busy.discard(connection)
                self._queue.done(turn)
                self._let_go(connection)

    def _serve(self, connection: ClientConnection, turn: RunningTask) -> RunningTask:
        """Have a connection go on until its client has to be waited for, or others have to go first."""
        try:
            while connection.proceed() and connection.soon():
                changed = self._queue.exchange(turn, connection)
                if changed is None:
                    break
                turn = changed
        except Exception:  # noqa: BLE001  the thread has others to answer
            report("a connection broke")
            connection.waits = None
        return turn

    def _let_go(self, connection: ClientConnection) -> None:
        try:
            connection.close() if connection.waits is None else self._server.put_conn(connection)
        except OSError:  # it was broken already
            pass
        except Exception:  # noqa: BLE001  as above
            report("a connection could not be closed")


def _break(connection: ClientConnection) -> None:
    connection.unread = False
    with suppress(OSError):
        connection.socket.shutdown(socket.SHUT_RDWR)


def report(what: str, level: int = logging.ERROR) -> None:
    """Log the error that is being handled: its type and where it came from, for its text may name patients."""
    kind, error, trace = sys.exc_info()
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(trace)[-5:]))
    _log.log(level, "%s: %s in %s", what, kind.__name__ if kind else "nothing", where)
    del error, trace
