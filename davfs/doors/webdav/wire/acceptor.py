"""Accepts connections, with TLS or without."""

from typing import Any

from cheroot.errors import FatalSSLAlert

from davfs.doors.webdav.wire.connection import ClientConnection


def accepted(server: Any) -> ClientConnection | None:
    """Accept a connection; return None if TLS cannot be used on it.

    Args:
        server: The server, cheroot's, which listens.

    Raises:
        OSError: None can be accepted now.
    """
    sock, address = server.socket.accept()
    environ = {"wsgi.url_scheme": "http", "SERVER_PORT": str(server.bind_addr[1])}
    if server.ssl_adapter is not None:
        try:
            sock, of_tls = server.ssl_adapter.wrap(sock)
        except (OSError, FatalSSLAlert):
            sock.close()
            return None
        environ |= of_tls
    return ClientConnection(server, sock, address[:2], environ)
