"""The WSGI application of door 2: a stack of middlewares, with WsgiDAV at its end.

The middlewares stand before `WsgiDAVApp` rather than within its own stack, which costs each request 20 µs more.
"""

import logging
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from wsgidav.util import send_status_response
from wsgidav.wsgidav_app import WsgiDAVApp

from davfs.doors.webdav import paths, request_headers
from davfs.doors.webdav.access_records import AccessRecords
from davfs.doors.webdav.body_buffer import BodyBuffer
from davfs.doors.webdav.context import KEY, PATH, PROVIDER, Application, Context, Environ, StartResponse
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
from davfs.doors.webdav.shared_lock_storage import SharedLockStorage
from davfs.doors.webdav.trash_api import TrashApi
from davfs.entry import Path

_ONLY_TLS = ("Strict-Transport-Security", "max-age=31536000")  # a year (RFC 6797)
_PATHS, _LONGEST = 2048, 512
"""Paths that are cached, and characters of the longest of them."""
_SLASHES = re.compile("/{2,}")


_MIDDLEWARES = (
    ErrorResponses,
    AccessRecords,
    Authentication,
    CrossSiteProtection,
    LayoutReload,
    TrashApi,
    BodyBuffer,
    Propfind,
    FileDownload,
    FolderPage,
)
"""From the outermost to the innermost."""


def application(context: Context) -> Application:
    """Return the application."""
    _silence()
    provider = DriveProvider(context)
    configuration = _configuration(context, provider)
    dav = WsgiDAVApp(configuration)
    inner: Application = dav
    for middleware in reversed(_MIDDLEWARES):
        inner = middleware(dav, inner, configuration)
    added = [("X-Content-Type-Options", "nosniff"), *([_ONLY_TLS] if context.only_tls else [])]

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            return start_response(status, [*headers, *added], exc_info)

        environ[PROVIDER] = provider
        try:
            environ["PATH_INFO"], environ[PATH] = _parsed(environ["PATH_INFO"])
            request_headers.check_headers(environ)
        except HttpError as error:
            refused: Iterable[bytes] = send_status_response(environ, start, error)
            return refused
        return inner(environ, start)

    return answer


def _configuration(context: Context, provider: DriveProvider) -> dict[str, Any]:
    """Return WsgiDAV's configuration."""
    return {
        KEY: context,
        "provider_mapping": {"/": provider},
        "middleware_stack": [MethodDispatcher],
        "lock_storage": LockStorage() if context.shared is None else SharedLockStorage(context.shared),
        "add_header_MS_Author_Via": True,
        "suppress_version_info": True,
        "logging": {"enable": False},
        "verbose": 0,
    }


def _parsed(path_info: str) -> tuple[str, Path]:
    """Return ``PATH_INFO`` in NFC, without empty segments, which some clients write; and its segments.

    Raises:
        HttpError: The path is malformed.
    """
    with as_http_errors():
        return _normalized(path_info) if len(path_info) > _LONGEST else _cached(path_info)


def _normalized(path_info: str) -> tuple[str, Path]:
    path = _SLASHES.sub("/", unicodedata.normalize("NFC", paths.decoded(path_info)))
    path = "/" if path == "*" else path  # OPTIONS about the server as such (RFC 9110 §9.3.7): WsgiDAV fails
    return path.encode().decode("latin-1"), paths.segments(path)  # the first one as PEP 3333 has it


_cached = lru_cache(maxsize=_PATHS)(_normalized)


def _silence() -> None:
    """Keep WsgiDAV's log, which names paths, out of Orthanc's."""
    logger = logging.getLogger("wsgidav")
    logger.propagate = False
    logger.handlers[:] = [logging.NullHandler()]
