"""Entity tags and dates: conditions that a client's copy meets."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.dates import http_date
from davfs.doors.webdav.validators import same_version, unmet
from davfs.entry import Entry, EntryKind

MODIFIED = datetime(2024, 2, 29, 12, 30, 59, 900_000, tzinfo=UTC)
ENTRY = Entry("a", EntryKind.FILE, MODIFIED, 10, "tag")
NOW, BEFORE, LATER = (http_date(MODIFIED + timedelta(seconds=seconds)) for seconds in (0, -1, 1))
FAILED, SAME = HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_MODIFIED


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  hypothesis wants it naive
def test_dates(moment: datetime) -> None:
    """Dates are written as the standard library does."""
    assert http_date(moment) == format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"NONE_MATCH": '"tag"'}, SAME),
        ({"NONE_MATCH": 'W/"tag"'}, SAME),
        ({"NONE_MATCH": '"a", W/"b,c" , "tag"'}, SAME),
        ({"NONE_MATCH": "*"}, SAME),
        ({"NONE_MATCH": '"other"'}, None),
        ({"NONE_MATCH": "tag"}, None),
        ({"NONE_MATCH": '"other"', "MODIFIED_SINCE": NOW}, None),
        ({"NONE_MATCH": '"tag"', "MODIFIED_SINCE": BEFORE}, SAME),
        ({"MODIFIED_SINCE": NOW}, SAME),
        ({"MODIFIED_SINCE": LATER}, SAME),
        ({"MODIFIED_SINCE": BEFORE}, None),
        ({"MODIFIED_SINCE": "yesterday"}, None),
        ({"MODIFIED_SINCE": ""}, None),
        ({"MATCH": '"tag"'}, None),
        ({"MATCH": "*"}, None),
        ({"MATCH": 'W/"tag"'}, FAILED),
        ({"MATCH": '"other"'}, FAILED),
        ({"MATCH": '"tag"', "UNMODIFIED_SINCE": BEFORE}, None),
        ({"MATCH": '"tag"', "NONE_MATCH": '"tag"'}, SAME),
        ({"UNMODIFIED_SINCE": BEFORE}, FAILED),
        ({"UNMODIFIED_SINCE": NOW}, None),
        ({"UNMODIFIED_SINCE": "Thu, 32 Foo 2024 99:99:99 GMT"}, None),
    ],
)
def test_conditions(headers: dict[str, str], expected: HTTPStatus | None) -> None:
    """Each condition is met or not as RFC 9110 §13 says, and entity tags go before dates."""
    assert unmet({f"HTTP_IF_{name}": value for name, value in headers.items()}, ENTRY) is expected


def test_without_a_tag() -> None:
    """A file without an entity tag never counts as unmodified."""
    entry = ENTRY._replace(etag="")
    assert unmet({"HTTP_IF_MODIFIED_SINCE": NOW, "HTTP_IF_NONE_MATCH": '""'}, entry) is None
    assert not same_version(NOW, entry)
    assert not same_version('""', entry)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('"tag"', True),
        (NOW, True),
        ('W/"tag"', False),
        ('"other"', False),
        (BEFORE, False),
        (LATER, False),
        ("", False),
    ],
)
def test_if_range(header: str, *, expected: bool) -> None:
    """If-Range is met by exactly the current version."""
    assert same_version(header, ENTRY._replace(resource="an image", steady=True)) is expected


def test_a_date_is_not_enough() -> None:
    """The date of an ordinary or derived file, or one that says nothing about the content, is no strong validator."""
    assert not same_version(NOW, ENTRY)
    assert not same_version(NOW, ENTRY._replace(resource="a study", media_type="application/zip"))
    assert not same_version(NOW, ENTRY._replace(resource="an image", steady=True, changed=MODIFIED))
    assert same_version('"tag"', ENTRY)
