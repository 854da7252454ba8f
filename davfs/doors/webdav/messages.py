"""The XML that clients send: bounded, and without a DTD (RFC 4918 §20.6), before WsgiDAV parses it."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Any

from lxml import etree
from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.refusals import Refusal

LARGEST = 1024 * 1024
"""Bytes of XML that a request may have; a PROPPATCH carries values."""
_PROPNAME = "{DAV:}propname"
_WITH_XML = frozenset({"PROPFIND", "PROPPATCH", "LOCK"})


class Messages(BaseMiddleware):
    """Reads the body of every request but PUT, however it is framed, and hands it on in memory."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        if environ["REQUEST_METHOD"] != "PUT" and _has_body(environ):
            body = environ["wsgi.input"].read(LARGEST + 1)
            while (more := environ["wsgi.input"].read(LARGEST + 1 - len(body))) and len(body) <= LARGEST:
                body += more
            if len(body) > LARGEST:
                raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {LARGEST} bytes here.")
            if environ["REQUEST_METHOD"] in _WITH_XML:
                body = checked(body)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        answer: Iterable[bytes] = self.next_app(environ, start_response)
        return answer


def checked(body: bytes) -> bytes:
    """Return XML as WsgiDAV understands it.

    Raises:
        Refusal: It is none that is taken (`parsed`).
    """
    if not body:
        return body
    root = parsed(body)
    for asked in root.iterfind(_PROPNAME):
        asked.tag = "{DAV:}name"  # what WsgiDAV 4.4 calls it
    return etree.tostring(root)


def parsed(body: bytes) -> etree._Element:
    """Read XML; nothing is fetched or expanded, and comments, which WsgiDAV takes for properties, are left out.

    Raises:
        Refusal: It is no XML, or has a document type: attacks need entities, WebDAV does not.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "The body is no well-formed XML.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "The body has a document type, which is not allowed.")
    return root


def _has_body(environ: Environ) -> bool:
    return environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ
