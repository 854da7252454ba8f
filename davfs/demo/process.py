"""Runs Orthanc as a child process, with a folder of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from davfs.demo.local_configuration import dav_port, local_configuration, merged
from davfs.demo.ports import LOOPBACK, free_ports, is_taken
from davfs.errors import DavfsError, Unavailable
from davfs.orthanc.client import Limits, OrthancClient
from davfs.orthanc.http import http_client


class OrthancFailed(DavfsError):
    """Orthanc did not start, or did not stop; the message ends with the last lines of its log."""


class PortTaken(DavfsError):
    """Other programs listen on ports that Orthanc needs.

    Args:
        ports: Those TCP ports by purpose: ``HTTP``, ``DICOM`` or ``DAV``.
    """

    def __init__(self, ports: Mapping[str, int]) -> None:
        named = " and ".join(f"port {port} ({purpose})" for purpose, port in ports.items())
        super().__init__(f"{named}: taken by another program")
        self.ports = dict(ports)


class OrthancProcess:
    """An Orthanc of Debian's package, in a process group of its own; as a context manager, started and stopped.

    The folder holds its configuration (``orthanc.json``, written at each start), its log (``orthanc.log``) and its data
    (``storage/``); a second process with the same folder has the same data.

    Args:
        folder: Its folder; created if it is missing.
        plugins: Shared libraries and scripts folders, as in Orthanc's ``Plugins``.
        davfs: The ``Davfs`` section; ``Python`` is this interpreter unless given.
        settings: Further keys of Orthanc's configuration, which win over the defaults here; ``HttpPort`` and
            ``DicomPort`` are free ones unless given.
        arguments: Options of Orthanc's command line, such as ``--verbose``.
        environment: Variables on top of this process's own.
    """

    def __init__(  # noqa: PLR0913  what Orthanc is started with
        self,
        folder: Path,
        *,
        plugins: Sequence[Path] = (),
        davfs: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        free_http, free_dicom = free_ports(2)
        self._settings = {"HttpPort": free_http, "DicomPort": free_dicom} | dict(settings or {})
        self.folder = folder.resolve()
        self.http_port = int(self._settings["HttpPort"])
        self.dicom_port = int(self._settings["DicomPort"])
        self.dav_port = dav_port(davfs or {})
        self.log = self.folder / "orthanc.log"
        self.killed = False
        self._plugins = tuple(plugins)
        self._davfs = dict(davfs or {})
        self._arguments = tuple(arguments)
        self._environment = os.environ | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Orthanc's own URL, without a trailing slash."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def drive_url(self) -> str:
        """The URL of the drive on Orthanc's own port, with a trailing slash."""
        return f"{self.url}{self._davfs.get('Uri', '/davfs')}/drive/"

    @property
    def server_url(self) -> str:
        """The URL of the drive's own server, with a trailing slash; empty if it is not enabled."""
        return f"http://{LOOPBACK}:{self.dav_port}/" if self.dav_port else ""

    @property
    def pid(self) -> int:
        """Process id, and id of the process group.

        Raises:
            OrthancFailed: It was never started.
        """
        return self._started().pid

    @property
    def running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.poll() is None

    def configuration(self) -> dict[str, Any]:
        """Return Orthanc's configuration: for clients on this machine only, without passwords."""
        base = local_configuration(self.folder, self._plugins)
        return merged(base | {"Davfs": {"Python": sys.executable} | self._davfs}, self._settings)

    def start(self, deadline: float = 30) -> None:
        """Start Orthanc and return once it answers.

        Args:
            deadline: Time limit in seconds.

        Raises:
            PortTaken: Another program listens on one or more of its ports.
            OrthancFailed: It ended, or did not answer in time and was stopped.
        """
        if missing := [str(path) for path in self._plugins if not path.exists()]:
            raise OrthancFailed(f"no such plugin: {', '.join(missing)}")  # Orthanc would start without it
        ports = {"HTTP": self.http_port, "DICOM": self.dicom_port, "DAV": self.dav_port}
        if taken := {purpose: port for purpose, port in ports.items() if port and is_taken(port)}:
            raise PortTaken(taken)
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "orthanc.json"
        settings.write_text(json.dumps(self.configuration(), indent=2, ensure_ascii=False) + "\n")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own configuration file, and options of ours
                [_executable(), *self._arguments, str(settings)],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(deadline)
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, deadline: float) -> None:
        end = time.monotonic() + deadline
        with http_client(self.url, limits=Limits(connect=2.0, read=2.0)) as client:
            while time.monotonic() < end:
                if not self.running:
                    raise self._failure(f"Orthanc ended with exit code {self.wait()} while it started")
                if _answers(client) and _catches_sigterm(self.pid):
                    return
                time.sleep(0.05)
        raise self._failure(f"Orthanc did not answer within {deadline:g} seconds")

    def wait(self) -> int:
        """Wait until Orthanc ends by itself, and return its exit code (negative: the signal that ended it).

        Raises:
            OrthancFailed: It was never started.
        """
        return self._started().wait()

    def stop(self, limit: float = 20) -> int:
        """Stop Orthanc by SIGTERM, and return its exit code (negative: the signal that ended it).

        If it does not end in time, it is killed and ``killed`` is set. A process that has ended is left alone.

        Args:
            limit: Seconds after which it is killed.

        Raises:
            OrthancFailed: It was never started.
        """
        if self.running:
            os.kill(self.pid, signal.SIGTERM)
            try:
                self._started().wait(limit)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.wait()

    def kill(self) -> None:
        """Kill Orthanc (SIGKILL), with all processes that it started."""
        self.killed = True
        os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of Orthanc's log."""
        if not self.log.is_file():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise OrthancFailed("Orthanc was not started")
        return self._process

    def _failure(self, what: str) -> OrthancFailed:
        return OrthancFailed(f"{what}. The end of {self.log}:\n{self.log_tail()}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _executable() -> str:
    """Return the path of Orthanc; Debian installs it in /usr/sbin, which is not on every user's PATH."""
    found = shutil.which("Orthanc", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if found is None:
        raise OrthancFailed("Orthanc is not installed: apt-get install orthanc")
    return found


def _answers(client: OrthancClient) -> bool:
    """Return True if Orthanc's REST API answers; with authentication, 401 is an answer too."""
    try:
        return client.request("GET", "/system").status in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}
    except Unavailable:
        return False


def _catches_sigterm(pid: int) -> bool:
    """Return True if Orthanc handles SIGTERM, which begins a moment after HTTP answers."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
