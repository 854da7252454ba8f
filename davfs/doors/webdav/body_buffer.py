"""The bodies of all requests but uploads: their length is checked, and XML is parsed, here and before anything else."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Any
from xml.etree.ElementTree import Element, tostring

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.request_xml import parsed

LARGEST = 64 * 1024
"""Bytes of a body; clients send a few hundred."""
LARGEST_LOCK = 4096
"""Bytes of a LOCK: what a client writes down about itself, a name or an address, is kept with the lock."""
_XML = "davfs.xml"
_FOR_WSGIDAV = frozenset({"PROPPATCH", "LOCK"})
_WITH_XML = _FOR_WSGIDAV | {"PROPFIND"}


class BodyBuffer(BaseMiddleware):
    """Reads the body of every request but PUT, however it is framed, and hands it on in memory."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        method = environ["REQUEST_METHOD"]
        if method != "PUT" and _has_body(environ):
            body = _read(environ, LARGEST_LOCK if method == "LOCK" else LARGEST)
            if body and method in _WITH_XML:
                environ[_XML] = parsed(body)
                if method in _FOR_WSGIDAV:
                    body = tostring(environ[_XML])  # without what would puzzle WsgiDAV, which parses it once more
            environ.update({"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), "wsgidav.all_input_read": 1})
        answer: Iterable[bytes] = self.next_app(environ, start_response)
        return answer


def body_xml(environ: Environ) -> Element | None:
    """Return the XML of a request's body, None where it has none."""
    root: Element | None = environ.get(_XML)
    return root


def _has_body(environ: Environ) -> bool:
    return environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def _read(environ: Environ, limit: int) -> bytes:
    """Return the body.

    Raises:
        HttpError: It is longer than so many bytes, or not complete.
    """
    if int(environ.get("CONTENT_LENGTH") or 0) > limit:
        raise _too_large(limit)
    body = b""
    while len(body) <= limit and (more := environ["wsgi.input"].read(limit + 1 - len(body))):
        body += more
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> HttpError:
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body of this request may have {limit} bytes.")
