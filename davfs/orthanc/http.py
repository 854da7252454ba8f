"""Orthanc's REST API over HTTP, from any machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx

from davfs.errors import BadFile, OrthancError, StorageFull, Unavailable, UnknownResource
from davfs.orthanc import Buffer
from davfs.orthanc.model import OrthancId

_ERRORS: dict[int, type[OrthancError]] = {
    HTTPStatus.NOT_FOUND: UnknownResource,
    HTTPStatus.BAD_REQUEST: BadFile,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
    HTTPStatus.INSUFFICIENT_STORAGE: StorageFull,
}


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
        raise _ERRORS.get(answer.status_code, OrthancError)(
            f"Orthanc answered {answer.status_code}", answer.status_code
        )
