"""The HTTP server of door 2: cheroot."""

import logging
import threading
from typing import Any

from cheroot import wsgi

from davfs.errors import ConfigurationError

_log = logging.getLogger(__name__)


class Server:
    """Listens on a port, and answers with an application.

    Args:
        application: A WSGI application.
        address: Where to listen: a host's name or IP address.
        port: TCP port.
    """

    def __init__(self, application: Any, address: str, port: int) -> None:
        self._server = wsgi.Server((address, port), application, server_name="davfs", numthreads=16)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to listen.

        Raises:
            ConfigurationError: The port cannot be had.
        """
        try:
            self._server.prepare()
        except OSError as error:
            raise ConfigurationError(f"Davfs.Server.Port: {error}") from error
        self._thread = threading.Thread(target=self._server.serve, name="davfs-webdav", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Stop listening, and wait for the requests under way.

        Args:
            timeout: Seconds.
        """
        self._server.shutdown_timeout = timeout
        self._server.stop()
        if self._thread:
            self._thread.join(timeout)
        return not (self._thread and self._thread.is_alive())
