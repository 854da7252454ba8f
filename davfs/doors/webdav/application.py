"""The WSGI application of door 2: a stack of middlewares, with WsgiDAV at its end."""

import logging
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from wsgidav.util import send_status_response
from wsgidav.wsgidav_app import WsgiDAVApp

from davfs.doors.webdav import paths, request_headers
from davfs.doors.webdav.body_buffer import BodyBuffer
from davfs.doors.webdav.context import KEY, Application, Context, Environ, StartResponse
from davfs.doors.webdav.cross_site import CrossSiteProtection
from davfs.doors.webdav.download import FileDownload
from davfs.doors.webdav.error_responses import ErrorResponses
from davfs.doors.webdav.folder_page import FolderPage
from davfs.doors.webdav.http_errors import HttpError, as_http_errors
from davfs.doors.webdav.lock_storage import LockStorage
from davfs.doors.webdav.login.authentication import Authentication
from davfs.doors.webdav.methods import MethodDispatcher
from davfs.doors.webdav.propfind import Propfind
from davfs.doors.webdav.provider import DriveProvider
from davfs.doors.webdav.reload import LayoutReload

_ONLY_TLS = ("Strict-Transport-Security", "max-age=31536000")  # a year (RFC 6797)
_SLASHES = re.compile("/{2,}")


def application(context: Context) -> Application:
    """Return the application."""
    _silence()
    dav = WsgiDAVApp(_configuration(context))

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response = _with_security_headers(start_response, only_tls=context.only_tls)
        try:
            with as_http_errors():
                environ["PATH_INFO"] = _normalized(environ["PATH_INFO"])
            request_headers.check_headers(environ)
        except HttpError as error:
            refused: Iterable[bytes] = send_status_response(environ, start_response, error)
            return refused
        response: Iterable[bytes] = dav(environ, start_response)
        return response

    return answer


def _configuration(context: Context) -> dict[str, Any]:
    """Return WsgiDAV's configuration."""
    return {
        KEY: context,
        "provider_mapping": {"/": DriveProvider(context)},
        "middleware_stack": [
            ErrorResponses,
            Authentication,
            CrossSiteProtection,
            LayoutReload,
            BodyBuffer,
            Propfind,
            FileDownload,
            FolderPage,
            MethodDispatcher,
        ],
        "lock_storage": LockStorage(),
        "add_header_MS_Author_Via": True,
        "suppress_version_info": True,
        "logging": {"enable": False},
        "verbose": 0,
    }


def _normalized(path_info: str) -> str:
    """Return ``PATH_INFO`` in NFC, without empty segments, which some clients write.

    Raises:
        BadName: The path is malformed.
    """
    path = _SLASHES.sub("/", unicodedata.normalize("NFC", paths.decoded(path_info)))
    path = "/" if path == "*" else path  # OPTIONS about the server as such (RFC 9110 §9.3.7): WsgiDAV fails
    return path.encode().decode("latin-1")  # as PEP 3333 has it


def _with_security_headers(start_response: StartResponse, *, only_tls: bool) -> StartResponse:
    """Forbid browsers to guess media types, and with ``only_tls``, to use plain HTTP from now on."""
    added = [("X-Content-Type-Options", "nosniff"), *([_ONLY_TLS] if only_tls else [])]

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
        return start_response(status, [*headers, *added], exc_info)

    return start


def _silence() -> None:
    """Keep WsgiDAV's log, which names paths, out of Orthanc's."""
    logger = logging.getLogger("wsgidav")
    logger.propagate = False
    logger.handlers[:] = [logging.NullHandler()]
