"""Parses the head of a request by the grammar of RFC 9112: request line and headers.

In place of cheroot's parser, which accepts control characters and blanks before a colon, joins lines, lets the last of
several headers win, and refuses absolute targets and paths that begin with two slashes. A head that two servers on the
way could parse differently (request smuggling) is refused with 400.
"""

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from cheroot.server import HTTPRequest

from davfs.doors.webdav.http_errors import HttpError

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = re.compile(rb"(%b) ([\x21-\x7e]+) HTTP/(\d)\.(\d)\r\n" % _TOKEN)
_FIELD = re.compile(rb"(%b):([^\x00-\x08\x0a-\x1f\x7f]*)\r\n" % _TOKEN)
"""A field of a head or a trailer, with the blanks around its value (RFC 9112 §5; RFC 9110 §5.5)."""
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?")
"""RFC 9110 §7.2, RFC 3986 §3.2.2 and §3.2.3."""
_ABSOLUTE = re.compile(rb"https?://([^/?#]+)([/?].*)?", re.IGNORECASE)
_SLASH = re.compile(b"%2F", re.IGNORECASE)
_LONGEST_NUMBER = 18
_MOST_FIELDS = 128
"""Headers of a request: browsers send 20, and each costs more time than its bytes (RFC 6585 §5)."""
_ONCE = frozenset({
    b"Authorization", b"Content-Length", b"Content-Type", b"Depth", b"Destination", b"Host", b"If",
    b"If-Modified-Since", b"If-Range", b"If-Unmodified-Since", b"Lock-Token", b"Origin", b"Overwrite", b"Range",
    b"Sec-Fetch-Site", b"Transfer-Encoding", b"X-Expected-Entity-Length",
})  # fmt: skip
"""Headers that this server uses and that are no lists, so that they cannot come twice (RFC 9110 §5.3)."""


def is_length(value: bytes) -> bool:
    """Return True if a header is a number of bytes: any that a disk can hold, and that Python parses in no time."""
    return value.isdigit() and len(value) <= _LONGEST_NUMBER


def field(line: bytes) -> tuple[bytes, bytes]:
    """Return the name of a header or trailer, with capitals as ``Content-Length`` has them, and its value.

    Raises:
        HttpError: It is malformed.
    """
    found = _FIELD.fullmatch(line)
    if found is None:
        folded = line[:1] in (b" ", b"\t")
        raise _malformed("A header continues on another line." if folded else "A header is malformed.")
    return found[1].title(), found[2].strip(b" \t")


class RequestHead(HTTPRequest):
    """Parses the head of a request."""

    rfile: Any
    inheaders: dict[bytes, bytes]

    def read_request_line(self) -> bool:
        """Parse the request line (RFC 9112 §3); return False if there is none, or it was refused."""
        line = self.rfile.readline()
        self.started_request = True
        if line == b"\r\n":  # RFC 9112 §2.2
            line = self.rfile.readline()
        return bool(line) and self._accepts(self._parse_line, line)

    def read_request_headers(self) -> bool:
        """Parse the headers (RFC 9112 §5 and §6); return False if they were refused."""
        return self._accepts(self._parse_headers)

    def _accepts(self, parse: Any, *arguments: bytes) -> bool:
        try:
            parse(*arguments)
        except HttpError as refusal:
            self.simple_response(f"{refusal.value} {HTTPStatus(refusal.value).phrase}", refusal.reason)
            return False
        return True

    def _parse_line(self, line: bytes) -> None:
        found = _REQUEST.fullmatch(line)
        if found is None:
            raise _malformed("The first line is no request line.")
        self.method, self.uri, major, minor = found.groups()
        if major != b"1":
            raise _malformed("HTTP/1.1 is spoken here.", HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        self.response_protocol = "HTTP/1.0" if minor == b"0" else "HTTP/1.1"  # RFC 9110 §2.5
        self.request_protocol = self.response_protocol.encode()
        self.authority, self.path, self.qs = _parts(self.method, self.uri)

    def _parse_headers(self) -> None:
        headers: dict[bytes, bytes] = {}
        self.inheaders = headers
        left = _MOST_FIELDS
        while (line := self.rfile.readline()) != b"\r\n":
            name, value = field(line)
            left -= 1
            if left < 0:
                reason = f"A request may have {_MOST_FIELDS} headers."
                raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
            if b"_" in name:  # WSGI could not tell it from one with a hyphen
                continue
            if name in headers:
                if name in _ONCE:
                    raise _malformed(f"The header {name.decode()} comes more than once.")
                value = headers[name] + b", " + value
            headers[name] = value
        self._check_host()
        self._check_framing()
        options = {each.strip() for each in headers.get(b"Connection", b"").lower().split(b",")}
        is_old = self.response_protocol == "HTTP/1.0"
        self.close_connection = b"close" in options or (is_old and b"keep-alive" not in options)

    def _check_host(self) -> None:
        """Refuse a request without a clear host; the host of the target wins (RFC 9112 §3.2)."""
        host = self.inheaders.get(b"Host")
        if host is None and self.response_protocol != "HTTP/1.0":
            raise _malformed("The header Host is missing.")
        if self.authority:
            self.inheaders[b"Host"] = self.authority
        for value in filter(None, (host, self.authority)):
            if not _HOST.fullmatch(value):
                raise _malformed("The host of the request is malformed.")

    def _check_framing(self) -> None:
        """Refuse a request whose body has no clear end (RFC 9112 §6.3)."""
        length, coding = self.inheaders.get(b"Content-Length"), self.inheaders.get(b"Transfer-Encoding")
        if length is not None and not is_length(length):
            raise _malformed("The length of the body is no number.")
        self.chunked_read = coding is not None
        if coding is None:
            return
        if length is not None:
            raise _malformed("The body has a length and comes in chunks: it is not clear where it ends.")
        if self.response_protocol == "HTTP/1.0":
            raise _malformed("Bodies in chunks need HTTP/1.1.")
        if coding.lower() != b"chunked":
            status = HTTPStatus.BAD_REQUEST if b"chunked" in coding.lower() else HTTPStatus.NOT_IMPLEMENTED
            raise _malformed("Of the transfer encodings, chunked is known here, once.", status)


def _malformed(reason: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> HttpError:
    return HttpError(status, reason)


def _parts(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes]:
    """Return authority, path and query of a target (RFC 9112 §3.2); the path is decoded, but for encoded slashes.

    Raises:
        HttpError: It is malformed.
    """
    authority, rest = b"", target
    if method == b"CONNECT":
        raise _malformed("This is no proxy.", HTTPStatus.METHOD_NOT_ALLOWED)
    if target == b"*" and method == b"OPTIONS":
        return b"", b"*", b""
    if absolute := _ABSOLUTE.fullmatch(target):
        authority, rest = absolute[1], absolute[2] or b"/"
        rest = rest if rest.startswith(b"/") else b"/" + rest
    if not rest.startswith(b"/") or b"#" in rest:
        raise _malformed("The target of the request is neither a path nor an address.")
    path, _, query = rest.partition(b"?")
    return authority, b"%2F".join(map(unquote_to_bytes, _SLASH.split(path))), query
