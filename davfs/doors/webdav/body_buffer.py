"""Reads the bodies of all requests except PUT into memory, checks their length, and parses their XML."""

from collections.abc import Iterable
from http import HTTPStatus
from io import BytesIO
from xml.etree.ElementTree import Element, tostring

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav.context import Environ, StartResponse
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.request_xml import parsed

LARGEST = 64 * 1024
"""Bytes of a body; clients send a few hundred."""
LARGEST_LOCK = 4096
"""Bytes of the body of a LOCK, whose owner element is kept with the lock."""
_XML = "davfs.xml"
_FOR_WSGIDAV = frozenset({"PROPPATCH", "LOCK"})
_WITH_XML = _FOR_WSGIDAV | {"PROPFIND"}


class BodyBuffer(BaseMiddleware):
    """Replaces the stream of a request body, however it is framed, by bytes in memory."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        method = environ["REQUEST_METHOD"]
        if method != "PUT" and _has_body(environ):
            body = _read(environ, LARGEST_LOCK if method == "LOCK" else LARGEST)
            if body and method in _WITH_XML:
                environ[_XML] = parsed(body)
                if method in _FOR_WSGIDAV:
                    body = tostring(environ[_XML])  # without comments and the like, which WsgiDAV takes for elements
            environ.update({"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), "wsgidav.all_input_read": 1})
        response: Iterable[bytes] = self.next_app(environ, start_response)
        return response


def body_xml(environ: Environ) -> Element | None:
    """Return the XML of a request's body; None if it has no body."""
    root: Element | None = environ.get(_XML)
    return root


def check_no_body(environ: Environ) -> None:
    """Refuse a request that has a body."""
    if int(environ.get("CONTENT_LENGTH") or 0):
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This method takes no body.")


def _has_body(environ: Environ) -> bool:
    return environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def _read(environ: Environ, limit: int) -> bytes:
    """Read a body of at most so many bytes.

    Raises:
        HttpError: It is longer, or incomplete.
    """
    body = b""
    if int(environ.get("CONTENT_LENGTH") or 0) <= limit:
        while len(body) <= limit and (more := environ["wsgi.input"].read(limit + 1 - len(body))):
            body += more
        if len(body) <= limit:
            return body
    raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body of this request may have {limit} bytes.")
