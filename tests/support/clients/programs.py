"""Programs that clients are made of: run to their end, or kept running beside the test."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.clients import LIMIT, ClientFailed


def run(
    command: Sequence[str | Path],
    *,
    content: bytes = b"",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    limit: float = LIMIT,
) -> bytes:
    """Run a program to its end, and return what it printed.

    Args:
        command: The program and its arguments.
        content: Bytes for its standard input.
        environment: What is different from our own environment.
        folder: Where it runs.
        limit: Seconds that it may take.

    Raises:
        ClientFailed: It ended with an error, or did not end in time.
    """
    try:
        done = subprocess.run(
            command,
            input=content,
            capture_output=True,
            check=False,
            cwd=folder,
            env=environment_with(environment),
            timeout=limit,
        )
    except subprocess.TimeoutExpired as error:
        raise ClientFailed(f"{command[0]} did not end within {limit:g} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout)[-2000:].decode(errors="replace").strip()
        raise ClientFailed(f"{command[0]} ended with {done.returncode}: {said}")
    return done.stdout


def environment_with(changes: Mapping[str, str] | None) -> dict[str, str]:
    """Return our own environment with changes, without proxies, and with names in UTF-8."""
    own = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    return own | {"LC_ALL": "C.UTF-8"} | dict(changes or {})


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside the block, in a process group of its own, and end that group with the block.

    Args:
        command: The program and its arguments.
        log: The file that takes what it prints.
        environment: What is different from our own environment.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment_with(environment),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and its children: asked at first, killed after five seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(5)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait(5)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    """Return once a condition holds.

    Raises:
        ClientFailed: It did not hold in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise ClientFailed(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
