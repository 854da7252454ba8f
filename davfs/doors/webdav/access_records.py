"""Records in the audit trail what each request did: one record at most, when its response has ended.

The handlers note in the request's `AccessReport` what they do; this middleware adds how it ended.
"""

from collections.abc import Iterable, Sized
from http import HTTPStatus
from typing import Any

from wsgidav.dav_error import DAVError
from wsgidav.mw.base_mw import BaseMiddleware

from davfs.audit.record import AuditAction, Client
from davfs.doors.access_report import AccessReport, action_of
from davfs.doors.webdav.context import ACCESS, Context, Environ, StartResponse, context_of, path_of, user_of
from davfs.doors.webdav.file_range import FileRange
from davfs.doors.webdav.login.client_address import client_address
from davfs.doors.webdav.upload_body import BrokenUpload
from davfs.errors import NotFound

_API = "/davfs-api/"
_TRASH = "/davfs-api/trash/"
_UPLOADS = frozenset({AuditAction.UPLOAD, AuditAction.ATTACH})


class AccessRecords(BaseMiddleware):
    """Passes all requests on, and records what became of them."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        report = environ[ACCESS] = AccessReport(_action(environ))
        transfer = _Transfer()
        try:
            yield from transfer.passed_on(self.next_app(environ, start_response))
        except GeneratorExit:
            transfer.is_broken = True
            raise
        except Exception as error:
            _note_error(report, error)
            raise
        finally:
            self._record(environ, report, transfer)

    def _record(self, environ: Environ, report: AccessReport, transfer: "_Transfer") -> None:
        if report.action is AuditAction.READ:
            report.sent(transfer.count, ended=not transfer.is_broken)
        elif transfer.is_broken and not report.is_notable and report.action in _UPLOADS:
            report.failed(BrokenUpload())
        context = context_of(self.config)
        record = report.record(client_of(environ, context))
        if record is not None:
            context.audit.record(record)


class _Transfer:
    """The blocks of a response.

    Attributes:
        count: Bytes that the client has taken; None if a part of a file was sent by the kernel, and not all of it.
        is_broken: True if the client went away.
    """

    def __init__(self) -> None:
        self.count: int | None = 0
        self.is_broken = False

    def passed_on(self, response: Any) -> Iterable[Any]:
        """Yield the blocks of a response, and close it."""
        total = 0
        try:
            for block in response:
                if isinstance(block, FileRange):
                    self.count = None
                yield block
                total += len(block) if isinstance(block, Sized) else 0
                self.count = total
        finally:
            if hasattr(response, "close"):
                response.close()


def client_of(environ: Environ, context: Context) -> Client:
    """Return who made a request, as far as it is known by now."""
    is_page = "HTTP_SEC_FETCH_SITE" in environ or environ["PATH_INFO"].startswith(_API)
    return Client(
        user=user_of(environ),
        address=client_address(environ, context.login.trusted_proxies),
        door=context.door,
        protocol="http" if is_page else "webdav",
        agent=environ.get("HTTP_USER_AGENT", ""),
    )


def _action(environ: Environ) -> AuditAction | None:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if not path.startswith(_API):
        return action_of(method, path_of(environ))
    if path.startswith(_TRASH):
        return {"POST": AuditAction.RESTORE, "DELETE": AuditAction.PURGE}.get(method)
    return AuditAction.RELOAD if method == "POST" else None


def _note_error(report: AccessReport, error: Exception) -> None:
    """Note an error by its class; one of HTTP by that of its cause, or by its status."""
    cause = error.__cause__
    if not isinstance(error, DAVError):
        report.failed(error)
    elif isinstance(cause, Exception) and not isinstance(cause, DAVError):
        report.failed(cause)
    elif error.value == HTTPStatus.NOT_FOUND:
        report.failed(NotFound((), ""))
    elif error.value < HTTPStatus.INTERNAL_SERVER_ERROR:
        report.refused("".join(HTTPStatus(error.value).phrase.title().split()))
    else:
        report.failed(error)
