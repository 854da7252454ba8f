"""Limits for transfers that wait for slow clients: how slow they may be, and how many may wait at the same time."""

from dataclasses import dataclass

from davfs.doors.webdav.wire.connection import ClientConnection
from davfs.doors.webdav.wire.connection_state import ConnectionState
from davfs.doors.webdav.wire.weighted_groups import WeightedGroups


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The slowest rate at which a client may send or read.

    Attributes:
        idle: Seconds in which at least one byte has to move.
        grace: Seconds at the beginning in which no rate is required.
        slowest: Bytes per second after that, on average.
    """

    idle: float
    grace: float
    slowest: int

    def allows(self, idle: float, seconds: float, moved: int) -> bool:
        """Return True if a client is fast enough: idle for so long, and so many bytes moved in so many seconds."""
        return idle <= self.idle and moved >= (seconds - self.grace) * self.slowest


RATE_LIMITS = {
    ConnectionState.REQUEST_BODY: RateLimit(30.0, 60.0, 1024),
    ConnectionState.SEND_BUFFER: RateLimit(30.0, 60.0, 1024),
    ConnectionState.DISCARD: RateLimit(5.0, 10.0, 32 * 1024),
}


class TransferLimits:
    """Uploads and downloads that wait for their clients, each with files and memory that it keeps in use.

    Their owner is a user, or an address where nobody logs in. A few transfers are allowed whatever memory they need.
    """

    _few = 4
    _most_of_owner, _memory_of_owner = 64, 512 << 20
    _most, _memory = 128, 1 << 30

    def __init__(self) -> None:
        self._transfers: WeightedGroups[ClientConnection] = WeightedGroups()

    def add(self, connection: ClientConnection) -> ClientConnection | None:
        """Add a transfer; return the transfer to evict for it: the one that has been idle longest."""
        self._transfers.add(connection.transfer_owner, connection, connection.wfile.memory)
        owner = self._over_limit(connection.transfer_owner)
        return None if owner is None else self._transfers.first(owner)

    def remove(self, connection: ClientConnection) -> None:
        """Remove a transfer, if it is there."""
        self._transfers.remove(connection.transfer_owner, connection)

    def _over_limit(self, owner: str) -> str | None:
        """Return the owner of too many transfers: the given one, or the one that has most of all."""
        count, memory = self._transfers.size_of(owner)
        if count > self._most_of_owner or (count > self._few and memory > self._memory_of_owner):
            return owner
        if len(self._transfers) > self._most:
            return self._transfers.largest()
        if self._transfers.weight > self._memory:
            heaviest = self._transfers.heaviest()
            return heaviest if self._transfers.size_of(heaviest)[0] > self._few else None
        return None
