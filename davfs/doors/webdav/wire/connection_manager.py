"""The connection manager: accepts connections, and waits on one thread for the clients of all of them.

A worker gets a connection when it can go on: the head of a request is there, more of an upload has come, or the client
has read more of a download. So slow clients, however many, keep no worker busy. Their cost is bounded
(docs/adr/0014-slow-clients.md): beyond `MOST` connections, the address that has the most of them loses the one that has
waited longest; beyond the `TransferLimits`, a user loses a transfer.
"""

import logging
import os
import selectors
import time
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from threading import Event, Lock
from typing import Any

from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.wire.acceptor import accepted
from davfs.doors.webdav.wire.connection import ClientConnection
from davfs.doors.webdav.wire.connection_state import ConnectionState
from davfs.doors.webdav.wire.transfer_limits import RATE_LIMITS, RateLimit, TransferLimits
from davfs.doors.webdav.wire.wake_up import WakeUp
from davfs.doors.webdav.wire.weighted_groups import WeightedGroups
from davfs.doors.webdav.wire.worker_pool import log_error

MOST = 512
"""Connections that may be open; a process has 1,024 files open at most, by default, and DCMTK cannot use others."""
_FRESH_SECONDS = 5.0
"""Time for which an idle connection is not evicted while more requests are queued than connections are idle."""
_LINGER_BYTES = 64 * 1024
"""Bytes that are discarded before other connections get their turn."""
_WITHOUT_REQUEST = (ConnectionState.TLS_HANDSHAKE, ConnectionState.REQUEST)
_SERVED_BY_WORKERS = (ConnectionState.TLS_HANDSHAKE, ConnectionState.REQUEST_BODY, ConnectionState.SEND_BUFFER)
_ACCEPTED_AT_ONCE = 64
"""Connections that are accepted before other connections get their turn."""

_log = logging.getLogger(__name__)


class ConnectionManager:
    """In place of cheroot's.

    Args:
        server: Listens already; its ``requests`` are the workers.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[ClientConnection, None] = {}
        self._waiting_by_network: WeightedGroups[ClientConnection] = WeightedGroups()
        self._transfers = TransferLimits()
        self._open: WeightedGroups[ClientConnection] = WeightedGroups()
        self._returned: deque[ClientConnection] = deque()
        self._lock, self._wake_up = Lock(), WakeUp()
        self._stopping = self._closed = False
        self._ended = Event()
        self._selector.register(server.socket, selectors.EVENT_READ, self._accept_some)
        self._selector.register(self._wake_up, selectors.EVENT_READ, self._take_returned)

    def put(self, connection: ClientConnection) -> None:
        """Wait for the client of a connection; called by workers."""
        with self._lock:
            if not self._closed:
                self._returned.append(connection)
                self._wake_up.wake()
                return
        connection.close()

    def forget(self, connection: ClientConnection) -> None:
        """Note that a connection has been closed; called by all threads."""
        with self._lock:
            self._open.remove(connection.network, connection)

    def run(self, interval: float) -> None:
        """Serve until `stop`.

        Args:
            interval: Seconds between two searches for clients that have taken too long.
        """
        try:
            expired = time.monotonic()
            while not self._stopping:
                events = self._selector.select(interval)
                if time.monotonic() - expired > interval:  # before workers get the connections of these events
                    expired = time.monotonic()
                    self._expire(expired)
                self._handle(events)
        finally:
            self._ended.set()

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._stopping = True
        self._wake_up.wake()
        self._ended.wait()

    def close(self) -> None:
        """Close all connections that wait."""
        with self._lock:
            self._closed = True
            self._selector.close()
            self._wake_up.close()
        for connection in [*self._waiting, *self._returned]:
            try:
                connection.close()
            except Exception:  # noqa: BLE001  the others are to be closed as well
                log_error("a connection could not be closed")

    def _handle(self, events: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, _ in events:
            try:
                if not isinstance(key.data, ClientConnection):
                    key.data()
                elif key.data in self._waiting:  # an earlier event may have evicted it
                    self._receive(key.data)
            except Exception:  # noqa: BLE001  the others still wait
                log_error("a connection could not be served")

    def _take_returned(self) -> None:
        self._wake_up.clear()
        for _ in range(len(self._returned)):  # workers may return others as fast as these are handed over
            self._wait_for(self._returned.popleft())

    def _accept_some(self) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            for _ in range(_ACCEPTED_AT_ONCE):
                self._accept()

    def _accept(self) -> None:
        try:
            connection = accepted(self._server)
        except (BlockingIOError, ConnectionAbortedError):
            raise
        except OSError as error:  # most likely no more files can be opened
            _log.warning("a connection could not be accepted: %s", os.strerror(error.errno or 0))
            self._evict_connection() if len(self._open) else time.sleep(0.1)
            return
        if connection is None:
            return
        with self._lock:
            self._open.add(connection.network, connection)
            is_too_many = len(self._open) > MOST
        if is_too_many:
            self._evict_connection()
        self._wait_for(connection)

    def _wait_for(self, connection: ClientConnection) -> None:
        connection.pause()
        if self._has_gone_on(connection):
            return
        self._waiting[connection] = None
        self._waiting_by_network.add(connection.network, connection)
        is_sending = connection.state is ConnectionState.SEND_BUFFER
        event = selectors.EVENT_WRITE if is_sending else selectors.EVENT_READ
        self._selector.register(connection.socket, event, connection)
        if connection.transfer_owner and (evicted := self._transfers.add(connection)):
            self._end(evicted, HTTPStatus.SERVICE_UNAVAILABLE, "Too many transfers wait for this client.")

    def _receive(self, connection: ClientConnection) -> None:
        """Handle that a client has sent bytes, has read some, or has closed its side."""
        if connection.state in _SERVED_BY_WORKERS:
            self._hand_over(connection)
            return
        has_begun = connection.rfile.begun
        if not self._has_gone_on(connection) and (connection.state is ConnectionState.DISCARD or not has_begun):
            connection.pause()

    def _has_gone_on(self, connection: ClientConnection) -> bool:
        """Read what a client has sent; return True if the connection went to the workers or was closed for that."""
        rfile = connection.rfile
        match connection.state:
            case ConnectionState.REQUEST:
                is_ready = rfile.receive()
            case ConnectionState.DISCARD:
                connection.discard -= rfile.discard(connection.discard)
                is_ready = not connection.discard
            case ConnectionState.LINGER:
                rfile.discard(_LINGER_BYTES)
                is_ready = False
            case _:
                return False
        if is_ready:
            self._hand_over(connection)
        elif rfile.ended:
            self._remove(connection)
            connection.close()
        return is_ready or rfile.ended

    def _hand_over(self, connection: ClientConnection) -> None:
        """Give a connection to the workers."""
        self._remove(connection)
        connection.resume()
        self._server.requests.put(connection)

    def _expire(self, now: float) -> None:
        for connection in list(self._waiting):
            try:
                self._expire_one(connection, now)
            except Exception:  # noqa: BLE001  the others are to be looked at as well
                log_error("a connection could not be ended")

    def _expire_one(self, connection: ClientConnection, now: float) -> None:
        if connection.state in RATE_LIMITS:
            self._expire_transfer(connection, RATE_LIMITS[connection.state], now)
        elif now - connection.since > connection.patience:
            self._end(connection, HTTPStatus.REQUEST_TIMEOUT)

    def _expire_transfer(self, connection: ClientConnection, limit: RateLimit, now: float) -> None:
        idle = now - connection.since
        if idle > limit.idle and connection.has_moved():
            is_sending = connection.state is ConnectionState.SEND_BUFFER
            connection.pause() if is_sending else self._receive(connection)
        elif not limit.allows(idle, now - connection.started, connection.moved - connection.before):
            self._end(connection, HTTPStatus.REQUEST_TIMEOUT, "The body stopped coming.")

    def _evict_connection(self) -> None:
        """Close a connection of the address that has most: the one that has waited longest, or a queued one."""
        with self._lock:
            address = self._open.largest()
        waiting = self._waiting_by_network.first(address, lambda one: not one.has_unread_request())
        is_flood = self._server.requests.waiting > self._waiting_by_network.size_of(address)[0]
        if waiting is None or (is_flood and time.monotonic() - waiting.since < _FRESH_SECONDS):
            queued = self._server.requests.drop(lambda one: one.network == address and one.state in _WITHOUT_REQUEST)
            if queued is not None:
                queued.refuse(HTTPStatus.SERVICE_UNAVAILABLE)
                return
        if waiting is not None:
            self._end(waiting, HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")

    def _end(self, connection: ClientConnection, status: HTTPStatus, reason: str = "") -> None:
        """Close a connection; where a request is in progress, a worker closes the files that it has opened."""
        if connection.state in (ConnectionState.REQUEST_BODY, ConnectionState.SEND_BUFFER):
            connection.abort(HttpError(status, reason))
            self._hand_over(connection)
            return
        self._remove(connection)
        if connection.state is ConnectionState.REQUEST and connection.rfile.begun:
            connection.refuse(status)
        else:
            connection.close()

    def _remove(self, connection: ClientConnection) -> None:
        if connection in self._waiting:
            del self._waiting[connection]
            self._waiting_by_network.remove(connection.network, connection)
            self._transfers.remove(connection)
            self._selector.unregister(connection.socket)
