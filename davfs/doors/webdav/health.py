"""Health checks for monitoring, which need no password and reveal nothing of the drive.

``GET /davfs-api/health`` is answered with 200 as long as the process answers at all. ``GET /davfs-api/ready`` is
answered with 200 while the drive can be used, and with 503 and a reason otherwise.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus

from davfs.doors.webdav.context import Application, Environ, StartResponse
from davfs.doors.webdav.responses import send_text, unavailable

HEALTH = "/davfs-api/health"
READY = "/davfs-api/ready"

_LIFETIME = 1.0


class Readiness:
    """Checks whether the drive can be used, at most once in a second.

    Args:
        obstacle: Returns why the drive cannot be used, None if it can; the reason is shown to anybody.
        clock: Monotonic time in seconds.
    """

    def __init__(self, obstacle: Callable[[], str | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._obstacle = obstacle
        self._clock = clock
        self._lock = threading.Lock()
        self._expires = -math.inf
        self._cached: str | None = None

    def obstacle(self) -> str | None:
        """Return why the drive cannot be used; None if it can."""
        with self._lock:
            if self._clock() >= self._expires:
                self._cached = self._obstacle()
                self._expires = self._clock() + _LIFETIME
            return self._cached


class HealthChecks:
    """WSGI middleware that answers the two health checks.

    Args:
        application: Answers all other requests.
        readiness: Checks whether the drive can be used.
    """

    def __init__(self, application: Application, readiness: Readiness) -> None:
        self._application = application
        self._readiness = readiness

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        path = environ["PATH_INFO"]
        if path not in {HEALTH, READY}:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            allowed = [("Allow", "GET, HEAD")]
            return send_text(environ, start_response, HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD.", allowed)
        reason = None if path == HEALTH else self._readiness.obstacle()
        if reason:
            return unavailable(environ, start_response, reason)
        return send_text(environ, start_response, HTTPStatus.OK, "ok")


class StartingApplication:
    """WSGI application that answers 503 until another application takes over."""

    def __init__(self) -> None:
        self._application: Application | None = None

    def switch_to(self, application: Application) -> None:
        """Pass all further requests to an application."""
        self._application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        if self._application:
            return self._application(environ, start_response)
        return unavailable(environ, start_response, "The drive is starting: it waits for Orthanc.")
