"""Requests that the page of another site makes in somebody's browser (docs/adr/0016-who-may-ask.md).

**DNS rebinding**: a page gives its own name the address of this machine, and the browser lets it read what it finds
there. It cannot choose the ``Host`` that the browser sends: where nobody has to log in, that has to be a name of this
machine, or one that the administrator has set. An IP address is no name that could be given to another machine.

**Cross-site request forgery**: a page has the browser send a request with the login that it knows. Whatever changes
something is refused where the browser says that it comes from elsewhere; clients that are no browser say nothing.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav.context import Environ, context_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.request_headers import plain_host
from davfs.orthanc.access import LIFETIME, Decision, Permission

_READING = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND"})
_OWN = frozenset({"same-origin", "none"})
_UNKNOWN = (
    "This drive asks for no password, and so it answers only to names that it knows. "
    "If this is a name of it, add it to Davfs.Server.HostNames, or, with davfs serve, by --host-name."
)


class CrossSite(BaseMiddleware):
    """Refuses them; a middleware of WsgiDAV, for requests whose user is known.

    Args:
        wsgidav_app: Not used.
        next_app: Gets all others.
        config: WsgiDAV's configuration; the context in it has the `HostNames`.
    """

    def __init__(self, wsgidav_app: Any, next_app: Any, config: Mapping[str, Any]) -> None:
        super().__init__(wsgidav_app, next_app, config)
        self._closed_until = 0.0

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Decision a request (PEP 3333)."""
        host = environ.get("HTTP_HOST")
        if host is not None and not context_of(self.config).host_names.include(host) and self._is_open():
            raise HttpError(HTTPStatus.MISDIRECTED_REQUEST, _UNKNOWN)
        if environ["REQUEST_METHOD"] not in _READING and is_foreign(environ):
            raise HttpError(HTTPStatus.FORBIDDEN, "The page of another site cannot change anything here.")
        answer: Iterable[bytes] = self.next_app(environ, start_response)
        return answer

    def _is_open(self) -> bool:
        """Return True if Orthanc asks nobody to log in; the answer that it does is kept for a while."""
        if time.monotonic() < self._closed_until:
            return False
        is_open = context_of(self.config).login.access.ask(Permission.READ, None) is Decision.GRANTED
        if not is_open:
            self._closed_until = time.monotonic() + LIFETIME
        return is_open


def is_foreign(environ: Environ) -> bool:
    """Return True if a browser says that a page of another site made a request.

    Source: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header, RFC 6454 §7.
    """
    if (site := environ.get("HTTP_SEC_FETCH_SITE")) is not None:
        return site not in _OWN
    origin = environ.get("HTTP_ORIGIN")
    if origin is None:
        return False
    hosts = {plain_host(environ.get(name, "")) for name in ("HTTP_HOST", "HTTP_X_FORWARDED_HOST")} - {""}
    try:
        return plain_host(urlsplit(origin).netloc) not in hosts
    except ValueError:
        return True
