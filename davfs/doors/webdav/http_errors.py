"""The one table from the drive's errors to statuses of HTTP and WebDAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from wsgidav.dav_error import ERROR_DESCRIPTIONS, DAVError

from davfs import errors

STATUSES: dict[type[errors.DavfsError], HTTPStatus] = {
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.NotAFolder: HTTPStatus.CONFLICT,
    errors.IsAFolder: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.AlreadyExists: HTTPStatus.METHOD_NOT_ALLOWED,  # RFC 4918 §9.3.1
    errors.ParentMissing: HTTPStatus.CONFLICT,  # RFC 4918 §9.3.1 and §9.7.1
    errors.BadName: HTTPStatus.BAD_REQUEST,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Rejected: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.NoSpace: HTTPStatus.INSUFFICIENT_STORAGE,  # RFC 4918 §11.5
    errors.TooLarge: HTTPStatus.NOT_IMPLEMENTED,  # of no file at this door: it streams them
    errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UnknownResource: HTTPStatus.NOT_FOUND,
    errors.BadFile: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.NotAnonymised: HTTPStatus.FORBIDDEN,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.OrthancError: HTTPStatus.BAD_GATEWAY,
}

_RETRY_SECONDS = "5"

# WsgiDAV knows a third of them, and calls the others "507 Status".
ERROR_DESCRIPTIONS.update({status.value: f"{status.value} {status.phrase}" for status in HTTPStatus})


class HttpError(DAVError):
    """A request that is refused with a reason, as plain text.

    Args:
        status: Status of the answer.
        reason: One sentence for the user.
        condition: Precondition of RFC 4918 §16 (``{DAV:}propfind-finite-depth``), which is answered as XML.
    """

    def __init__(self, status: HTTPStatus, reason: str, *, condition: str | None = None) -> None:
        headers = [("Retry-After", _RETRY_SECONDS)] if status is HTTPStatus.SERVICE_UNAVAILABLE else None
        super().__init__(status, reason, err_condition=condition, add_headers=headers)
        self.reason = reason

    def get_response_page(self) -> tuple[str, bytes]:
        """Return media type and body of the answer."""
        if self.err_condition:
            page: tuple[str, bytes] = super().get_response_page()
            return page
        return "text/plain; charset=utf-8", f"{self.reason}\n".encode()


def to_http_error(error: errors.DavfsError) -> HttpError:
    """Return how an error of the drive is answered."""
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), HTTPStatus.BAD_GATEWAY)
    return HttpError(status, getattr(error, "reason", None) or str(error))


@contextmanager
def as_http_errors() -> Iterator[None]:
    """Answer errors of the drive by their status."""
    try:
        yield
    except errors.DavfsError as error:
        raise to_http_error(error) from error
