"""Orthanc's REST API over HTTP, from any machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx

from davfs.errors import BadFile, OrthancError, StorageFull, Unavailable, UnknownResource
from davfs.orthanc import Buffer
from davfs.orthanc.model import OrthancId

_STATUSES: dict[int, type[OrthancError]] = {
    HTTPStatus.NOT_FOUND: UnknownResource,
    HTTPStatus.BAD_REQUEST: BadFile,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
    HTTPStatus.INSUFFICIENT_STORAGE: StorageFull,
}
_CODES: dict[int, type[OrthancError]] = {
    15: BadFile,  # BadFileFormat
    17: UnknownResource,
    19: StorageFull,  # FullStorage
    21: BadFile,  # InexistentTag: a data set without the UIDs that every instance has; its status is 404
}
"""Orthanc's own codes (``OrthancPluginErrorCode``), which it puts into the body of an answer: they say more."""


class HttpTransport:
    """`davfs.orthanc.rest.Transport` over httpx.

    Args:
        client: A client whose ``base_url`` is Orthanc's root, with its credentials and time limits.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.rest.Transport`."""
        return self._send("GET", path)

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.rest.Transport`."""
        return self._send("POST", path, bytes(body))

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.rest.Transport`."""
        self._send("DELETE", path)

    @contextmanager
    def instance_file(self, instance: OrthancId) -> Iterator[memoryview]:
        """See `davfs.orthanc.rest.Transport`."""
        yield memoryview(self._send("GET", f"/instances/{instance}/file"))

    def _send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            answer = self._client.request(method, path, content=body)
        except httpx.TransportError as error:
            raise Unavailable(f"Orthanc does not answer: {type(error).__name__}") from error
        if answer.is_success:
            return answer.content
        raise _error(answer)


def _error(answer: httpx.Response) -> OrthancError:
    try:
        code = answer.json()["OrthancStatus"]
    except (ValueError, KeyError, TypeError):
        code = None
    kind = _CODES.get(code) or _STATUSES.get(answer.status_code, OrthancError)
    return kind(f"Orthanc answered {answer.status_code}", code or answer.status_code)
