"""What goes wrong between this process and Orthanc's HTTP server, as errors of this package."""

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


def check(answer: httpx.Response) -> None:
    """Raise the error that an answer tells of; one that is being streamed is read first.

    Raises:
        OrthancError: It is no success.
    """
    if answer.is_success:
        return
    with httpx_errors():
        answer.read()
    told = error_told(answer)
    description = told.get("OrthancError")  # not "Details": they may name what is in the file
    said = f"Orthanc answered {answer.status_code}" + (f": {description}" if isinstance(description, str) else "")
    code = told.get("OrthancStatus")
    raise error_of(said, code if isinstance(code, int) and code else answer.status_code)


def error_told(answer: httpx.Response) -> dict[str, Any]:
    """Return what Orthanc wrote into the body of an error; empty where it is not Orthanc's."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
