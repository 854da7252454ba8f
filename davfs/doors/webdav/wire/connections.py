"""Closes connections as responses say, and leaves TLS handshakes to the workers, which cheroot does not do."""

import ssl
from typing import Any

from cheroot.server import HTTPRequest
from cheroot.ssl import Adapter
from cheroot.ssl.builtin import BuiltinSSLAdapter

from davfs.doors.webdav.wire.tls_socket import TlsSocket


class ClosingRequest(HTTPRequest):
    """A request whose connection is closed where the answer says so.

    cheroot sends ``Connection: close`` and keeps it open, after it has read what is left of the request's body into
    memory: of any size, before anybody has logged in.
    """

    def send_headers(self) -> None:
        """Send the headers of the answer."""
        if (b"connection", b"close") in ((name.lower(), value.lower()) for name, value in self.outheaders):
            self.close_connection = True
        super().send_headers()


class TlsAdapter(BuiltinSSLAdapter):
    """TLS with a context made elsewhere, for ``ssl_adapter`` of a server.

    The handshake is left to whoever reads the request. cheroot's own adapter does it as soon as it has accepted a
    connection, and on that one thread a client that says nothing holds up all others until it times out.

    Args:
        context: Of a server, with its certificate.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        Adapter.__init__(self, "", "")  # BuiltinSSLAdapter's own would read a certificate from a file
        self.context = context

    def wrap(self, sock: Any) -> tuple[TlsSocket, dict[str, str]]:
        """Return the socket of a new connection, and what its requests carry."""
        return TlsSocket(sock, self.context), {"wsgi.url_scheme": "https", "HTTPS": "on"}
