"""Ports for servers that are started later."""

from davfs.demo.ports import free_ports, is_taken

FIRST_FOR_CLIENTS = 32_768
"""From here on Linux gives ports to clients, unless it is told otherwise (ip(7), ip_local_port_range)."""


def test_no_client_is_given_a_port_that_is_meant_for_a_server() -> None:
    """Between the choice and the start of the server other programs open connections."""
    ports = free_ports(200)
    assert len(set(ports)) == 200
    assert max(ports) < FIRST_FOR_CLIENTS
    assert not any(map(is_taken, ports))
