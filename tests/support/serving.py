"""``davfs serve`` as a child process."""

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from davfs.demo.ports import LOOPBACK, free_ports
from tests.support.webdav import WebDav

SECONDS = 30
"""Time limit of every wait."""


class ServeProcess:
    """A stand-alone drive; as a context manager, started and stopped.

    Args:
        folder: Holds its log and its state.
        orthanc: Orthanc's address; empty to leave it to the other options.
        options: Further options of the command line.
        environment: Variables on top of this process's own.
        port: Where it listens; a free port unless given, 0 to leave it to the other options.
        certificate: The authority that signed its certificate; None without TLS.
    """

    def __init__(
        self,
        folder: Path,
        orthanc: str = "",
        *options: str,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        certificate: Path | None = None,
    ) -> None:
        self.port = free_ports(1)[0] if port is None else port
        self.url = f"{'https' if certificate else 'http'}://{LOOPBACK}:{self.port}/"
        self.log = folder / "serve.log"
        address = ("--orthanc", orthanc) if orthanc else ()
        listening = ("--port", str(self.port)) if self.port else ()
        self._command = [sys.executable, "-m", "davfs", "serve", *address, *listening, *options]
        self._environment = os.environ | {"XDG_STATE_HOME": str(folder / "state")} | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        trust = ssl.create_default_context(cafile=certificate)
        self.client = httpx.Client(base_url=self.url, trust_env=False, timeout=10, verify=trust)

    @property
    def text(self) -> str:
        """Return the log so far."""
        return self.log.read_text(errors="replace")

    def start(self) -> None:
        """Start it without waiting."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def status(self, path: str) -> int:
        """Return the status of a GET; 0 without a response."""
        try:
            return self.client.get(path).status_code
        except httpx.TransportError:
            return 0

    def wait_for(self, path: str, status: int) -> None:
        """Wait until a GET has this status.

        Raises:
            AssertionError: It had not in time, or the process ended.
        """
        end = time.monotonic() + SECONDS
        while (found := self.status(path)) != status:
            assert self._process
            assert self._process.poll() is None, f"davfs serve ended with {self._process.returncode}:\n{self.text}"
            assert time.monotonic() < end, f"GET {path} is answered {found}, not {status}:\n{self.text}"
            time.sleep(0.05)

    def ready(self) -> Self:
        """Start it, and wait until the drive can be used."""
        self.start()
        self.wait_for("/davfs-api/ready", httpx.codes.OK)
        return self

    def drive(self) -> WebDav:
        """Return a client of the drive."""
        return WebDav(self.url)

    def end(self) -> int:
        """Wait until it ends by itself, and return its exit code."""
        assert self._process
        return self._process.wait(SECONDS)

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self._process
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.send(number)
        return self.end()

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
