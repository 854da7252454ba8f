"""Parses the head of a request by the grammar of RFC 9112: request line and headers.

In place of cheroot's parser, which accepts control characters and blanks before a colon, joins lines, lets the last of
several headers win, and refuses absolute targets and paths that begin with two slashes. A head that two servers on the
way could parse differently (request smuggling) is refused with 400.
"""

import re
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from davfs.doors.webdav.http_errors import HttpError

_NAME = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = re.compile(rf"({_NAME}) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])")
_FIELD = re.compile(rf"({_NAME}):([^\x00-\x08\x0a-\x1f\x7f]*)")
"""A field of a head or a trailer, with the blanks around its value (RFC 9112 §5; RFC 9110 §5.5)."""
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?")
"""RFC 9110 §7.2, RFC 3986 §3.2.2 and §3.2.3."""
_ABSOLUTE = re.compile(r"https?://([^/?#]+)([/?].*)?", re.IGNORECASE)
_SLASH = re.compile("%2F", re.IGNORECASE)
_LONGEST_NUMBER = 18
_MOST_FIELDS = 128
"""Headers of a request: browsers send 20, and each costs more time than its bytes (RFC 6585 §5)."""
_ONCE = frozenset({
    "HTTP_AUTHORIZATION", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_DEPTH", "HTTP_DESTINATION", "HTTP_HOST", "HTTP_IF",
    "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_RANGE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_LOCK_NAME", "HTTP_ORIGIN",
    "HTTP_OVERWRITE", "HTTP_RANGE", "HTTP_SEC_FETCH_SITE", "HTTP_TRANSFER_ENCODING", "HTTP_X_EXPECTED_ENTITY_LENGTH",
})  # fmt: skip
"""Headers that this server uses and that are no lists, so that they cannot come twice (RFC 9110 §5.3)."""
_CACHED, _LONGEST_CACHED = 2048, 512
"""Targets whose parts are cached, and characters of the longest of them."""
_NAMES, _LONGEST_NAME = 256, 64


class RequestHead(NamedTuple):
    """The head of a request.

    Attributes:
        method: Its method.
        target: Its target, as the client wrote it.
        path: The decoded path of the target; a slash that was encoded still is. Each character is a byte (PEP 3333).
        query: The query of the target.
        headers: The headers by their names in WSGI, ``HTTP_DEPTH`` for ``Depth``.
        is_old: Whether it is of HTTP/1.0.
        is_kept: Whether another request may follow on the connection.
        is_chunked: Whether a body comes in chunks.
    """

    method: str
    target: str
    path: str
    query: str
    headers: dict[str, str]
    is_old: bool
    is_kept: bool
    is_chunked: bool


def is_length(value: str) -> bool:
    """Return True if a header is a number of bytes: any that a disk can hold, and that Python parses in no time."""
    return value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER


def check_field(line: str) -> re.Match[str]:
    """Return the name of a header or trailer, and its value with the blanks around it, as groups.

    Raises:
        HttpError: It is malformed.
    """
    found = _FIELD.fullmatch(line)
    if found is None:
        folded = line[:1] in (" ", "\t")
        raise _malformed("A header continues on another line." if folded else "A header is malformed.")
    return found


def parse_head(head: bytes) -> RequestHead:
    """Parse a head, which ends in an empty line, and may begin with one (RFC 9112 §2.2).

    Raises:
        HttpError: It is malformed, or not supported.
    """
    line, *fields = head.removeprefix(b"\r\n")[:-4].decode("latin-1").split("\r\n")
    found = _REQUEST.fullmatch(line)
    if found is None:
        raise _malformed("The first line is no request line.")
    method, target, major, minor = found.groups()
    if major != "1":
        raise _malformed("HTTP/1.1 is spoken here.", HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    is_old = minor == "0"  # RFC 9110 §2.5
    authority, path, query = (_parts if len(target) > _LONGEST_CACHED else _cached_parts)(method, target)
    headers = _headers(fields)
    _check_host(headers, authority, is_old=is_old)
    _check_framing(headers, is_old=is_old)
    is_kept = not is_old
    if "HTTP_CONNECTION" in headers:
        options = {each.strip() for each in headers["HTTP_CONNECTION"].lower().split(",")}
        is_kept = "close" not in options and (is_kept or "keep-alive" in options)
    return RequestHead(method, target, path, query, headers, is_old, is_kept, "HTTP_TRANSFER_ENCODING" in headers)


def _headers(fields: list[str]) -> dict[str, str]:
    """Parse the headers (RFC 9112 §5)."""
    if len(fields) > _MOST_FIELDS:
        reason = f"A request may have {_MOST_FIELDS} headers."
        raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
    headers: dict[str, str] = {}
    for line in fields:
        name, value = check_field(line).groups()
        if "_" in name:  # WSGI could not tell it from one with a hyphen
            continue
        name, value = (_wsgi_name if len(name) > _LONGEST_NAME else _cached_name)(name), value.strip(" \t")
        if name in headers:
            if name in _ONCE:
                raise _malformed("A header comes more than once that may come only once.")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _wsgi_name(name: str) -> str:
    """Return the key of a header in WSGI (PEP 3333)."""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{key}"


_cached_name = lru_cache(_NAMES)(_wsgi_name)


def _check_host(headers: dict[str, str], authority: str, *, is_old: bool) -> None:
    """Refuse a request without a clear host; the host of the target wins (RFC 9112 §3.2)."""
    host = headers.get("HTTP_HOST")
    if host is None and not is_old:
        raise _malformed("The header Host is missing.")
    if authority:
        headers["HTTP_HOST"] = authority
    for value in (host, authority):
        if value and not _HOST.fullmatch(value):
            raise _malformed("The host of the request is malformed.")


def _check_framing(headers: dict[str, str], *, is_old: bool) -> None:
    """Refuse a request whose body has no clear end (RFC 9112 §6.3)."""
    length, coding = headers.get("CONTENT_LENGTH"), headers.get("HTTP_TRANSFER_ENCODING")
    if length is not None and not is_length(length):
        raise _malformed("The length of the body is no number.")
    if coding is None:
        return
    if length is not None:
        raise _malformed("The body has a length and comes in chunks: it is not clear where it ends.")
    if is_old:
        raise _malformed("Bodies in chunks need HTTP/1.1.")
    if coding.lower() != "chunked":
        status = HTTPStatus.BAD_REQUEST if "chunked" in coding.lower() else HTTPStatus.NOT_IMPLEMENTED
        raise _malformed("Of the transfer encodings, chunked is known here, once.", status)


def _malformed(reason: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> HttpError:
    return HttpError(status, reason)


def _parts(method: str, target: str) -> tuple[str, str, str]:
    """Return authority, path and query of a target (RFC 9112 §3.2); the path is decoded, but for encoded slashes.

    Raises:
        HttpError: It is malformed.
    """
    authority, rest = "", target
    if method == "CONNECT":
        raise _malformed("This is no proxy.", HTTPStatus.METHOD_NOT_ALLOWED)
    if target == "*" and method == "OPTIONS":
        return "", "*", ""
    if absolute := _ABSOLUTE.fullmatch(target):
        authority, rest = absolute[1], absolute[2] or "/"
        rest = rest if rest.startswith("/") else f"/{rest}"
    if not rest.startswith("/") or "#" in rest:
        raise _malformed("The target of the request is neither a path nor an address.")
    path, _, query = rest.partition("?")
    decoded = b"%2F".join(map(unquote_to_bytes, _SLASH.split(path)))
    return authority, decoded.decode("latin-1"), query


_cached_parts = lru_cache(_CACHED)(_parts)
