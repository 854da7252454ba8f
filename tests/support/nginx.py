"""An nginx of a test's own, which balances the load between servers on this machine."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from davfs.demo.ports import LOOPBACK, free_ports, is_taken

_CONFIGURATION = """\
daemon off;
pid nginx.pid;
error_log error.log;
{user}
worker_processes 1;
events {{}}
http {{
  access_log off;
  client_max_body_size 0;
  proxy_connect_timeout 2s;
  proxy_http_version 1.1;
  client_body_temp_path temporary;
  proxy_temp_path temporary;
  fastcgi_temp_path temporary;
  uwsgi_temp_path temporary;
  scgi_temp_path temporary;
  upstream nodes {{
    {nodes}
  }}
  server {{
    listen {address}:{port};
    location / {{
      proxy_pass http://nodes;
      proxy_set_header Host $host:$server_port;
    }}
  }}
}}
"""
_NODE = "server {address}:{port} max_fails=1 fail_timeout=1s;"
_DEADLINE = 10.0
"""Seconds within which it has to start, or to stop."""


class Nginx:
    """A load balancer: requests go to the servers in turn, and not to one that does not answer.

    Args:
        folder: Its folder.
        ports: The TCP ports of the servers.
    """

    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        (self.port,) = free_ports(1)
        self._folder = folder
        self._ports = ports
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, without a slash at its end."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, "nginx is not installed"
        (self._folder / "temporary").mkdir(parents=True)
        nodes = "\n    ".join(_NODE.format(address=LOOPBACK, port=port) for port in self._ports)
        user = "user root;" if os.geteuid() == 0 else ""  # its worker reads the temporary files of this folder
        path = self._folder / "nginx.conf"
        path.write_text(_CONFIGURATION.format(nodes=nodes, address=LOOPBACK, port=self.port, user=user))
        self._process = subprocess.Popen([program, "-p", self._folder, "-c", path, "-e", "error.log"])
        end = time.monotonic() + _DEADLINE
        while not is_taken(self.port):
            assert self._process.poll() is None, (self._folder / "error.log").read_text()
            assert time.monotonic() < end, "nginx does not listen"
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(_DEADLINE)
