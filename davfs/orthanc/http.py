"""Orthanc's REST API over HTTP, from any machine."""

import json
import ssl
from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path

import httpx

from davfs.errors import ConfigurationError, OrthancError
from davfs.orthanc import Buffer
from davfs.orthanc.http_files import HttpFile, HttpFiles
from davfs.orthanc.model import OrthancId
from davfs.orthanc.proxies import check_origin, parse_errors
from davfs.orthanc.responses import check_status, httpx_errors

_TIMEOUT = httpx.Timeout(60, connect=5)
"""Seconds without a byte: Orthanc reads a whole file from its storage before it sends the first one."""
_LIMITS = httpx.Limits(max_connections=40, max_keepalive_connections=10, keepalive_expiry=0.8)
"""Fewer than the 50 requests that Orthanc serves at once; it closes a connection that is idle for a second."""
_SLOWEST = 5_000_000
"""Bytes a second that Orthanc writes at least: it responds to an upload when it has stored all of it."""
_BLOCK = 1 << 18


def http_client(
    url: str, username: str = "", password: str = "", *, verify: bool | Path = True, timeout: httpx.Timeout = _TIMEOUT
) -> httpx.Client:
    """Return a client for `HttpTransport`; nothing is sent yet.

    Proxies of the environment are not used: requests have patients' data, and the password.

    Args:
        url: Orthanc's root, such as ``https://pacs.example.org:8042`` or ``https://example.org/orthanc/``.
        username: A user of Orthanc; empty for none.
        password: That user's password.
        verify: True if this system has to trust its certificate; or a file of certificates to trust.
        timeout: Seconds that each step of a request may take.

    Raises:
        ConfigurationError: There can be no Orthanc at such an address, or the certificates cannot be read.
    """
    return httpx.Client(
        base_url=_checked(url),
        auth=(username, password) if username else None,
        verify=_trust(verify),
        timeout=timeout,
        limits=_LIMITS,
        trust_env=False,
    )


def _checked(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"the address of Orthanc cannot be read: {error}") from error
    if url.userinfo:
        raise ConfigurationError(
            "the address of Orthanc must not hold a user name or a password: set them apart from it"
        )
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise ConfigurationError(f"the address of Orthanc is '{text}': it has to look like http://HOST:8042")
    return url


def _trust(verify: bool | Path) -> ssl.SSLContext | bool:  # noqa: FBT001  as httpx has it
    if verify is False:
        return False
    try:
        return ssl.create_default_context(cafile=None if verify is True else str(verify))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the certificates in '{verify}' cannot be read: {error.strerror or error}") from error


class HttpTransport:
    """`davfs.orthanc.rest.Transport` over httpx.

    Args:
        client: A client whose ``base_url`` is Orthanc's root, with its credentials and time limits; see `http_client`.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._files = HttpFiles(client)

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.rest.Transport`."""
        return self._send("GET", path)

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.rest.Transport`; the body is never copied as a whole."""
        with memoryview(body) as view, closing(_blocks(view)) as blocks:
            return self._send("POST", path, blocks, len(view))

    def transcoded(self, content: Buffer, syntax: str) -> bytes:  # noqa: ARG002  as `Transport` has it
        """See `davfs.orthanc.rest.Transport`; Orthanc's REST API transcodes nothing that Orthanc does not hold."""
        raise OrthancError("over HTTP, Orthanc transcodes no other files than its own")

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.rest.Transport`."""
        with parse_errors():
            json.loads(self._send("DELETE", path))["RemainingAncestor"]

    def open_file(self, instance: OrthancId, start: int) -> HttpFile:
        """See `davfs.orthanc.rest.Transport`."""
        return HttpFile(self._files, instance, start)

    def _send(self, method: str, path: str, body: Iterable[bytes] | None = None, size: int = 0) -> bytes:
        # With its length, a body of several blocks is not sent "chunked", which Orthanc 1.10.1 does not take.
        headers = {} if body is None else {"Content-Length": str(size)}
        limits = httpx.Timeout(**self._client.timeout.as_dict())
        if limits.read is not None:
            limits.read += size / _SLOWEST
        with httpx_errors():
            response = self._client.request(method, path, content=body, headers=headers, timeout=limits)
        check_origin(response)
        check_status(response)
        return response.content


def _blocks(view: memoryview) -> Generator[bytes, None, None]:
    for start in range(0, len(view), _BLOCK):
        yield bytes(view[start : start + _BLOCK])
