"""Whether the server lives, and whether the drive can be used: for whatever watches it, without a password.

``GET /davfs-api/health`` is answered with 200 as long as the process answers at all. ``GET /davfs-api/ready`` is
answered with 200 while the drive can be used, and with 503 and a reason otherwise. Neither tells what is on the drive.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from davfs.doors.webdav.context import Environ

HEALTH = "/davfs-api/health"
READY = "/davfs-api/ready"

_RETRY_SECONDS = "5"
_LIFETIME = 1.0

Respond = Callable[..., Any]
Application = Callable[[Environ, Respond], Iterable[bytes]]


class Readiness:
    """Answers whether the drive can be used; asked often, it looks once in a while.

    Args:
        obstacle: Tells why the drive cannot be used; None where it can. Nothing that it says is secret.
        clock: Monotonic time in seconds.
    """

    def __init__(self, obstacle: Callable[[], str | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._obstacle = obstacle
        self._clock = clock
        self._looking = threading.Lock()
        self._holds_until = -math.inf
        self._answer: str | None = None

    def obstacle(self) -> str | None:
        """Tell why the drive cannot be used; None where it can."""
        with self._looking:
            if self._clock() >= self._holds_until:
                self._answer = self._obstacle()
                self._holds_until = self._clock() + _LIFETIME
            return self._answer


class Health:
    """WSGI middleware that answers the two requests, and hands on all others.

    Args:
        application: What it hands them to.
        readiness: What it answers.
    """

    def __init__(self, application: Application, readiness: Readiness) -> None:
        self._application = application
        self._readiness = readiness

    def __call__(self, environ: Environ, start_response: Respond) -> Iterable[bytes]:
        """See PEP 3333."""
        path = environ["PATH_INFO"]
        if path not in {HEALTH, READY}:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            allowed = [("Allow", "GET, HEAD")]
            return _answer(environ, start_response, HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD.", allowed)
        reason = None if path == HEALTH else self._readiness.obstacle()
        if reason:
            return unavailable(environ, start_response, reason)
        return _answer(environ, start_response, HTTPStatus.OK, "ok")


class Deferred:
    """WSGI application that sends everybody away until there is one to hand requests to."""

    def __init__(self) -> None:
        self._application: Application | None = None

    def become(self, application: Application) -> None:
        """Hand on all further requests."""
        self._application = application

    def __call__(self, environ: Environ, start_response: Respond) -> Iterable[bytes]:
        """See PEP 3333."""
        if self._application:
            return self._application(environ, start_response)
        return unavailable(environ, start_response, "The drive is starting: it waits for Orthanc.")


def unavailable(environ: Environ, start_response: Respond, reason: str) -> Iterable[bytes]:
    """Answer that the drive cannot be used now.

    Source: RFC 9110 §15.6.4.
    """
    retry = [("Retry-After", _RETRY_SECONDS)]
    return _answer(environ, start_response, HTTPStatus.SERVICE_UNAVAILABLE, reason, retry)


def _answer(
    environ: Environ, start_response: Respond, status: HTTPStatus, text: str, headers: Iterable[tuple[str, str]] = ()
) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    start_response(
        f"{status.value} {status.phrase}",
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            *headers,
        ],
    )
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
