"""Connections that wait for their clients: on one thread, so that they cost memory alone.

A worker gets a connection when it can go on: where the whole head of a request is there, more of an upload has come, or
the client takes more of a download. Clients that send or read as slowly as they like, however many, keep no worker from
its work. What they cost is bounded (docs/adr/0014-slow-clients.md): beyond `MOST` connections, the address that has the
most loses the one that has waited longest; beyond the limits of `TransferLimits`, a user loses such a transfer.
"""

import logging
import os
import selectors
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from threading import Event, Lock
from typing import Any

from cheroot.errors import FatalSSLAlert

from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.login.address import network
from davfs.doors.webdav.wire.connection import ClientConnection, ConnectionState, refuse
from davfs.doors.webdav.wire.weighted_groups import WeightedGroups
from davfs.doors.webdav.wire.worker_pool import report

MOST = 512
"""Connections that may be open; a process has 1,024 files open at most, by default, and DCMTK cannot use others."""
_IDLE_SECONDS = 75.0
_HEAD_SECONDS = 20.0
_FRESH_SECONDS = 5.0
"""How long a client may have done nothing, and still come before the requests that wait for a worker."""
_FAREWELL_SECONDS = 2.0
_FAREWELL_BYTES = 64 * 1024
"""Bytes that are thrown away at once, before others get their turn."""
_BEFORE = (ConnectionState.TLS_HANDSHAKE, ConnectionState.REQUEST)
"""What a connection waits for that has no request under way."""
_AT_ONCE = 64
"""Connections that are accepted before others get their turn."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How slow a client may be.

    Attributes:
        idle: Seconds in which something has to move.
        grace: Seconds in which no rate is asked for.
        slowest: Bytes per second after that, on average.
    """

    idle: float
    grace: float
    slowest: int

    def allows(self, idle: float, seconds: float, moved: int) -> bool:
        """Return True if a client is fast enough: idle for so long, and so many bytes moved in so many seconds."""
        return idle <= self.idle and moved >= (seconds - self.grace) * self.slowest


_RATE_LIMITS = {
    ConnectionState.REQUEST_BODY: RateLimit(30.0, 60.0, 1024),
    ConnectionState.SEND_BUFFER: RateLimit(30.0, 60.0, 1024),
    ConnectionState.DISCARD: RateLimit(5.0, 10.0, 32 * 1024),
}


class TransferLimits:
    """Uploads and downloads that wait for their clients: what the application has opened for them is bounded.

    A client is a user, or an address where nobody logs in. A few transfers are allowed whatever they weigh.
    """

    _few = 4
    _most_of_client, _memory_of_client = 64, 512 << 20
    _most, _memory = 128, 1 << 30

    def __init__(self) -> None:
        self._groups: WeightedGroups[ClientConnection] = WeightedGroups()

    def add(self, connection: ClientConnection) -> ClientConnection | None:
        """Add one; return one that has to go for it, of which nothing has moved for longest."""
        self._groups.add(connection.transfer_owner, connection, connection.wfile.memory)
        client = self._too_many(connection.transfer_owner)
        return None if client is None else self._groups.first(client)

    def remove(self, connection: ClientConnection) -> None:
        """Remove one, if it is there."""
        self._groups.remove(connection.transfer_owner, connection)

    def _too_many(self, client: str) -> str | None:
        """Return who has too many."""
        count, memory = self._groups.size_of(client)
        if count > self._most_of_client or (count > self._few and memory > self._memory_of_client):
            return client
        if len(self._groups) > self._most:
            return self._groups.largest()
        if self._groups.weight > self._memory:
            heaviest = self._groups.heaviest()
            return heaviest if self._groups.size_of(heaviest)[0] > self._few else None
        return None


class ConnectionManager:
    """What cheroot calls its connection manager.

    Args:
        server: Listens already; gives connections that can go on to its workers.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[ClientConnection, None] = {}
        self._addresses: WeightedGroups[ClientConnection] = WeightedGroups()
        self._transfers = TransferLimits()
        self._open: WeightedGroups[ClientConnection] = WeightedGroups()
        self._returned: deque[ClientConnection] = deque()
        self._wake_up, self._wake = os.pipe()
        self._lock = Lock()
        self._stopping = False
        self._closed = False
        self._ended = Event()
        for descriptor in (self._wake_up, self._wake):
            os.set_blocking(descriptor, False)
        self._selector.register(server.socket, selectors.EVENT_READ, self._accept_some)
        self._selector.register(self._wake_up, selectors.EVENT_READ, self._woken)

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Whether a connection may stay open after an answer: where there are too many, the worst has to go instead."""
        return True

    def put(self, connection: ClientConnection) -> None:
        """Wait for the client of a connection; for the workers' threads."""
        with self._lock:
            if not self._closed:
                self._returned.append(connection)
                self._wake_selector()
                return
        connection.close()

    def forget(self, connection: ClientConnection) -> None:
        """Note that a connection has been closed; for all threads."""
        with self._lock:
            self._open.remove(connection.network, connection)

    def run(self, interval: float) -> None:
        """Serve until `stop`.

        Args:
            interval: Seconds between two looks for who has waited too long.
        """
        try:
            looked = time.monotonic()
            while not self._stopping:
                events = self._selector.select(interval)
                if time.monotonic() - looked > interval:  # before workers get those that have done something just now
                    looked = time.monotonic()
                    self._expire(looked)
                self._answer(events)
        finally:
            self._ended.set()

    def _answer(self, events: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, _ in events:
            try:
                if not isinstance(key.data, ClientConnection):
                    key.data()
                elif key.data in self._waiting:  # it may have been dropped for another one
                    self._ready(key.data)
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
            try:
                connection.close()
            except Exception:  # noqa: BLE001  the others are to be closed as well
                report("a connection could not be closed")

    def _wake_selector(self) -> None:
        with suppress(BlockingIOError):  # it has been woken often enough
            os.write(self._wake, b".")

    def _woken(self) -> None:
        os.read(self._wake_up, 4096)
        while self._returned:
            self._wait_for(self._returned.popleft())

    def _accept_some(self) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            for _ in range(_AT_ONCE):
                self._accept()

    def _accept(self) -> None:
        try:
            accepted, address = self._server.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            raise
        except OSError as error:  # most likely no more files can be opened
            _log.warning("a connection could not be accepted: %s", os.strerror(error.errno or 0))
            self._drop_one() if len(self._open) else time.sleep(0.1)
            return
        environment: dict[str, str] = {}
        if self._server.ssl_adapter is not None:
            try:
                accepted, environment = self._server.ssl_adapter.wrap(accepted)
            except (OSError, FatalSSLAlert):
                accepted.close()
                return
        connection = ClientConnection(self._server, accepted)
        connection.remote_addr, connection.remote_port = address[:2]
        connection.network = network(connection.remote_addr)
        connection.ssl_env = environment
        with self._lock:
            self._open.add(connection.network, connection)
            too_many = len(self._open) > MOST
        if too_many:
            self._drop_one()
        self._wait_for(connection)

    def _wait_for(self, connection: ClientConnection) -> None:
        connection.pause()
        if self._goes_on(connection):
            return
        self._waiting[connection] = None
        self._addresses.add(connection.network, connection)
        event = selectors.EVENT_WRITE if connection.waits is ConnectionState.SEND_BUFFER else selectors.EVENT_READ
        self._selector.register(connection.socket, event, connection)
        if connection.transfer_owner and (surplus := self._transfers.add(connection)):
            self._give_up(surplus, HTTPStatus.SERVICE_UNAVAILABLE, "Too many transfers wait for this client.")

    def _ready(self, connection: ClientConnection) -> None:
        """Take note that the client of a connection has done something."""
        if connection.waits in (
            ConnectionState.REQUEST_BODY,
            ConnectionState.SEND_BUFFER,
            ConnectionState.TLS_HANDSHAKE,
        ):
            self._hand_over(connection)
            return
        begun = connection.rfile.begun
        if not self._goes_on(connection) and (connection.waits is ConnectionState.DISCARD or not begun):
            connection.pause()

    def _goes_on(self, connection: ClientConnection) -> bool:
        """Take what a client has sent; return whether it need not be waited for any more, and see to it."""
        rfile = connection.rfile
        match connection.waits:
            case ConnectionState.REQUEST:
                has_come = rfile.receive()
            case ConnectionState.DISCARD:
                connection.rest -= rfile.discard(connection.rest)
                has_come = not connection.rest
            case ConnectionState.LINGER:
                rfile.discard(_FAREWELL_BYTES)
                has_come = False
            case _:
                return False
        if has_come:
            self._hand_over(connection)
        elif rfile.ended:
            self._remove(connection)
            connection.close()
        return has_come or rfile.ended

    def _hand_over(self, connection: ClientConnection) -> None:
        self._remove(connection)
        connection.resume()
        self._server.requests.put(connection)

    def _expire(self, now: float) -> None:
        for connection in list(self._waiting):
            try:
                self._expire_one(connection, now)
            except Exception:  # noqa: BLE001  as above
                report("a connection could not be ended")

    def _expire_one(self, connection: ClientConnection, now: float) -> None:
        idle, begun = now - connection.since, connection.rfile.begun
        match connection.waits:
            case ConnectionState.REQUEST if idle > (_HEAD_SECONDS if begun else _IDLE_SECONDS):
                self._give_up(connection, HTTPStatus.REQUEST_TIMEOUT, "The request stopped coming.")
            case ConnectionState.TLS_HANDSHAKE if idle > _HEAD_SECONDS:
                self._give_up(connection, HTTPStatus.REQUEST_TIMEOUT, "")
            case ConnectionState.LINGER if idle > _FAREWELL_SECONDS:
                self._give_up(connection, HTTPStatus.REQUEST_TIMEOUT, "")
            case ConnectionState.REQUEST_BODY | ConnectionState.SEND_BUFFER | ConnectionState.DISCARD as waits:
                self._expire_transfer(connection, _RATE_LIMITS[waits], now)

    def _expire_transfer(self, connection: ClientConnection, pace: RateLimit, now: float) -> None:
        if now - connection.since > pace.idle and connection.has_moved():
            self._ready(connection) if connection.waits is not ConnectionState.SEND_BUFFER else connection.pause()
        elif not pace.allows(now - connection.since, now - connection.started, connection.moved - connection.before):
            self._give_up(connection, HTTPStatus.REQUEST_TIMEOUT, "The body stopped coming.")

    def _drop_one(self) -> None:
        """Drop a connection of the address that has the most: that which has waited longest, or one in the queue."""
        with self._lock:
            address = self._open.largest()
        waiting = self._addresses.first(address, lambda one: not one.has_request())
        if waiting is None or time.monotonic() - waiting.since < _FRESH_SECONDS:
            queued = self._server.requests.drop(lambda one: one.network == address and one.waits in _BEFORE)
            if queued is not None:
                refuse(queued, HTTPStatus.SERVICE_UNAVAILABLE)
                return
        if waiting is not None:
            self._give_up(waiting, HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")

    def _give_up(self, connection: ClientConnection, status: HTTPStatus, reason: str) -> None:
        """Close a connection; where a request is under way, a worker sees to what the application has opened for it."""
        if connection.waits in (ConnectionState.REQUEST_BODY, ConnectionState.SEND_BUFFER):
            connection.give_up(HttpError(status, reason))
            self._hand_over(connection)
            return
        self._remove(connection)
        if connection.waits is ConnectionState.REQUEST and connection.rfile.begun:
            refuse(connection, status)
        else:
            connection.close()

    def _remove(self, connection: ClientConnection) -> None:
        if connection in self._waiting:
            del self._waiting[connection]
            self._addresses.remove(connection.network, connection)
            self._transfers.remove(connection)
            self._selector.unregister(connection.socket)
