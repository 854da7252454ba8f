"""Parses ``Destination``, ``Overwrite`` and ``Depth``; validates ``If`` and ``Timeout``, which WsgiDAV parses."""

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import HttpError
from davfs.entry import Entry, Path
from davfs.errors import BadName

_TOKEN = re.compile(
    r"""\s*(?:(?P<open>\()|(?P<close>\))|(?P<item><[^<>]*>|\[[^\[\]]*\])|(?P<not>Not\b))""", re.IGNORECASE
)
_LONGEST_IF = 4096
"""Characters; clients send a few hundred, and each condition can cost a look-up on the drive."""
_USUAL_PORT = re.compile(r":(?:80|443)?$")
_TOO_LONG = re.compile(r"\d{30}")
"""More digits than a time has; Python converts 4,300 at most."""


def check_headers(environ: Environ) -> None:
    """Refuse a request whose ``If`` or ``Timeout`` is malformed.

    Raises:
        HttpError: It is.

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
    """Parse ``Destination``; its scheme is ignored, since a proxy that ends TLS sends its own.

    Raises:
        HttpError: It is missing or malformed, or names another server.

    Source: RFC 4918 §10.3.
    """
    url = environ.get("HTTP_DESTINATION", "")
    try:
        path = paths.of_url(url)
    except BadName as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Destination cannot be understood.") from error
    if not path.startswith("/"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Destination is missing, or has no absolute path.")
    host = plain_host(urlsplit(url).netloc)
    if host and host not in own_hosts(environ):
        raise HttpError(HTTPStatus.BAD_GATEWAY, "The destination is on another server.")
    return paths.segments(path)


def own_hosts(environ: Environ) -> set[str]:
    """Return the hosts under which the client addresses this server, as `plain_host` writes them."""
    return {plain_host(environ[name]) for name in ("HTTP_HOST", "HTTP_X_FORWARDED_HOST") if environ.get(name)}


def plain_host(authority: str) -> str:
    """Return host and port of an address in the form in which those of one server are equal.

    The ports of http and https are left out, since a proxy that ends TLS may send its own, and so is a user, whom lftp
    writes into all of its addresses (RFC 3986 §6.2.3, RFC 9110 §4.2.4).
    """
    return _USUAL_PORT.sub("", authority.rpartition("@")[2].lower())


def may_replace(environ: Environ) -> bool:
    """Parse ``Overwrite``, which Finder does not send (RFC 4918 §10.6)."""
    overwrite = environ.get("HTTP_OVERWRITE", "T").upper()
    if overwrite not in ("T", "F"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Overwrite is neither T nor F.")
    return bool(overwrite == "T")


def is_deep(environ: Environ, entry: Entry) -> bool:
    """Return True if a request is about a folder with everything in it (RFC 4918 §9.8.3), or about a file."""
    depth = environ.get("HTTP_DEPTH", "infinity").lower()
    if depth not in ("0", "infinity"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Depth is neither 0 nor infinity.")
    return bool(depth == "infinity") or not entry.is_folder


def _is_condition(value: str) -> bool:
    """Return True if an ``If`` consists of lists in parentheses, none empty, and of tags between them."""
    position, inside, items, lists = 0, False, 0, 0
    value = value.rstrip()
    while position < len(value):
        token = _TOKEN.match(value, position)
        if not token:
            return False
        position = token.end()
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
