"""The address of a client is taken from trusted proxies, never from the client itself."""

from ipaddress import ip_network

import pytest

from davfs.doors.webdav.login.client_address import client_address, is_secret, network

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1")))


@pytest.mark.parametrize(
    ("peer", "told", "client"),
    [
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.1, 192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.1, 192.0.2.1, 10.1.2.3", "192.0.2.1"),
        ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("127.0.0.1", "192.0.2.1:5678", "192.0.2.1"),
        ("127.0.0.1", "[2001:db8:2::1]:5678", "2001:db8:2::1"),
        ("127.0.0.1", "2001:db8:2::1", "2001:db8:2::1"),
        ("2001:db8:1::5", "192.0.2.1", "192.0.2.1"),
        ("::ffff:127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "192.0.2.1, unknown", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1, ", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1, 1.2.3.4.5, 10.0.0.1", "10.0.0.1"),
        ("", "192.0.2.1", ""),
    ],
)
def test_client(peer: str, told: str, client: str) -> None:
    """The client is the first address from the right that is no trusted proxy; a malformed one ends the search."""
    assert client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": told}, PROXIES) == client


def test_nobody_is_trusted_by_default() -> None:
    """Without proxies the peer is the client."""
    told = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.1", "HTTP_X_FORWARDED_PROTO": "https"}
    assert client_address(told, ()) == "127.0.0.1"
    assert not is_secret({**told, "wsgi.url_scheme": "http"}, ())


def test_long_chain() -> None:
    """A header of 64 KB is parsed quickly."""
    told = ",".join(["10.0.0.1"] * 7000)
    assert client_address({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": told}, PROXIES) == "10.0.0.1"


@pytest.mark.parametrize(
    ("address", "stands_for_it"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        ("a socket", "a socket"),
    ],
)
def test_customers_are_one_client(address: str, stands_for_it: str) -> None:
    """All IPv6 addresses of one customer's network count as one client."""
    assert network(address) == stands_for_it
