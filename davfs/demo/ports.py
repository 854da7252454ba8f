"""TCP ports of this machine: finding free ones, and telling which are taken."""

import atexit
import secrets
import socket
import threading
from collections import deque
from contextlib import suppress

LOOPBACK = "127.0.0.1"

_LOWEST, _CLIENTS = 10_000, 32_768
"""From the first on few services have a port of their own; from the second on Linux gives ports to clients."""
_BLOCK = 64
"""Ports that belong to one process for a while."""
_KEPT = 4
"""Blocks that a process keeps: servers with ports of an older one listen by now."""


class _Ports:
    """The ports of this process: no other process that goes by the same rule is given one of them.

    A server needs a while until it listens on a port that it was given. So a process takes blocks of ports: it listens
    on the first of each.
    """

    def __init__(self) -> None:
        self._guards: deque[socket.socket] = deque()
        self._rest = iter(range(0))
        self._lock = threading.Lock()
        atexit.register(self.close)

    def next(self) -> int:
        """Return a port on which nobody listens; each is returned once for as long as its block is kept."""
        with self._lock:
            while (port := next((port for port in self._rest if not is_taken(port)), 0)) == 0:
                self._take_block()
            return port

    def close(self, keep: int = 0) -> None:
        """Let others have the blocks that were taken first."""
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
    """Return so many different TCP ports that nobody listens on.

    None of them is one that the system gives to clients: a connection would keep a server from listening on it later.
    """
    return tuple(_ports.next() for _ in range(count))


def is_taken(port: int) -> bool:
    """Tell whether a server could not listen on this TCP port, because another one does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Orthanc: closed connections do not count
        with suppress(OSError):
            probe.bind(("", port))
            probe.listen()
            return False
    return True
