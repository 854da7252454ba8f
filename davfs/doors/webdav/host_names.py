"""Host names that requests may use (`davfs.doors.webdav.cross_site` says why)."""

import socket
import threading
from collections.abc import Callable, Collection
from functools import lru_cache
from ipaddress import ip_address

_PATIENCE = 0.5
"""Seconds that a thread waits while another one resolves the full name."""


class HostNames:
    """The names of this machine.

    Args:
        configured: Names that the administrator has set.
        name: Returns the name of this machine.
        full_name: Returns the name with its domain; may use the network.
    """

    def __init__(
        self,
        configured: Collection[str] = (),
        name: Callable[[], str] = socket.gethostname,
        full_name: Callable[[], str] = socket.getfqdn,
    ) -> None:
        own = name().lower()
        short = own.partition(".")[0]
        self._names = {"localhost", own, short, f"{short}.local", *(each.lower() for each in configured)}  # RFC 6762
        self._find_full_name = full_name
        self._full_name = ""
        self._resolving = threading.Lock()

    def contain(self, authority: str) -> bool:
        """Return True if a ``Host`` header has a name of this machine or an IP address, with any port."""
        host = _host(authority)
        if not host or host in self._names or host.endswith(".localhost"):  # RFC 6761 §6.3
            return bool(host)
        return _is_address(host) or self._is_full_name(host)

    def _is_full_name(self, host: str) -> bool:
        """Return True for this machine's full name; one thread resolves it, others wait for a moment."""
        if not self._full_name and self._resolving.acquire(timeout=_PATIENCE):
            try:
                self._full_name = self._full_name or self._find_full_name().lower()
            finally:
                self._resolving.release()
        return host == self._full_name


def _host(authority: str) -> str:
    """Return the host of an authority, without brackets, port and final dot."""
    if authority.startswith("["):
        host, bracket, _ = authority[1:].partition("]")
        return host if bracket else ""
    return authority.partition(":")[0].lower().removesuffix(".")


@lru_cache(maxsize=256)
def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
