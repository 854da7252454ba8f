"""Replays the requests of clients that do not run here, over one persistent connection, like theirs."""

import http.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

from lxml import etree

from tests.support.clients import LIMIT
from tests.support.webdav import DAV, Listed, parse

Headers = tuple[tuple[str, str], ...]
"""Headers in the order in which they are sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the server; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def listed(self) -> list[Listed]:
        """The responses of a 207 answer."""
        assert self.status == 207, self
        return parse(self.body)

    def properties(self) -> dict[str, tuple[int, str]]:
        """Return status and text of each property of a 207 answer about one resource, by its name in Clark notation."""
        (response,) = self.listed
        return {
            str(each.tag): (int((stat.findtext(f"{DAV}status") or "").split()[1]), each.text or "")
            for stat in response.raw.iterfind(f"{DAV}propstat")
            for each in stat.iterfind(f"{DAV}prop/*")
        }

    @property
    def lock_token(self) -> str:
        """The token of a LOCK that was granted, which header and body must agree on."""
        assert self.status in {200, 201}, self
        token = self.headers["lock-token"]
        assert token.startswith("<"), token
        root = etree.fromstring(self.body)
        assert root.findtext(f".//{DAV}locktoken/{DAV}href") == token.strip("<>")
        return token


class Replay:
    """One connection to a drive.

    Paths are decoded, relative to the drive, without a slash at the front; `verbatim` ones are sent as they are.

    Args:
        url: The address to mount, with a slash at its end.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.root = parts.path
        self.host = parts.netloc
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=LIMIT)

    def href(self, path: str) -> str:
        """Return the percent-encoded absolute path of a path on the drive."""
        return self.root + quote(path)

    def absolute(self, path: str) -> str:
        """Return the address of a path on the drive, as a Destination has it."""
        return f"http://{self.host}{self.href(path)}"

    def send(self, method: str, target: str, headers: Headers, body: bytes | Iterable[bytes] | None = None) -> Answer:
        """Send a request, its headers in this order behind ``Host``, and return the answer.

        Args:
            method: HTTP method.
            target: Absolute path, percent-encoded.
            headers: Headers, those about the body's length included.
            body: Content; in chunks where it is no ``bytes``.
        """
        connection = self._connection
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        chunked = body is not None and not isinstance(body, bytes)
        connection.endheaders(body, encode_chunked=chunked)
        answer = connection.getresponse()
        closes = answer.will_close and answer.status < 400 and not chunked  # the end of chunks may be missing
        assert not closes, f"{method} {target}: {answer.status}, and the server closes the connection"
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
