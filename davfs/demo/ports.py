"""Finds free TCP ports of this machine."""

import atexit
import secrets
import socket
import threading
from collections import deque
from contextlib import suppress

LOOPBACK = "127.0.0.1"

_LOWEST, _CLIENTS = 10_000, 32_768
"""The range: few services have fixed ports above the first; Linux assigns ports to clients from the second on."""
_BLOCK = 64
"""Number of ports that a process reserves at once."""
_KEPT = 4
"""Blocks that a process keeps reserved: servers with ports of older blocks have started by now."""


class _Ports:
    """Reserves ports for this process against other processes that use this class.

    A server needs a while until it listens on its port. So a process reserves blocks of ports, by listening on the
    first port of each.
    """

    def __init__(self) -> None:
        self._guards: deque[socket.socket] = deque()
        self._rest = iter(range(0))
        self._lock = threading.Lock()
        atexit.register(self.close)

    def next(self) -> int:
        """Return a free port; none is returned twice while its block is reserved."""
        with self._lock:
            while (port := next((port for port in self._rest if not is_taken(port)), 0)) == 0:
                self._take_block()
            return port

    def close(self, keep: int = 0) -> None:
        """Release all blocks but the newest `keep`."""
        while len(self._guards) > keep:
            self._guards.popleft().close()

    def _take_block(self) -> None:
        while True:
            first = _LOWEST + _BLOCK * secrets.randbelow((_CLIENTS - _LOWEST) // _BLOCK)
            guard = socket.socket()
            try:
                guard.bind((LOOPBACK, first))
                guard.listen()
            except OSError:
                guard.close()
                continue
            self._guards.append(guard)
            self.close(keep=_KEPT)
            self._rest = iter(range(first + 1, first + _BLOCK))
            return


_ports = _Ports()


def free_ports(count: int) -> tuple[int, ...]:
    """Return different TCP ports that are free, outside the range that the system assigns to clients."""
    return tuple(_ports.next() for _ in range(count))


def is_taken(port: int) -> bool:
    """Return True if another server listens on this TCP port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Orthanc: closed connections do not count
        with suppress(OSError):
            probe.bind(("", port))
            probe.listen()
            return False
    return True
