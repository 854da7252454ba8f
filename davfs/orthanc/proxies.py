"""Recognises responses of a proxy, or of another server at Orthanc's address.

Such a response proves nothing about Orthanc: neither that a resource is gone, nor that one was deleted, nor what a file
holds. So Orthanc counts as unavailable for now.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from davfs.errors import Unavailable
from davfs.orthanc.client import HttpResponse
from davfs.orthanc.responses import error_body

_PAGE, _TEXT = "text/html", "text/"
_ABOUT_PERMISSIONS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
_PROXIES = ("age", "server", "via", "x-cache")
"""Headers that Orthanc itself never sends."""


def check_origin(response: HttpResponse) -> None:
    """Raise `Unavailable` for an HTML page, and for a 404 in plain text: Orthanc sends neither.

    Responses about permissions, and redirections, are left to the check of the status; and so is a text in response to
    an upload, which does not prove that a resource is gone.
    """
    if response.is_redirect or response.status in _ABOUT_PERMISSIONS:
        return
    kind = response.headers.get("content-type", "")
    nothing = response.status == HTTPStatus.NOT_FOUND and not _is_upload(response)
    if kind.startswith(_TEXT if nothing else _PAGE) and not _is_orthancs_error(response):
        raise Unavailable(f"another server answered {response.status} in Orthanc's place")


def _is_orthancs_error(response: HttpResponse) -> bool:
    """Return True if the body describes an error as Orthanc does; since 1.12.2 it calls that ``text/plain``."""
    return "OrthancStatus" in error_body(response)


def _is_upload(response: HttpResponse) -> bool:
    return response.method == "POST" and response.path == "/instances"


def check_type(response: HttpResponse, kind: str) -> None:
    """Raise `Unavailable` for a response of another media type than the requested one."""
    if not response.headers.get("content-type", kind).startswith(kind):
        raise Unavailable("an answer in Orthanc's place is of another kind")


def is_proxied(response: HttpResponse) -> bool:
    """Return True if a response has passed through another server, which may have cached an older one."""
    return any(name in response.headers for name in _PROXIES)


@contextmanager
def parse_errors() -> Iterator[None]:
    """Raise `Unavailable` for a response that does not parse as one of Orthanc."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Unavailable("an answer in Orthanc's place makes no sense") from error


def as_list(response: Any) -> list[Any]:
    """Return a response that has to be a list.

    Raises:
        TypeError: It is no list.
    """
    if not isinstance(response, list):
        raise TypeError("no list")
    return response
