"""Writes the head of a response, and decides how its body ends (RFC 9112 §6)."""

import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from davfs.doors.webdav.wire.request_head import RequestHead

_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Statuses of responses that end with their heads."""
IDLE_SECONDS = 75.0
"""Time for which a connection waits for its next request."""


class ResponseHead(NamedTuple):
    """The head of a response.

    Attributes:
        content: Its bytes.
        length: Its ``Content-Length``, in bytes; None if the body ends with its last chunk, or with the connection.
        has_body: Whether a body follows, unless it is that of a HEAD.
        is_chunked: Whether the body is sent in chunks.
        is_kept: Whether another request may follow on the connection.
    """

    content: bytes
    length: int | None
    has_body: bool
    is_chunked: bool
    is_kept: bool


def response_head(
    status: str, headers: Iterable[tuple[str, str]], request: RequestHead, *, is_kept: bool
) -> ResponseHead:
    """Return the head of a response.

    Args:
        status: Status code and phrase.
        headers: The headers, as the application has them.
        request: The head of the request.
        is_kept: Whether the connection may stay open.

    Raises:
        UnicodeEncodeError: A header has other characters than Latin-1.
    """
    length, is_chunked, is_dated, code = None, False, False, int(status[:3])
    lines = [f"HTTP/1.1 {status}"]
    for name, value in headers:
        lines.append(f"{name}: {value}")
        match name.lower():
            case "content-length":
                length = int(value)
            case "date":  # WsgiDAV's
                is_dated = True
            case "connection":
                is_kept = is_kept and value.lower() != "close"
    if code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # the rest of the body would be taken for a request
        is_kept = False
    has_body = code not in _WITHOUT_BODY
    if length is None and has_body and request.method != "HEAD":
        is_chunked, is_kept = not request.is_old, is_kept and not request.is_old
    if is_chunked:
        lines.append("Transfer-Encoding: chunked")
    if not is_kept:
        lines.append("Connection: close")
    elif request.is_old:
        lines += ["Connection: Keep-Alive", f"Keep-Alive: timeout={IDLE_SECONDS:.0f}"]
    lines.append("Server: davfs\r\n\r\n" if is_dated else _common(int(time.time())))
    return ResponseHead("\r\n".join(lines).encode("latin-1"), length, has_body, is_chunked, is_kept)


@lru_cache(maxsize=2)
def _common(second: int) -> str:
    """Return the end of all heads: ``Date`` (RFC 9110 §6.6.1) for a second of Unix time, and ``Server``."""
    return f"Date: {formatdate(second, usegmt=True)}\r\nServer: davfs\r\n\r\n"
