"""Recognises responses of a proxy, or of another server at Orthanc's address.

Such a response proves nothing about Orthanc: neither that a resource is gone, nor that one was deleted, nor what a file
holds. So Orthanc counts as unavailable for now.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx

from davfs.errors import Unavailable
from davfs.orthanc.responses import error_body, httpx_errors

_PAGE, _TEXT = "text/html", "text/"
_FOR_THE_ADMINISTRATOR = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
_PROXIES = ("Age", "Server", "Via", "X-Cache")
"""Headers of answers that have passed through another server: Orthanc itself sends none of them."""


def check_origin(response: httpx.Response) -> None:
    """Raise `Unavailable` for an HTML page, and for a 404 in plain text: Orthanc answers with neither.

    What it says about rights, or that Orthanc has moved, is left to whoever looks at the status; and so is what a text
    says of an upload, which is not gone because of it.
    """
    if response.is_redirect or response.status_code in _FOR_THE_ADMINISTRATOR:
        return
    kind = response.headers.get("Content-Type", "")
    nothing = response.status_code == HTTPStatus.NOT_FOUND and not _is_upload(response.request)
    if kind.startswith(_TEXT if nothing else _PAGE) and not _is_orthancs_error(response):
        raise Unavailable(f"another server answered {response.status_code} in Orthanc's place")


def _is_orthancs_error(response: httpx.Response) -> bool:
    """Return True if the body describes an error as Orthanc does; since 1.12.2 it calls that ``text/plain``."""
    with httpx_errors():
        response.read()
    return "OrthancStatus" in error_body(response)


def _is_upload(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.endswith("/instances")


def check_type(response: httpx.Response, kind: str) -> None:
    """Raise `Unavailable` for an answer that says to be of another media type than what was asked for."""
    if not response.headers.get("Content-Type", kind).startswith(kind):
        raise Unavailable("an answer in Orthanc's place is of another kind")


def is_proxied(response: httpx.Response) -> bool:
    """Return True if an answer has passed through another server, which may have kept an older one."""
    return any(name in response.headers for name in _PROXIES)


@contextmanager
def parse_errors() -> Iterator[None]:
    """Raise `Unavailable` where an answer is not what Orthanc answers."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Unavailable("an answer in Orthanc's place makes no sense") from error


def as_list(response: Any) -> list[Any]:
    """Return an answer that has to be a list.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(response, list):
        raise TypeError("no list")
    return response
