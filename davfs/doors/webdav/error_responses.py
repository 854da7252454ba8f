"""Turns exceptions into HTTP responses: the outermost middleware, in place of WsgiDAV's ErrorPrinter.

That one stands behind the fast answers only, tells the client what an internal error said, names its version and the
server's time, and writes into a log that is switched off here.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from wsgidav.dav_error import DAVError
from wsgidav.mw.base_mw import BaseMiddleware
from wsgidav.util import SubAppStartResponse, send_status_response

from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import HttpError, to_http_error
from davfs.doors.webdav.wire.worker_pool import report
from davfs.errors import DavfsError


class ErrorResponses(BaseMiddleware):
    """Answers what the others raise before they have begun to answer; what is raised later breaks the connection."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        held = SubAppStartResponse()
        started = False
        answer: Any = None
        try:
            answer = self.next_app(environ, held)
            for block in answer:
                if not started and held.status:  # or it waits for more of the request's body
                    start_response(held.status, held.response_headers)
                    started = True
                yield block
            if not started:
                start_response(held.status, held.response_headers)
        except Exception as error:
            if started:
                raise
            yield from _answer(environ, start_response, answerable(error))
        finally:
            if hasattr(answer, "close"):
                answer.close()


def answerable(error: Exception) -> DAVError:
    """Return how an error is answered: one that nobody foresaw, by its status alone."""
    match error:
        case HttpError():
            return error
        case DavfsError():
            return to_http_error(error)
        case DAVError() if error.src_exception is None and error.value != HTTPStatus.INTERNAL_SERVER_ERROR:
            return error if error.err_condition else _plain(error)
    report("a request failed")
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "The drive could not do this.")


def _answer(environ: Environ, start_response: Callable[..., Any], error: DAVError) -> Iterable[bytes]:
    shown = error.value if error.value == HTTPStatus.NOT_MODIFIED else error  # which has no content
    is_head = environ["REQUEST_METHOD"] == "HEAD"
    answer: Iterable[bytes] = send_status_response(environ, start_response, shown, is_head=is_head)
    return answer


def _plain(error: DAVError) -> HttpError:
    status = HTTPStatus(error.value)
    return HttpError(status, str(error.context_info or status.phrase))
