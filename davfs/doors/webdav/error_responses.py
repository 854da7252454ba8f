"""Turns exceptions into HTTP responses: the outermost middleware, in place of WsgiDAV's ErrorPrinter.

That one stands behind the fast middlewares only, shows the message of an internal error to the client, names its
version and the server's time, and writes into a log that is switched off here.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from wsgidav.dav_error import DAVError
from wsgidav.mw.base_mw import BaseMiddleware
from wsgidav.util import SubAppStartResponse, send_status_response

from davfs.doors.webdav.context import Environ, StartResponse
from davfs.doors.webdav.http_errors import HttpError, to_http_error
from davfs.doors.webdav.wire.worker_pool import log_error
from davfs.errors import DavfsError


class ErrorResponses(BaseMiddleware):
    """Answers exceptions that are raised before the response begins; later ones break the connection."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        held = SubAppStartResponse()
        started = False
        response: Any = None
        try:
            response = self.next_app(environ, held)
            for block in response:
                if not started and held.status:  # or it waits for more of the request's body
                    start_response(held.status, held.response_headers)
                    started = True
                yield block
            if not started:
                start_response(held.status, held.response_headers)
        except Exception as error:
            if started:
                raise
            is_head = environ["REQUEST_METHOD"] == "HEAD"
            yield from send_status_response(environ, start_response, _dav_error(error), is_head=is_head)
        finally:
            if hasattr(response, "close"):
                response.close()


def _dav_error(error: Exception) -> DAVError:
    """Return the error to answer; of an unexpected one, which is logged, the client learns the status alone."""
    match error:
        case HttpError():
            return error
        case DavfsError():
            return to_http_error(error)
        case DAVError() if error.src_exception is None and error.value != HTTPStatus.INTERNAL_SERVER_ERROR:
            if error.err_condition:
                return error
            status = HTTPStatus(error.value)
            return HttpError(status, str(error.context_info or status.phrase))
    log_error("a request failed")
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "The drive could not do this.")
