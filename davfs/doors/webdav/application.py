"""The WSGI application of door 2: middlewares, and WsgiDAV at their end."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from wsgidav.error_printer import ErrorPrinter
from wsgidav.request_resolver import RequestResolver
from wsgidav.wsgidav_app import WsgiDAVApp

from davfs import errors
from davfs.doors.webdav import paths
from davfs.doors.webdav.context import KEY, Context, Environ
from davfs.doors.webdav.locks import Locks
from davfs.doors.webdav.messages import Messages
from davfs.doors.webdav.properties import Properties
from davfs.doors.webdav.provider import DriveProvider

_BLOCK = 256 * 1024
"""Bytes that WsgiDAV reads and writes at once."""

Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def application(context: Context, properties: Properties) -> Application:
    """Return the application.

    Args:
        context: What its parts share.
        properties: Keeps dead properties.
    """
    _silence()
    dav = WsgiDAVApp(
        {
            KEY: context,
            "provider_mapping": {"/": DriveProvider(context.drive)},
            "middleware_stack": [ErrorPrinter, Messages, RequestResolver],
            "lock_storage": Locks(),
            "property_manager": properties,
            "add_header_MS_Author_Via": True,
            "suppress_version_info": True,
            "logging": {"enable": False},
            "verbose": 0,
        "block_size": _BLOCK,
        }
    )

    def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            paths.decoded(environ["PATH_INFO"])
        except errors.BadName as error:
            body = f"{error.reason}\n".encode()
            start_response(
                "400 Bad Request",
                [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))],
            )
            return [body]
        answered: Iterable[bytes] = dav(environ, start_response)
        return answered

    return answer


def _silence() -> None:
    """Keep WsgiDAV's log, which names paths, out of Orthanc's."""
    logger = logging.getLogger("wsgidav")
    logger.propagate = False
    logger.handlers[:] = [logging.NullHandler()]
