"""Sends syslog messages over UDP (RFC 5426), TCP with octet counting (RFC 6587 section 3.4.1) and TLS (RFC 5425)."""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class SyslogTransport(StrEnum):
    """How messages are sent; the value is the scheme of the server's URL."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


_PORTS = {SyslogTransport.UDP: 514, SyslogTransport.TCP: 514, SyslogTransport.TLS: 6514}


@dataclass(frozen=True, slots=True)
class SyslogServer:
    """A syslog server.

    Attributes:
        transport: How it is reached.
        host: Its name or IP address.
        port: Its port.
    """

    transport: SyslogTransport
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> "SyslogServer":
        """Parse a URL such as ``tls://logs.example.org:6514``; without a port, it is the usual one.

        Raises:
            ValueError: It is no such URL.
        """
        parts = urlsplit(url)
        transport = SyslogTransport(parts.scheme)
        if not parts.hostname or parts.port == 0 or url.rstrip("/") != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(url)
        if "@" in parts.netloc or any(not "!" <= character <= "~" for character in url):
            raise ValueError(url)
        return cls(transport, parts.hostname, parts.port or _PORTS[transport])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport.value}://{host}:{self.port}"


class SyslogConnection:
    """A connection to a syslog server, which is made when the first message is sent. Used by one thread, but `abort`.

    Args:
        server: The server.
        trust: Its certificate's check, for TLS; the host's name is checked as well.
    """

    def __init__(self, server: SyslogServer, trust: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._trust = trust
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def send(self, message: bytes, seconds: float) -> None:
        """Send a message; connect before, if that is needed.

        Args:
            message: The message.
            seconds: Time limit for the connection, and for the message.

        Raises:
            OSError: It could not be sent as a whole, and the connection is closed.
        """
        try:
            connected = self._socket
            if connected is None or self._is_closed(connected):
                self.close()
                connected = self._connect(seconds)
            counted = b"" if self._server.transport is SyslogTransport.UDP else f"{len(message)} ".encode()
            connected.settimeout(seconds)
            connected.sendall(counted + message)
        except (OSError, ValueError) as error:  # a name of a host that no name can have is a ValueError
            self.close()
            raise OSError(getattr(error, "strerror", None) or str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        connected, self._socket = self._socket, None
        if connected:
            connected.close()

    def abort(self) -> None:
        """Have the thread that connects or sends now fail at once, and all that is sent later."""
        self._is_aborted = True
        connected = self._socket
        if connected:
            with suppress(OSError):
                socket.socket.shutdown(connected, socket.SHUT_RDWR)  # not that of TLS, which would wait

    def _connect(self, seconds: float) -> socket.socket:
        """Connect to the first of the server's addresses that answers."""
        if self._is_aborted:
            raise OSError("the drive stops")
        server = self._server
        kind = socket.SOCK_DGRAM if server.transport is SyslogTransport.UDP else socket.SOCK_STREAM
        failure: OSError | None = None
        for family, _, protocol, _, address in socket.getaddrinfo(server.host, server.port, type=kind):
            self.close()
            self._socket = plain = socket.socket(family, kind, protocol)
            try:
                plain.settimeout(seconds)
                plain.connect(address)
                return self._prepare(plain)
            except OSError as error:
                failure = error
        raise failure or OSError("it has no address")

    def _prepare(self, plain: socket.socket) -> socket.socket:
        """Notice a server that is gone without a word, and begin TLS; return the socket to use."""
        if self._server.transport is not SyslogTransport.UDP:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._trust is None:
            return plain
        protected = self._trust.wrap_socket(plain, server_hostname=self._server.host, do_handshake_on_connect=False)
        self._socket = protected  # before the handshake, so that `abort` finds it
        protected.do_handshake()
        return protected

    def _is_closed(self, connected: socket.socket) -> bool:
        """Return True if the server has closed the connection: what is sent now would be lost without an error."""
        if self._server.transport is SyslogTransport.UDP:
            return False
        connected.settimeout(0)
        try:
            return not connected.recv(1024)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
