"""A thin WebDAV client, which sends any request and leaves the response to the test."""

import http.client
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

import httpx
from lxml import etree

DAV = "{DAV:}"


@dataclass(frozen=True, slots=True)
class Listed:
    """One ``<response>`` of a PROPFIND.

    Attributes:
        href: The path as the server wrote it, percent-encoded.
        displayname: The property of that name; empty where there is none.
        is_folder: True for a collection.
        size: ``getcontentlength`` in bytes; None where there is none.
        raw: The whole element.
    """

    href: str
    displayname: str
    is_folder: bool
    size: int | None
    raw: etree._Element

    @property
    def name(self) -> str:
        """Last segment of the href, decoded."""
        return unquote(urlsplit(self.href).path.rstrip("/").rpartition("/")[2])

    def text(self, name: str) -> str | None:
        """Return the text of a property in the namespace ``DAV:``; None where it is missing."""
        return self.raw.findtext(f".//{DAV}{name}")


class WebDav:
    """One drive, seen through one connection pool.

    Paths are decoded, relative to the drive, without a slash at the front: ``by-patient/Doe``. ``http`` is the httpx
    client below, for absolute hrefs as a listing shows them.

    Args:
        url: The address to mount.
        seconds: Time limit of a request.
        auth: User name and password, where the server asks for them.
    """

    def __init__(self, url: str, *, seconds: float = 10, auth: tuple[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self.root = parts.path.rstrip("/") + "/"
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.http = httpx.Client(
            base_url=f"{parts.scheme}://{parts.netloc}", auth=auth, timeout=seconds, trust_env=False
        )

    def href(self, path: str) -> str:
        """Return the percent-encoded absolute path of a path on the drive."""
        return self.root + quote(path)

    def request(self, method: str, path: str = "", **options: Any) -> httpx.Response:
        """Send any request; the options are those of ``httpx.Client.request``."""
        return self.http.request(method, self.href(path), **options)

    def propfind(self, path: str = "", depth: str = "1") -> list[Listed]:
        """Return all responses of a PROPFIND, the folder itself included.

        Raises:
            AssertionError: The server did not answer with 207 and XML.
        """
        answer = self.request("PROPFIND", path, headers={"Depth": depth})
        assert answer.status_code == httpx.codes.MULTI_STATUS, f"PROPFIND {path!r}: {answer.status_code}"
        return parse(answer.content)

    def listing(self, path: str = "") -> dict[str, Listed]:
        """Return what lies in a folder, by name."""
        own = unquote(self.href(path)).rstrip("/")
        found = (each for each in self.propfind(path) if unquote(urlsplit(each.href).path).rstrip("/") != own)
        return {each.name: each for each in found}

    def status(self, path: str = "") -> int:
        """Return the status of a PROPFIND with depth 0: 207 where something is there, or else 404."""
        return self.request("PROPFIND", path, headers={"Depth": "0"}).status_code

    def options(self, path: str = "") -> httpx.Response:
        """Send OPTIONS."""
        return self.request("OPTIONS", path)

    def head(self, path: str) -> httpx.Response:
        """Send HEAD."""
        return self.request("HEAD", path)

    def get(self, path: str) -> httpx.Response:
        """Send GET."""
        return self.request("GET", path)

    def put(self, path: str, content: bytes) -> httpx.Response:
        """Send PUT."""
        return self.request("PUT", path, content=content)

    def mkcol(self, path: str) -> httpx.Response:
        """Send MKCOL."""
        return self.request("MKCOL", path)

    def delete(self, path: str) -> httpx.Response:
        """Send DELETE."""
        return self.request("DELETE", path)

    def verbatim(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, bytes]:
        """Send a request target exactly as it is written (httpx would tidy up ``..`` and ``//``).

        Args:
            method: HTTP method.
            target: Absolute path, percent-encoded as the test wants it.
            headers: Further headers.
            body: Content to send.

        Returns:
            Status and content.

        Raises:
            OSError: The connection was refused, or broken by the server.
            http.client.HTTPException: The answer was no HTTP.
        """
        timeout = self.http.timeout.read
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, target, body=body or None, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def close(self) -> None:
        """Close all connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def parse(content: bytes) -> list[Listed]:
    """Return the responses of a 207 answer.

    Raises:
        AssertionError: It is no multistatus in well-formed XML.
    """
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, huge_tree=True))
    except etree.XMLSyntaxError as error:
        raise AssertionError(f"no XML: {error}") from error
    assert root.tag == f"{DAV}multistatus", root.tag
    return [_listed(element) for element in root.iterfind(f"{DAV}response")]


def _listed(element: etree._Element) -> Listed:
    size = element.findtext(f".//{DAV}getcontentlength")
    return Listed(
        href=element.findtext(f"{DAV}href") or "",
        displayname=element.findtext(f".//{DAV}displayname") or "",
        is_folder=element.find(f".//{DAV}resourcetype/{DAV}collection") is not None,
        size=int(size) if size else None,
        raw=element,
    )
