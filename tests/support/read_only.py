"""A server before an Orthanc that behaves as if that was read-only, as Orthanc 1.12.5 and newer can be.

With ``"ReadOnly": true`` they do not register the routes that change anything: what is left of POST /instances and of
DELETE is 405, and ``ReadOnly`` in /system tells of it.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_CHANGING = re.compile(r"POST /instances|(DELETE|PUT) /.*|POST /.*/(modify|reconstruct)")
_COPIED = ("Content-Type", "Content-Range")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if _CHANGING.fullmatch(f"{self.command} {self.path}"):
            self._send(httpx.Response(httpx.codes.METHOD_NOT_ALLOWED, headers={"Allow": "GET"}))
            return
        headers = {name: value for name, value in self.headers.items() if name in ("Range", "Authorization")}
        answer = self.server.client.request(self.command, self.path, content=body, headers=headers)
        if self.path == "/system":
            answer = httpx.Response(answer.status_code, content=json.dumps(answer.json() | {"ReadOnly": True}))
        self._send(answer)

    def _send(self, answer: httpx.Response) -> None:
        self.send_response(answer.status_code)
        for name in (*_COPIED, "Allow"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_DELETE = do_PUT = _answer  # noqa: N815  http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    client: httpx.Client


@contextmanager
def read_only(url: str) -> Iterator[str]:
    """Open a server before an Orthanc, and return its address."""
    with (
        _Server(("127.0.0.1", 0), _Handler) as server,
        httpx.Client(base_url=url, trust_env=False, timeout=10) as server.client,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
