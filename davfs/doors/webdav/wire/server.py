"""The HTTP server of door 2: listens on a port, and stops within a time limit."""

import errno
import logging
import socket
import ssl
import sys
import threading
import time
from typing import Any

from cheroot.server import Gateway, HTTPServer

from davfs.doors.webdav.wire.connection import ClientConnection
from davfs.doors.webdav.wire.connection_manager import ConnectionManager
from davfs.doors.webdav.wire.socket_reader import LARGEST_HEAD
from davfs.doors.webdav.wire.tls_socket import TlsAdapter
from davfs.doors.webdav.wire.worker_pool import WorkerPool, log_error
from davfs.errors import ConfigurationError, DavfsError

THREADS = 64
"""Threads that answer requests; none of them waits for its client."""
_BACKLOG = 4096
"""Connections that the kernel keeps until they are accepted; when it drops one, the client tries again after 1 s."""
_EXPIRY_INTERVAL = 0.5

_log = logging.getLogger(__name__)


class _CherootServer(HTTPServer):
    """cheroot's server, with our connection manager and worker pool.

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
            ConfigurationError: The port cannot be used.
        """
        try:
            super().prepare()
        except OSError as error:
            raise ConfigurationError(self._refusal or str(error)) from error
        self.socket.setblocking(False)  # noqa: FBT003  the standard library's
        self._connections.close()
        self._connections = ConnectionManager(self)

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002  cheroot's
        """Bind to one of the addresses of a host name; on failure close the socket, which cheroot leaves open."""
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
        self._connections.run(_EXPIRY_INTERVAL)

    def forget(self, connection: ClientConnection) -> None:
        """Note that a connection has been closed."""
        self._connections.forget(connection)

    def stop_within(self, timeout: float) -> bool:
        """Stop; return True if all threads have ended in time, else it may be called again."""
        if self.ready:
            self.ready = False
            self._connections.stop()
            self.socket.close()
            self._connections.close()  # connections that workers return later are closed
        return bool(self.requests.stop(timeout))

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  cheroot's
        """Log an error; a response that one of the drive's own errors breaks off is no fault of the program."""
        if isinstance(sys.exc_info()[1], DavfsError):
            log_error("an answer broke off", logging.INFO)
        else:
            log_error("a request failed", level)


class HttpServer:
    """Serves a WSGI application on a port.

    Args:
        application: A WSGI application.
        address: Host name or IP address to listen on.
        port: TCP port; 0 for a free one.
        tls: Context with the certificate; None for plain HTTP.
        threads: Number of workers.
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
            ConfigurationError: The port cannot be used.
        """
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve, name="davfs-webdav", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Stop listening, and wait for the requests in progress; break the connections of those that take too long.

        After False it can be called again, to wait for longer.

        Args:
            timeout: Seconds.

        Returns:
            True if all threads have ended.
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
