"""A client of Orthanc whose responses come from a function instead of a server."""

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO

import httpx

from davfs.orthanc import Buffer
from davfs.orthanc.address import OrthancAddress
from davfs.orthanc.client import OrthancClient, connection_errors
from davfs.orthanc.http_response import HttpResponse


class AnsweringClient(OrthancClient):
    """Responds with what a function returns or raises.

    Args:
        answer: The function; what it returns may be returned again.
        url: Orthanc's root.
    """

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response], url: str = "http://orthanc") -> None:
        super().__init__(OrthancAddress.parse(url))
        self._answer = answer

    def open(
        self,
        method: str,
        path: str,
        body: Buffer | Iterable[Buffer] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float | None = None,  # noqa: ARG002  the client's
    ) -> HttpResponse:
        """See `OrthancClient`."""
        content = b"".join(map(bytes, [body] if isinstance(body, Buffer) else body or ()))
        request = httpx.Request(method, self.address.url + path, headers=dict(headers or {}), content=content)
        with connection_errors():
            response = self._answer(request)
        if not isinstance(response.stream, httpx.ByteStream):
            response.stream = httpx.ByteStream(b"".join(response.iter_raw()))
        return HttpResponse(method, path, response.status_code, response.headers, BytesIO(b"".join(response.stream)))
