"""The HTTP server of door 2: listens on a port, and stops within a time limit."""

import errno
import logging
import socket
import ssl
import sys
import threading
import time
from typing import Any

from cheroot.server import HTTPServer

from davfs.doors.webdav.wire.connection import ClientConnection, Gateway
from davfs.doors.webdav.wire.connection_manager import ConnectionManager
from davfs.doors.webdav.wire.connections import TlsAdapter
from davfs.doors.webdav.wire.socket_reader import LARGEST_HEAD
from davfs.doors.webdav.wire.worker_pool import WorkerPool, report
from davfs.errors import ConfigurationError, DavfsError

THREADS = 64
"""Requests that are answered at the same time; none of them waits for its client."""
_BACKLOG = 4096
"""Connections that the kernel keeps until they are accepted; where it drops one, the client tries again after 1 s."""
_INTERVAL = 0.5

_log = logging.getLogger(__name__)


class _CherootServer(HTTPServer):
    """cheroot, with other parts.

    Args:
        address: Host and port.
        application: A WSGI application.
        threads: Number of workers.
    """

    _connections: Any
    requests: Any
    max_request_header_size = LARGEST_HEAD
    request_queue_size = _BACKLOG

    def __init__(self, address: tuple[str, int], application: Any, threads: int) -> None:
        super().__init__(address, Gateway, server_name="davfs")
        self.wsgi_app = application
        self.requests = WorkerPool(self, threads)
        self._refusal = ""

    def prepare(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: The port cannot be had.
        """
        try:
            super().prepare()
        except OSError as error:
            raise ConfigurationError(self._refusal or str(error)) from error
        self.socket.setblocking(False)  # noqa: FBT003  the standard library's
        self._connections.close()
        self._connections = ConnectionManager(self)

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002  cheroot's
        """Bind to one of the addresses of a host's name; cheroot would leave the socket open where it cannot."""
        made: socket.socket = self.prepare_socket(self.bind_addr, family, type, proto, self.nodelay, self.ssl_adapter)
        try:
            made.bind(self.bind_addr)
        except OSError as error:
            made.close()
            self._refusal = _reason(self.bind_addr, error)
            raise
        self.socket = made
        self.bind_addr = made.getsockname()[:2]
        return made

    def serve(self) -> None:
        """Serve until `stop`."""
        self._connections.run(_INTERVAL)

    def forget(self, connection: ClientConnection) -> None:
        """Note that a connection has been closed."""
        self._connections.forget(connection)

    def stop_within(self, timeout: float) -> bool:
        """Stop, and return whether all threads have ended in time; may be called again where they have not."""
        if self.ready:
            self.ready = False
            self._connections.stop()
            self.socket.close()
            self._connections.close()  # from here on, what comes back is closed
        return bool(self.requests.stop(timeout))

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  cheroot's
        """Log what cheroot could not cope with; an answer that a foreseen error breaks off is nothing to be mended."""
        if isinstance(sys.exc_info()[1], DavfsError):
            report("an answer broke off", logging.INFO)
        else:
            report("a request failed", level)


class HttpServer:
    """Listens on a port, and answers with an application.

    Args:
        application: A WSGI application.
        address: Where to listen: a host's name or IP address.
        port: TCP port; 0 for a free one.
        tls: Makes the connections secret; None for plain HTTP.
        threads: Requests that are answered at the same time.
    """

    def __init__(
        self, application: Any, address: str, port: int, *, tls: ssl.SSLContext | None = None, threads: int = THREADS
    ) -> None:
        self._server = _CherootServer((address, port), application, threads)
        self._server.ssl_adapter = TlsAdapter(tls) if tls else None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._server.bind_addr[1])

    def start(self) -> None:
        """Start to listen.

        Raises:
            ConfigurationError: The port cannot be had.
        """
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve, name="davfs-webdav", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Stop listening, and let the requests under way end; connections of those that do not are broken.

        Where it returns False it can be called once more, to wait for longer.

        Args:
            timeout: Seconds.

        Returns:
            Whether all threads have ended.
        """
        if self._thread is None:
            return True
        deadline = time.monotonic() + timeout
        ended = self._server.stop_within(timeout)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return ended and not self._thread.is_alive()


def _reason(address: tuple[str, int], error: OSError) -> str:
    where = f"Davfs.Server: port {address[1]} of {address[0]}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is taken by another program: set Davfs.Server.Port to a free one"
        case errno.EACCES:
            return f"{where} may not be used by this user: set Davfs.Server.Port to one above 1023"
    return f"{where} cannot be listened on: {error.strerror or error}"
