"""Orthanc's REST API over HTTP, from any machine."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

from davfs.errors import ConfigurationError, OrthancError
from davfs.orthanc import Buffer
from davfs.orthanc.address import OrthancAddress
from davfs.orthanc.client import Limits, OrthancClient, trust_anyone
from davfs.orthanc.http_files import HttpFile, HttpFiles
from davfs.orthanc.model import OrthancId
from davfs.orthanc.responses import check_response, parse_errors
from davfs.orthanc.transport import Method, Tagged

_SLOWEST = 5_000_000
"""Bytes a second that Orthanc writes at least: it responds to an upload when it has stored all of it."""
_BLOCK = 1 << 18


def http_client(
    url: str, username: str = "", password: str = "", *, verify: bool | Path = True, limits: Limits | None = None
) -> OrthancClient:
    """Return a client for `HttpTransport`; nothing is sent yet.

    Args:
        url: Orthanc's root, such as ``https://pacs.example.org:8042`` or ``https://example.org/orthanc/``.
        username: A user of Orthanc; empty for none.
        password: That user's password.
        verify: True if this system has to trust its certificate; or a file of certificates to trust.
        limits: Limits on time and connections.

    Raises:
        ConfigurationError: There can be no Orthanc at such an address, or the certificates cannot be read.
    """
    user = (username, password) if username else None
    return OrthancClient(OrthancAddress.parse(url), user=user, tls=_trust(verify), limits=limits)


def _trust(verify: bool | Path) -> ssl.SSLContext:  # noqa: FBT001  the setting has this form
    if verify is False:
        return trust_anyone()
    try:
        return ssl.create_default_context(cafile=str(verify) if isinstance(verify, Path) else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the certificates in '{verify}' cannot be read: {error.strerror or error}") from error


class HttpTransport:
    """`davfs.orthanc.transport.Transport` over HTTP.

    Args:
        client: See `http_client`.
    """

    def __init__(self, client: OrthancClient) -> None:
        self._client = client
        self._files = HttpFiles(client)

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        return self._send("GET", path)

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.transport.Transport`; the body is never copied as a whole."""
        return self._send("POST", path, body)

    def call(self, method: Method, path: str, body: bytes = b"", match: str = "") -> Tagged:
        """See `davfs.orthanc.transport.Transport`."""
        headers = {"If-Match": match} if match else None
        response = self._client.request(method, path, body if method == "PUT" else None, headers)
        check_response(response)
        return Tagged(response.read(), response.headers.get("etag", "").removeprefix("W/"))

    def transcoded(self, content: Buffer, syntax: str) -> bytes:  # noqa: ARG002  as `Transport` has it
        """See `davfs.orthanc.transport.Transport`; Orthanc's REST API transcodes nothing that Orthanc does not hold."""
        raise OrthancError("over HTTP, Orthanc transcodes no other files than its own")

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.transport.Transport`."""
        with parse_errors():
            json.loads(self._send("DELETE", path))["RemainingAncestor"]

    def open_file(self, instance: OrthancId, start: int) -> HttpFile:
        """See `davfs.orthanc.transport.Transport`."""
        return HttpFile(self._files, instance, start)

    def _send(self, method: str, path: str, body: Buffer | None = None) -> bytes:
        if body is None:
            response = self._client.request(method, path)
        else:
            size = memoryview(body).nbytes
            # With its length, a body of several blocks is not sent "chunked", which Orthanc 1.10.1 does not take.
            headers = {"Content-Length": str(size)}
            seconds = self._client.limits.read + size / _SLOWEST
            response = self._client.request(method, path, _blocks(body), headers, seconds=seconds)
        check_response(response)
        return response.read()


def _blocks(body: Buffer) -> Iterator[memoryview]:
    with memoryview(body) as view:
        for start in range(0, len(view), _BLOCK):
            with view[start : start + _BLOCK] as block:
                yield block
