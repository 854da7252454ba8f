"""An rsyslog of a test's own, which receives messages by UDP, TCP and TLS on this machine."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from davfs.demo.ports import LOOPBACK, free_ports, is_taken
from tests.support.guarded import certificate

_CONFIGURATION = """\
global(
  workDirectory="{folder}"
  maxMessageSize="32k"
  defaultNetstreamDriver="{driver}"
  defaultNetstreamDriverCAFile="{certificate}"
  defaultNetstreamDriverCertFile="{certificate}"
  defaultNetstreamDriverKeyFile="{key}"
)
module(load="imudp")
module(load="imptcp")
module(load="imtcp" streamDriver.name="{driver}" streamDriver.mode="1" streamDriver.authMode="{mode}")
input(type="imudp" address="{address}" port="{udp}")
input(type="imptcp" address="{address}" port="{tcp}")
input(type="imtcp" address="{address}" port="{tls}")
template(name="fields" type="list" option.jsonf="on") {{
  property(outname="priority" name="pri" format="jsonf")
  property(outname="version" name="protocol-version" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="application" name="app-name" format="jsonf")
  property(outname="process" name="procid" format="jsonf")
  property(outname="id" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
action(type="omfile" file="{received}" template="fields")
"""
_DEADLINE = 30.0
"""Seconds within which it has to start, to stop, and to receive something."""


class Rsyslog:
    """A syslog server.

    Args:
        folder: Its folder.
        driver: Its TLS library: ``gtls`` or ``ossl``.
        asks: True if it takes only clients with a certificate that its own authority signed.

    Attributes:
        urls: The URLs of the server by scheme.
        certificate: Its certificate, which is its own authority.
        key: The certificate's key.
    """

    def __init__(self, folder: Path, *, driver: str = "gtls", asks: bool = False) -> None:
        self._folder = folder
        self._received = folder / "received"
        self.certificate, self.key = certificate(folder)
        self._ports = dict(zip(("udp", "tcp", "tls"), free_ports(3), strict=True))
        self.urls = {scheme: f"{scheme}://{LOOPBACK}:{port}" for scheme, port in self._ports.items()}
        mode = "x509/certvalid" if asks else "anon"
        places = {"folder": folder, "received": self._received, "certificate": self.certificate, "key": self.key}
        configuration = _CONFIGURATION.format(**places, **self._ports, driver=driver, mode=mode, address=LOOPBACK)
        (folder / "rsyslog.conf").write_text(configuration)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [
            "/usr/sbin/rsyslogd",
            "-n",
            "-f",
            str(self._folder / "rsyslog.conf"),
            "-i",
            str(self._folder / "pid"),
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait(lambda: is_taken(self._ports["tcp"]) and is_taken(self._ports["tls"]))

    def stop(self) -> None:
        """Stop it."""
        if self._process:
            self._process.terminate()
            self._process.wait(_DEADLINE)

    def received(self, number: int) -> list[dict[str, Any]]:
        """Return the messages that were received, once there are so many."""
        self._wait(lambda: self._received.exists() and self._received.read_bytes().count(b"\n") >= number)
        return [json.loads(line) for line in self._received.read_text().splitlines()]

    def _wait(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + _DEADLINE
        while not condition():
            if time.monotonic() > until or (self._process and self._process.poll() is not None):
                raise AssertionError((self._folder / "log").read_text())
            time.sleep(0.05)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
