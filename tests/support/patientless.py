"""Orthanc as it is with ``"PatientLevelEnabled" : false``, in front of one of any version: a relay without patients.

Source: OrthancRestResources.cpp of Orthanc 1.12.11: none of the routes below ``/patients`` is registered.
"""

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit

import httpx

_UNKNOWN = json.dumps({"HttpError": "Not Found", "HttpStatus": 404, "OrthancStatus": 17}).encode()
_HANDED_ON = {"authorization", "content-type", "expect", "range"}


class Patientless:
    """Listens on a free port of this machine until it is left.

    Args:
        url: Address of the Orthanc behind it.

    Attributes:
        asked: Paths below ``/patients`` that somebody wanted.
    """

    def __init__(self, url: str) -> None:
        self.asked: list[str] = []
        self.orthanc = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.relay = self  # type: ignore[attr-defined]  # for its handlers
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.orthanc.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer goes out as a whole, without waiting 40 ms for the client

    def _relay(self) -> None:
        relay = cast("Patientless", cast("Any", self.server).relay)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if urlsplit(self.path).path.split("/")[1] == "patients":
            relay.asked.append(self.path)
            self._answer(HTTPStatus.NOT_FOUND, _UNKNOWN, {})
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() in _HANDED_ON}
        answer = relay.orthanc.request(self.command, self.path, content=body, headers=headers)
        content = answer.content
        if self.path == "/tools/bulk-content" and answer.is_success:
            content = json.dumps([one for one in answer.json() if one["Type"] != "Patient"]).encode()
        self._answer(answer.status_code, content, {"Content-Type": answer.headers.get("Content-Type", "")})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as the base class has it
        """Keep quiet."""

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _relay  # noqa: N815  as the base class has them
