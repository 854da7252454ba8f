"""Ports for servers that are started later."""

import subprocess
import sys
from contextlib import ExitStack
from subprocess import PIPE

from davfs.demo.ports import free_ports, is_taken

FIRST_FOR_CLIENTS = 32_768
"""From here on Linux gives ports to clients, unless it is told otherwise (ip(7), ip_local_port_range)."""


def test_no_client_is_given_a_port_that_is_meant_for_a_server() -> None:
    """Between the choice and the start of the server other programs open connections."""
    ports = free_ports(200)
    assert len(set(ports)) == 200
    assert max(ports) < FIRST_FOR_CLIENTS
    assert not any(map(is_taken, ports))


def test_ports_are_given_out_once() -> None:
    """Free ports are given out once only, within a process and across several."""
    program = "from davfs.demo.ports import free_ports; print(*free_ports(150), flush=True); input()"
    command = [sys.executable, "-c", program]
    with ExitStack() as stack:
        others = [stack.enter_context(subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True)) for _ in range(4)]
        theirs = [other.stdout.readline().split() for other in others if other.stdout]
        chosen = [*free_ports(150), *(int(port) for ports in theirs for port in ports)]
        for other in others:
            other.communicate("\n")
    assert len(set(chosen)) == len(chosen) == 5 * 150
