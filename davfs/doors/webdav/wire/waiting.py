"""Connections that wait for their next request: on one thread, so that they cost memory alone.

A worker gets a connection when the whole head of a request is there. Clients that send half a head, however many and
however slowly, keep no worker from its work.
"""

import logging
import os
import selectors
import time
from collections import OrderedDict, deque
from contextlib import suppress
from http import HTTPStatus
from threading import Event, Lock
from typing import Any

from cheroot.errors import FatalSSLAlert

from davfs.doors.webdav.wire.exchange import Connection, refuse
from davfs.doors.webdav.wire.workers import report

MOST = 512
"""Connections that may wait; a process has 1,024 files open at most, by default."""
_IDLE_SECONDS = 75.0
_HEAD_SECONDS = 20.0
_LEAVING_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Waiting:
    """What cheroot calls its connection manager.

    Args:
        server: Listens already; gives connections with a request to its workers.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._waiting: OrderedDict[Connection, None] = OrderedDict()  # the longest wait first
        self._returned: deque[Connection] = deque()
        self._wake_up, self._wake = os.pipe()
        self._lock = Lock()
        self._stopping = False
        self._closed = False
        self._ended = Event()
        for descriptor in (self._wake_up, self._wake):
            os.set_blocking(descriptor, False)
        self._selector.register(server.socket, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_up, selectors.EVENT_READ, self._woken)

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Whether a connection may stay open after an answer."""
        return len(self._waiting) < MOST

    def put(self, connection: Connection) -> None:
        """Wait for the next request on a connection; for the workers' threads."""
        with self._lock:
            if not self._closed:
                self._returned.append(connection)
                self._wake_selector()
                return
        connection.close()

    def run(self, interval: float) -> None:
        """Serve until `stop`.

        Args:
            interval: Seconds between two looks for who has waited too long.
        """
        try:
            looked = time.monotonic()
            while not self._stopping:
                self._answer_events(interval)
                if time.monotonic() - looked > interval:
                    looked = time.monotonic()
                    self._expire(looked)
        finally:
            self._ended.set()

    def _answer_events(self, interval: float) -> None:
        for key, _ in self._selector.select(interval):
            try:
                if not isinstance(key.data, Connection):
                    key.data()
                elif key.data in self._waiting:  # it may have been dropped for another one
                    self._readable(key.data)
            except Exception:  # noqa: BLE001  the others still wait
                report("a connection could not be served")

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._stopping = True
        self._wake_selector()
        self._ended.wait()

    def close(self) -> None:
        """Close all connections that wait."""
        with self._lock:
            self._closed = True
            self._selector.close()
            os.close(self._wake)
            os.close(self._wake_up)
        for connection in [*self._waiting, *self._returned]:
            connection.unread = False
            connection.close()

    def _wake_selector(self) -> None:
        with suppress(BlockingIOError):  # it has been woken often enough
            os.write(self._wake, b".")

    def _woken(self) -> None:
        os.read(self._wake_up, 4096)
        while self._returned:
            self._wait_for(self._returned.popleft())

    def _accept(self) -> None:
        try:
            accepted, address = self._server.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # most likely no more files can be opened
            _log.warning("a connection could not be accepted: %s", os.strerror(error.errno or 0))
            self._drop_longest() if self._waiting else time.sleep(0.1)
            return
        environment: dict[str, str] = {}
        if self._server.ssl_adapter is not None:
            try:
                accepted, environment = self._server.ssl_adapter.wrap(accepted)
            except (OSError, FatalSSLAlert):
                accepted.close()
                return
        connection = Connection(self._server, accepted)
        connection.remote_addr, connection.remote_port = address[:2]
        connection.ssl_env = environment
        self._wait_for(connection)

    def _wait_for(self, connection: Connection) -> None:
        connection.since = time.monotonic()
        self._receive(connection)
        if connection.rfile.has_data():
            self._hand_over(connection)
        elif connection.rfile.ended:
            connection.close()
        else:
            self._waiting[connection] = None
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            if len(self._waiting) > MOST:
                self._drop_longest()

    def _readable(self, connection: Connection) -> None:
        begun = connection.rfile.begun or connection.leaving
        self._receive(connection)
        if connection.rfile.has_data():
            self._forget(connection)
            self._hand_over(connection)
        elif connection.rfile.ended:
            self._forget(connection)
            connection.close()
        elif not begun:
            connection.since = time.monotonic()

    def _receive(self, connection: Connection) -> None:
        if connection.leaving:
            connection.rfile.discard()
        else:
            connection.rfile.receive()

    def _hand_over(self, connection: Connection) -> None:
        if not self._server.requests.put(connection):
            refuse(connection, HTTPStatus.SERVICE_UNAVAILABLE)

    def _expire(self, now: float) -> None:
        for connection in list(self._waiting):
            begun = connection.rfile.begun
            limit = _LEAVING_SECONDS if connection.leaving else _HEAD_SECONDS if begun else _IDLE_SECONDS
            if now - connection.since > limit:
                self._forget(connection)
                refuse(connection, HTTPStatus.REQUEST_TIMEOUT) if begun else connection.close()

    def _drop_longest(self) -> None:
        connection = next(iter(self._waiting))
        self._forget(connection)
        refuse(connection, HTTPStatus.SERVICE_UNAVAILABLE)

    def _forget(self, connection: Connection) -> None:
        del self._waiting[connection]
        self._selector.unregister(connection.socket)
