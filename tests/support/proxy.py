"""A proxy before Orthanc that can answer in its place."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import httpx

PAGE = b"<html><body>We are back soon.</body></html>"


class Proxy:
    """Listens on a free port of this machine until it is left; it names itself in ``Via`` and ``Server``.

    Args:
        url: The server behind it.
        replaces: Whether it answers a request, by its path, with 200 and its own page; can be changed.
    """

    def __init__(self, url: str, replaces: Callable[[str], bool] = lambda _path: False) -> None:
        self.replaces = replaces
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one connection's requests."""

            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                """Pass a request on, or answer it."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if proxy.replaces(self.path):
                    self.reply(200, "text/html", PAGE)
                    return
                headers = {"Accept-Encoding": "identity"}
                found = proxy.client.request(self.command, self.path, content=body, headers=headers)
                self.reply(found.status_code, found.headers.get("Content-Type", ""), found.content)

            def reply(self, status: int, kind: str, body: bytes) -> None:
                """Send an answer."""
                self.send_response(status)
                self.send_header("Via", "1.1 proxy")
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815  the standard library's names

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self.client = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.client.close()
