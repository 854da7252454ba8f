"""``davfs serve`` stops on a signal, at whatever moment it comes."""

import subprocess
import sys

import pytest

# The signal comes while this thread has just taken the lock of the event that it waits for, as it does in each wait.
IN_THE_WAIT = """
import signal, sys
from davfs.commands.signals import until_signalled

with until_signalled() as stopping:
    with stopping._cond:
        signal.raise_signal(int(sys.argv[1]))
    assert stopping.wait(10)
print("stopped")
"""

# The second signal ends a process that does not stop.
TWICE = """
import signal, sys
from davfs.commands.signals import until_signalled

with until_signalled():
    signal.raise_signal(int(sys.argv[1]))
    signal.raise_signal(int(sys.argv[1]))
    print("not ended")
"""


# Whoever started it has blocked the signals, as programs do that wait for them by other means.
BLOCKED = """
import os, signal, sys
from davfs.commands.signals import until_signalled

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
with until_signalled() as stopping:
    os.kill(os.getpid(), int(sys.argv[1]))
    assert stopping.wait(10)
print("stopped")
"""


def run(script: str, number: int) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, which may hang."""
    command = [sys.executable, "-c", script, str(int(number))]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_in_the_middle_of_a_wait_is_no_deadlock(number: int) -> None:
    """A signal that interrupts a waiting thread, which may hold the lock that the handler needs, causes no deadlock."""
    done = run(IN_THE_WAIT, number)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_that_was_blocked_is_none_that_is_lost(number: int) -> None:
    """A signal that was blocked at the start is handled: a process inherits the mask of its parent."""
    done = run(BLOCKED, number)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


@pytest.mark.parametrize("number", [2, 15])
def test_the_second_signal_ends_the_process(number: int) -> None:
    """The second signal ends the process at once."""
    done = run(TWICE, number)
    assert (done.returncode, done.stdout) == (-number, ""), done.stderr
