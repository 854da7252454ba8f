"""Protection from web pages of other sites (docs/adr/0016-foreign-web-pages.md).

**DNS rebinding**: a page resolves its own name to the address of this machine, and the browser lets it read the drive.
The page cannot choose the ``Host`` that the browser sends: where nobody has to log in, that must be a name of this
machine, a name that the administrator has set, or an IP address, which cannot be resolved to another one.

**Cross-site request forgery**: a page has the browser send a request with the login that it knows. Requests that change
something are refused if the browser says that they come from another site; other clients send no such header.
"""

import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav.context import READING_METHODS, Environ, StartResponse, context_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.request_headers import own_hosts, plain_host
from davfs.orthanc.access import LIFETIME, Decision, Permission

_OWN = frozenset({"same-origin", "none"})
_UNKNOWN = (
    "This drive asks for no password, and so it answers only to names that it knows. "
    "If this is a name of it, add it to Davfs.Server.HostNames, or, with davfs serve, by --host-name."
)


class CrossSiteProtection(BaseMiddleware):
    """Refuses requests that a page of another site makes; stands behind the login."""

    def __init__(self, wsgidav_app: Any, next_app: Any, config: Mapping[str, Any]) -> None:
        super().__init__(wsgidav_app, next_app, config)
        self._closed_until = 0.0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or pass it on (PEP 3333)."""
        host = environ.get("HTTP_HOST")
        if host is not None and not context_of(self.config).host_names.contain(host) and self._is_open():
            raise HttpError(HTTPStatus.MISDIRECTED_REQUEST, _UNKNOWN)
        if environ["REQUEST_METHOD"] not in READING_METHODS and is_foreign(environ):
            raise HttpError(HTTPStatus.FORBIDDEN, "The page of another site cannot change anything here.")
        response: Iterable[bytes] = self.next_app(environ, start_response)
        return response

    def _is_open(self) -> bool:
        """Return True if Orthanc has no login; that it has one is cached."""
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
    try:
        return plain_host(urlsplit(origin).netloc) not in own_hosts(environ)
    except ValueError:
        return True
