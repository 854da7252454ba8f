"""Turns HTTP errors, and failures of the connection, into the errors of `davfs.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from davfs.errors import Unavailable
from davfs.orthanc.codes import error_of


@contextmanager
def httpx_errors() -> Iterator[None]:
    """Raise `Unavailable` for whatever keeps a request or its answer from arriving whole."""
    try:
        yield
    except httpx.RequestError as error:
        raise Unavailable(f"Orthanc does not answer: {type(error).__name__}") from error


def check_status(response: httpx.Response) -> None:
    """Raise the error that an answer tells of; one that is being streamed is read first.

    Raises:
        OrthancError: It is no success.
    """
    if response.is_success:
        return
    with httpx_errors():
        response.read()
    told = error_body(response)
    description = told.get("OrthancError")  # not "Details": they may name what is in the file
    said = f"Orthanc answered {response.status_code}" + (f": {description}" if isinstance(description, str) else "")
    code = told.get("OrthancStatus")
    raise error_of(said, code if isinstance(code, int) and code else response.status_code)


def error_body(response: httpx.Response) -> dict[str, Any]:
    """Return what Orthanc wrote into the body of an error; empty where it is not Orthanc's."""
    try:
        told = response.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
