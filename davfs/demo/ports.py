"""TCP ports of this machine: finding free ones, and telling which are taken."""

import secrets
import socket

LOOPBACK = "127.0.0.1"


_LOWEST, _CLIENTS = 10_000, 32_768
"""From the first on few services have a port of their own; from the second on Linux gives ports to clients."""


def free_ports(count: int) -> tuple[int, ...]:
    """Return so many different TCP ports that nobody listens on.

    None of them is one that the system gives to clients: a connection would keep a server from listening on it later.
    """
    chosen: set[int] = set()
    while len(chosen) < count:
        port = _LOWEST + secrets.randbelow(_CLIENTS - _LOWEST)
        if not is_taken(port):
            chosen.add(port)
    return tuple(chosen)


def is_taken(port: int) -> bool:
    """Tell whether a server could not listen on this TCP port, because another one does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Orthanc: closed connections do not count
        try:
            probe.bind(("", port))
            probe.listen()
        except OSError:
            return True
    return False
