"""A response over HTTP, whose body is read when it is wanted."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol


class BodySource(Protocol):
    """The body of a response, as it is received."""

    def read(self, size: int | None = None, /) -> bytes:
        """Return at most so many bytes, none at the end; all that is left for None.

        Raises:
            Unavailable: The connection broke, or ended too early.
        """

    def close(self) -> None:
        """End the response; the connection can be used again if all of it was read."""


class HttpResponse:
    """A response; its body may not be read yet.

    Args:
        method: Method of the request.
        path: Path of the request.
        status: Status code.
        headers: Its headers; their names are in lower case.
        body: Its body.
    """

    def __init__(self, method: str, path: str, status: int, headers: Mapping[str, str], body: BodySource) -> None:
        self.method = method
        self.path = path
        self.status = status
        self.headers = headers
        self.body = body
        self._content: bytes | None = None

    def read(self) -> bytes:
        """Return the whole body.

        Raises:
            Unavailable: The connection broke, or ended too early.
        """
        if self._content is None:
            self._content = self.body.read()
        return self._content

    @property
    def is_success(self) -> bool:
        """True for a status of 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_redirect(self) -> bool:
        """True for a status of 3xx."""
        return HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST
