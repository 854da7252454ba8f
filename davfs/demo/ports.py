"""TCP ports of this machine: finding free ones, and telling which are taken."""

import itertools
import secrets
import socket

LOOPBACK = "127.0.0.1"

_LOWEST, _CLIENTS = 10_000, 32_768
"""From the first on few services have a port of their own; from the second on Linux gives ports to clients."""
_numbers = itertools.count(secrets.randbelow(_CLIENTS - _LOWEST))


def free_ports(count: int) -> tuple[int, ...]:
    """Return so many different TCP ports that nobody listens on.

    None of them is one that the system gives to clients: a connection would keep a server from listening on it later.
    Each call goes on behind the last one, from a place that another process hardly ever has come to at the same moment:
    a server needs a while until it listens.
    """
    ports = (_LOWEST + number % (_CLIENTS - _LOWEST) for number in _numbers)
    return tuple(itertools.islice((port for port in ports if not is_taken(port)), count))


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
