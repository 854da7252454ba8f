"""TCP ports of this machine: finding free ones, and telling which are taken."""

import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> tuple[int, ...]:
    """Return so many different TCP ports that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return tuple(each.getsockname()[1] for each in sockets)


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
