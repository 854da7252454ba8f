"""The WSGI application of door 2: middlewares, and WsgiDAV at their end."""

import logging
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

from wsgidav.util import send_status_response
from wsgidav.wsgidav_app import WsgiDAVApp

from davfs.doors.webdav import paths, request_headers
from davfs.doors.webdav.body_buffer import BodyBuffer
from davfs.doors.webdav.context import KEY, Context, Environ
from davfs.doors.webdav.cross_site import CrossSite
from davfs.doors.webdav.download import Download
from davfs.doors.webdav.error_responses import ErrorResponses
from davfs.doors.webdav.folder_page import Page
from davfs.doors.webdav.http_errors import HttpError, as_http_errors
from davfs.doors.webdav.lock_storage import LockStorage
from davfs.doors.webdav.login.authentication import Authentication
from davfs.doors.webdav.methods import MethodDispatcher
from davfs.doors.webdav.property_manager import PropertyManager
from davfs.doors.webdav.propfind import Propfind
from davfs.doors.webdav.provider import DriveProvider
from davfs.doors.webdav.reload import Reload

_BLOCK = 256 * 1024
"""Bytes that WsgiDAV reads and writes at once."""

_ONLY_TLS = ("Strict-Transport-Security", "max-age=31536000")  # a year (RFC 6797)
_SLASHES = re.compile("/{2,}")

Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def application(context: Context) -> Application:
    """Return the application.

    Args:
        context: What its parts share.
    """
    _silence()
    dav = WsgiDAVApp(
        {
            KEY: context,
            "provider_mapping": {"/": DriveProvider(context.drive)},
            "middleware_stack": [
                ErrorResponses,
                Authentication,
                CrossSite,
                Reload,
                BodyBuffer,
                Propfind,
                Download,
                Page,
                MethodDispatcher,
            ],
            "lock_storage": LockStorage(),
            "property_manager": PropertyManager(context.drive),
            "add_header_MS_Author_Via": True,
            "suppress_version_info": True,
            "logging": {"enable": False},
            "verbose": 0,
            "block_size": _BLOCK,
        }
    )

    def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response = _told_to_browsers(start_response, only_tls=context.only_tls)
        try:
            with as_http_errors():
                path = unicodedata.normalize("NFC", paths.decoded(environ["PATH_INFO"]))
                path = _SLASHES.sub("/", path)  # some clients join an address that ends in one and a path
            request_headers.check(environ)
        except HttpError as refusal:
            refusing: Iterable[bytes] = send_status_response(environ, start_response, refusal)
            return refusing
        path = "/" if path == "*" else path  # OPTIONS about the server as such (RFC 9110 §9.3.7): WsgiDAV fails
        environ["PATH_INFO"] = path.encode().decode("latin-1")  # as PEP 3333 has it
        answered: Iterable[bytes] = dav(environ, start_response)
        return answered

    return answer


def _told_to_browsers(start_response: Callable[..., Any], *, only_tls: bool) -> Callable[..., Any]:
    """Let every answer tell browsers that its type is what it says, and whether to insist on TLS from now on."""
    told = [("X-Content-Type-Options", "nosniff"), *([_ONLY_TLS] if only_tls else [])]

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
        return start_response(status, [*headers, *told], exc_info)

    return start


def _silence() -> None:
    """Keep WsgiDAV's log, which names paths, out of Orthanc's."""
    logger = logging.getLogger("wsgidav")
    logger.propagate = False
    logger.handlers[:] = [logging.NullHandler()]
