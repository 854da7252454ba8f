"""IP addresses of clients, also behind trusted proxies."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, TypeAlias

from davfs.settings.checks import IpNetwork

Address: TypeAlias = IPv4Address | IPv6Address

SITE = 48
"""Bits of an IPv6 address that identify a customer, who chooses the others (RFC 6177)."""


def client_address(environ: Mapping[str, Any], trusted: Sequence[IpNetwork]) -> str:
    """Return a client's IP address.

    ``X-Forwarded-For`` is read from its right end, as far as trusted proxies have written it. The first address that is
    not trusted is the client; everything to its left may be forged.

    Args:
        environ: The request (PEP 3333).
        trusted: Networks of the proxies.
    """
    peer = str(environ.get("REMOTE_ADDR", ""))
    parsed = _parsed(peer)
    if parsed is None:
        return peer
    hops = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    while hops and is_trusted(parsed, trusted):
        before = _parsed(hops.pop())
        if before is None:  # malformed: only the proxy that wrote it is known
            break
        parsed = before
    return str(parsed)


def is_secret(environ: Mapping[str, Any], trusted: Sequence[IpNetwork]) -> bool:
    """Return True if a request was encrypted on its way: by TLS, also to a trusted proxy."""
    if environ["wsgi.url_scheme"] == "https":
        return True
    peer = _parsed(str(environ.get("REMOTE_ADDR", "")))
    scheme = str(environ.get("HTTP_X_FORWARDED_PROTO", "")).rpartition(",")[2].strip().lower()
    return peer is not None and is_trusted(peer, trusted) and scheme == "https"


def network(address: str, bits: int = SITE) -> str:
    """Return the network of an IPv6 address with so many bits, as text; other addresses as they are."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped or ip_network((parsed.packed, bits), strict=False))


def is_trusted(address: Address, trusted: Sequence[IpNetwork]) -> bool:
    """Return True if an address is that of a trusted proxy."""
    return any(address in network for network in trusted)


def _parsed(text: str) -> Address | None:
    """Parse an address in a form of proxies: bare, or with a port (IPv6 in brackets then); None if malformed."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        parsed = ip_address(bare)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
