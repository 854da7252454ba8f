"""What goes wrong between this process and Orthanc's HTTP server, as errors of this package."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx

from davfs.errors import BadFile, OrthancError, StorageFull, Unavailable, UnknownResource

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


@contextmanager
def httpx_errors() -> Iterator[None]:
    """Raise `Unavailable` for whatever keeps a request or its answer from arriving whole."""
    try:
        yield
    except httpx.RequestError as error:
        raise Unavailable(f"Orthanc does not answer: {type(error).__name__}") from error


def check(answer: httpx.Response) -> None:
    """Raise the error that an answer tells of; one that is being streamed is read first.

    Raises:
        OrthancError: It is no success.
    """
    if answer.is_success:
        return
    with httpx_errors():
        answer.read()
    try:
        code = answer.json()["OrthancStatus"]
    except (ValueError, KeyError, TypeError):
        code = None
    kind = _CODES.get(code) or _STATUSES.get(answer.status_code, OrthancError)
    raise kind(f"Orthanc answered {answer.status_code}", code or answer.status_code)
