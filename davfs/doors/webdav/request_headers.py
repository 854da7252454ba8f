"""Validates ``If`` and ``Timeout`` before WsgiDAV parses them, and parses ``Destination``."""

import re
from http import HTTPStatus
from urllib.parse import unquote_to_bytes, urlsplit

from davfs import errors
from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import HttpError
from davfs.entry import Path

_TOKEN = re.compile(
    r"""\s*(?:(?P<open>\()|(?P<close>\))|(?P<item><[^<>]*>|\[[^\[\]]*\])|(?P<not>Not\b))""", re.IGNORECASE
)
_LONGEST_IF = 4096
"""Characters; clients send a few hundred, and each condition of it may be asked of the drive."""
_USUAL_PORT = re.compile(r":(?:80|443)?$")
_TOO_LONG = re.compile(r"\d{30}")
"""More digits than a time has; Python converts 4,300 at most."""


def check(environ: Environ) -> None:
    """Refuse a request whose ``If`` or ``Timeout`` cannot be understood.

    Raises:
        HttpError: It is one.

    Source: RFC 4918 §10.4, §10.7.
    """
    if len(environ.get("HTTP_IF", "")) > _LONGEST_IF:
        reason = f"The header If may have {_LONGEST_IF} characters."
        raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
    if "HTTP_IF" in environ and not _is_condition(environ["HTTP_IF"]):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header If cannot be understood.")
    if _TOO_LONG.search(environ.get("HTTP_TIMEOUT", "")):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Timeout cannot be understood.")


def destination(environ: Environ) -> Path:
    """Return where a COPY or MOVE is to.

    The scheme does not count: behind a proxy that ends TLS, it is that of the proxy.

    Raises:
        HttpError: There is no such header, it cannot be understood, or it is another server's.

    Source: RFC 4918 §10.3.
    """
    try:
        url = urlsplit(environ.get("HTTP_DESTINATION", ""))
        path = paths.decoded(unquote_to_bytes(url.path.encode("latin-1")).decode("latin-1"))
    except (ValueError, errors.BadName) as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Destination cannot be understood.") from error
    if not path.startswith("/"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Destination is missing, or has no absolute path.")
    hosts = {plain_host(environ.get(name, "")) for name in ("HTTP_HOST", "HTTP_X_FORWARDED_HOST")}
    if url.netloc and plain_host(url.netloc) not in hosts:
        raise HttpError(HTTPStatus.BAD_GATEWAY, "The destination is on another server.")
    return paths.segments(path)


def plain_host(authority: str) -> str:
    """Return the host and the port of an address, so that those of the same server are equal.

    The ports of http and https say nothing, since a proxy that ends TLS may name its own one; nor does a user, whom
    lftp writes into all of its addresses (RFC 3986 §6.2.3, RFC 9110 §4.2.4).
    """
    return _USUAL_PORT.sub("", authority.rpartition("@")[2].lower())


def _is_condition(value: str) -> bool:
    """Return True if an ``If`` consists of lists in parentheses, none empty, and of tags between them."""
    place, inside, items, lists = 0, False, 0, 0
    value = value.rstrip()
    while place < len(value):
        token = _TOKEN.match(value, place)
        if not token:
            return False
        place = token.end()
        match token.lastgroup:
            case "open" if not inside:
                inside, items = True, 0
            case "close" if inside and items:
                inside, lists = False, lists + 1
            case "item":
                items += 1
            case "not" if inside:
                pass
            case _:
                return False
    return lists > 0 and not inside
