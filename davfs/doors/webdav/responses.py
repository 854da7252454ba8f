"""Responses without a body, and with one sentence as plain text."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import chain

from davfs.doors.webdav.context import Environ, StartResponse

RETRY_AFTER = ("Retry-After", "5")
"""Header of each 503; in seconds (RFC 9110 §10.2.3)."""

_BUFFERED = 1 << 20
"""Bytes of the longest response that is sent with its length."""


def send_blocks(
    start_response: StartResponse, status: str, headers: Iterable[tuple[str, str]], blocks: Iterator[bytes]
) -> Iterable[bytes]:
    """Send a response whose length is not known yet: with its length if it is short, or else as it is made."""
    buffered, length = list[bytes](), 0
    for block in blocks:
        buffered.append(block)
        length += len(block)
        if length > _BUFFERED:
            start_response(status, [*headers])
            return chain(buffered, blocks)
    start_response(status, [*headers, ("Content-Length", str(length))])
    return [b"".join(buffered)]  # sent in one packet with the head


def send_empty(
    start_response: StartResponse, status: HTTPStatus, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    """Send a response without a body."""
    start_response(f"{status.value} {status.phrase}", [("Content-Length", "0"), *headers])
    return []


def send_text(
    environ: Environ,
    start_response: StartResponse,
    status: HTTPStatus,
    text: str,
    headers: Iterable[tuple[str, str]] = (),
) -> list[bytes]:
    """Send one sentence, which no cache keeps."""
    body = f"{text}\n".encode()
    start_response(
        f"{status.value} {status.phrase}",
        [
            *headers,
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ],
    )
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def unavailable(environ: Environ, start_response: StartResponse, reason: str) -> list[bytes]:
    """Send 503 (RFC 9110 §15.6.4)."""
    return send_text(environ, start_response, HTTPStatus.SERVICE_UNAVAILABLE, reason, [RETRY_AFTER])
