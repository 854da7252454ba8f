"""Turns HTTP errors, and failures of the connection, into the errors of `davfs.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from davfs.errors import Unavailable
from davfs.orthanc.codes import error_of


@contextmanager
def httpx_errors() -> Iterator[None]:
    """Raise `Unavailable` if a request or its response does not arrive whole."""
    try:
        yield
    except httpx.RequestError as error:
        raise Unavailable(f"Orthanc does not answer: {type(error).__name__}") from error


def check_status(response: httpx.Response) -> None:
    """Raise the error of a response that is no success; a streamed one is read first.

    Raises:
        OrthancError: By `davfs.orthanc.codes`.
    """
    if response.is_success:
        return
    with httpx_errors():
        response.read()
    body = error_body(response)
    description = body.get("OrthancError")  # not "Details": they may name what is in the file
    reason = f"Orthanc answered {response.status_code}" + (f": {description}" if isinstance(description, str) else "")
    code = body.get("OrthancStatus")
    raise error_of(reason, code if isinstance(code, int) and code else response.status_code)


def error_body(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON in the body of an error; empty if it is not Orthanc's."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
