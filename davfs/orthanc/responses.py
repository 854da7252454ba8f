"""Checks responses: raises Orthanc's errors, and recognises responses of a proxy, or of another server at its address.

Such a response proves nothing about Orthanc: neither that a resource is gone, nor that one was deleted, nor what a file
holds. So Orthanc counts as unavailable for now.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from davfs.errors import Unavailable
from davfs.orthanc.codes import error_of
from davfs.orthanc.http_response import HttpResponse

_PAGE, _TEXT = "text/html", "text/"
_ABOUT_PERMISSIONS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
_PROXIES = ("age", "server", "via", "x-cache")
"""Headers that Orthanc itself never sends."""


def check_response(response: HttpResponse) -> None:
    """Raise the error of a response that is no success, or not Orthanc's; an unread body may be read first.

    Another server has sent an HTML page, or a 404 in plain text: Orthanc sends neither. Responses about permissions,
    and redirections, are left to `check_status`; and so is a text in response to an upload, which does not prove that a
    resource is gone.

    Raises:
        Unavailable: Another server has answered.
        OrthancError: By `davfs.orthanc.codes`.
    """
    if not response.is_redirect and response.status not in _ABOUT_PERMISSIONS:
        kind = response.headers.get("content-type", "")
        nothing = response.status == HTTPStatus.NOT_FOUND and not _is_upload(response)
        # Since 1.12.2, Orthanc calls its own errors "text/plain".
        if kind.startswith(_TEXT if nothing else _PAGE) and "OrthancStatus" not in _error_body(response):
            raise Unavailable(f"another server answered {response.status} in Orthanc's place")
    check_status(response)


def check_status(response: HttpResponse) -> None:
    """Raise the error of a response that is no success; see `check_response`."""
    if response.is_success:
        return
    body = _error_body(response)
    description = body.get("OrthancError")  # not "Details": they may name what is in the file
    reason = f"Orthanc answered {response.status}" + (f": {description}" if isinstance(description, str) else "")
    code = body.get("OrthancStatus")
    raise error_of(reason, code if isinstance(code, int) and code else response.status)


def _is_upload(response: HttpResponse) -> bool:
    return response.method == "POST" and response.path == "/instances"


def _error_body(response: HttpResponse) -> dict[str, Any]:
    """Return the JSON in the body of an error; empty if it is not Orthanc's."""
    try:
        body = json.loads(response.read())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


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
