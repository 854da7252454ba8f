"""Every error of the drive has a status of its own at door 2."""

import inspect

import pytest
from wsgidav.dav_error import get_http_status_string

from davfs import errors
from davfs.doors.webdav.http_errors import STATUSES, HttpError, as_http_errors, to_http_error

NOT_AT_A_DOOR = {errors.DavfsError, errors.PathError}
CARRIED = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.PathError | errors.OrthancError) and kind not in NOT_AT_A_DOOR
]


@pytest.mark.parametrize("kind", CARRIED)
def test_every_error(kind: type[errors.DavfsError]) -> None:
    """The table has all errors that can reach a door, and each status has its phrase."""
    assert kind in STATUSES
    error = kind(("inbox", "x"), "Why.") if issubclass(kind, errors.PathError) else kind("Why.")
    answer = to_http_error(error)
    assert answer.value == STATUSES[kind]
    assert get_http_status_string(answer).startswith(f"{answer.value} ")
    assert answer.get_response_page() == ("text/plain; charset=utf-8", b"Why.\n")


def test_busy() -> None:
    """A response of 503 has Retry-After."""
    with pytest.raises(HttpError) as caught, as_http_errors():
        raise errors.Busy((), "Too much to do.")
    assert caught.value.add_headers == [("Retry-After", "5")]


def test_unknown_error() -> None:
    """Exceptions that are no errors of the drive are not converted."""
    with pytest.raises(ZeroDivisionError), as_http_errors():
        1 / 0  # noqa: B018  raises
