"""The states in which a connection waits for its client."""

from enum import Enum, auto


class ConnectionState(Enum):
    """What a connection waits for."""

    TLS_HANDSHAKE = auto()
    """More of the TLS handshake, which a worker goes on with, since it costs a signature."""
    REQUEST = auto()
    """The head of the next request."""
    REQUEST_BODY = auto()
    """More of a request body."""
    SEND_BUFFER = auto()
    """Room in the socket's send buffer: the client has not read the response so far."""
    DISCARD = auto()
    """The rest of a refused request body, which is discarded."""
    LINGER = auto()
    """The client's close: closing first would send a reset, and lose the response (RFC 9112 §9.6)."""
