"""Maps the errors of the drive to HTTP statuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from wsgidav.dav_error import ERROR_DESCRIPTIONS, DAVError

from davfs import errors
from davfs.doors.webdav.responses import RETRY_AFTER

STATUSES: dict[type[errors.DavfsError], HTTPStatus] = {
    errors.NotFound: HTTPStatus.NOT_FOUND,  # 404
    errors.NotAFolder: HTTPStatus.CONFLICT,  # 409
    errors.IsAFolder: HTTPStatus.METHOD_NOT_ALLOWED,  # 405
    errors.AlreadyExists: HTTPStatus.METHOD_NOT_ALLOWED,  # 405, RFC 4918 §9.3.1
    errors.ParentMissing: HTTPStatus.CONFLICT,  # 409, RFC 4918 §9.3.1 and §9.7.1
    errors.BadName: HTTPStatus.BAD_REQUEST,  # 400
    errors.Forbidden: HTTPStatus.FORBIDDEN,  # 403
    errors.Conflict: HTTPStatus.CONFLICT,  # 409
    errors.Rejected: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,  # 415
    errors.UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,  # 413
    errors.NoSpace: HTTPStatus.INSUFFICIENT_STORAGE,  # 507, RFC 4918 §11.5
    errors.TooLarge: HTTPStatus.NOT_IMPLEMENTED,  # 501, of no file at this door: it streams them
    errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,  # 503
    errors.UnknownResource: HTTPStatus.NOT_FOUND,  # 404
    errors.BadFile: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,  # 415
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,  # 507
    errors.NotAnonymised: HTTPStatus.FORBIDDEN,  # 403
    errors.UnreadableMark: HTTPStatus.CONFLICT,  # 409
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,  # 503
    errors.ValueChanged: HTTPStatus.SERVICE_UNAVAILABLE,  # 503
    errors.DatabaseGone: HTTPStatus.SERVICE_UNAVAILABLE,  # 503
    errors.OrthancError: HTTPStatus.BAD_GATEWAY,  # 502
}

# WsgiDAV knows a third of them, and calls the others "507 Status".
ERROR_DESCRIPTIONS.update({status.value: f"{status.value} {status.phrase}" for status in HTTPStatus})


class HttpError(DAVError):
    """An error that is answered with a status, and a reason as plain text.

    Args:
        status: Status of the response.
        reason: One sentence for the user.
        condition: Precondition of RFC 4918 §16 (``{DAV:}propfind-finite-depth``); the response is XML then.
    """

    def __init__(self, status: HTTPStatus, reason: str, *, condition: str | None = None) -> None:
        headers = [RETRY_AFTER] if status is HTTPStatus.SERVICE_UNAVAILABLE else None
        super().__init__(status, reason, err_condition=condition, add_headers=headers)
        self.reason = reason

    def get_response_page(self) -> tuple[str, bytes]:
        """Return media type and body of the response."""
        if self.err_condition:
            page: tuple[str, bytes] = super().get_response_page()
            return page
        return "text/plain; charset=utf-8", f"{self.reason}\n".encode()


def to_http_error(error: errors.DavfsError) -> HttpError:
    """Return the HTTP error for an error of the drive."""
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), HTTPStatus.BAD_GATEWAY)
    return HttpError(status, getattr(error, "reason", None) or str(error))


@contextmanager
def as_http_errors() -> Iterator[None]:
    """Raise errors of the drive as HTTP errors, where WsgiDAV catches them."""
    try:
        yield
    except errors.DavfsError as error:
        raise to_http_error(error) from error
