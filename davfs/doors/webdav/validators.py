"""Whether the content that a client has, or means, is still the one that is there (RFC 9110 §13)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from davfs.entry import DICOM, Entry

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TAG = re.compile(r'(?:^|,)[ \t]*(W/)?"([^"]*)"[ \t]*(?=,|$)')
"""An entity tag in a list; a run of blanks is looked at once, or a long one would cost its square."""

CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")
"""Headers that can make an answer without content, as WSGI names them."""


@lru_cache(maxsize=8192)
def http_date(moment: datetime) -> str:
    """Return a date (UTC) as HTTP writes it; ``strftime`` would follow the language of the machine.

    Source: RFC 9110 §5.6.7.
    """
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02d} {month} {moment.year:04d} {moment:%H:%M:%S} GMT"


def entity_tag(entry: Entry) -> str:
    """Return the strong entity tag of a file, in quotes; empty where nothing tells its versions apart."""
    return f'"{entry.etag}"' if entry.etag else ""


def unmet(headers: Mapping[str, Any], entry: Entry) -> HTTPStatus | None:
    """Return 304 or 412 where the conditions of a GET or HEAD forbid to send the content, None where they do not.

    A file without an entity tag may change at any time without a trace, so nothing is ever said to be unmodified of it.

    Args:
        headers: The request, as WSGI has it.
        entry: What is there.

    Source: RFC 9110 §13.2.2, which orders the steps.
    """
    if not entry.etag:
        return None
    if (expected := headers.get("HTTP_IF_MATCH")) is not None:
        if not _matches(expected, entry.etag, weak=False):
            return HTTPStatus.PRECONDITION_FAILED
    elif _modified_since(headers.get("HTTP_IF_UNMODIFIED_SINCE"), entry) is True:
        return HTTPStatus.PRECONDITION_FAILED
    if (known := headers.get("HTTP_IF_NONE_MATCH")) is not None:
        return HTTPStatus.NOT_MODIFIED if _matches(known, entry.etag, weak=True) else None
    if _modified_since(headers.get("HTTP_IF_MODIFIED_SINCE"), entry) is False:
        return HTTPStatus.NOT_MODIFIED
    return None


def same_version(header: str, entry: Entry) -> bool:
    """Tell whether ``If-Range`` names exactly the version that is there, so that a part of it continues another.

    A date tells the versions of an image apart. An ordinary file, or one that the drive makes, may have been replaced
    within its second, so that a date is no strong validator of it.

    Source: RFC 9110 §13.1.5, §8.8.2.2.
    """
    if not entry.etag:
        return False
    by_date = bool(entry.resource) and entry.media_type == DICOM and header.strip() == http_date(entry.modified)
    return by_date or header.strip() == entity_tag(entry)


def _matches(header: str, etag: str, *, weak: bool) -> bool:
    if header.strip() == "*":
        return True
    return any(tag == etag and (weak or not prefix) for prefix, tag in _TAG.findall(header))


def _modified_since(header: str | None, entry: Entry) -> bool | None:
    """Tell whether a file was modified after a date; None where there is no date that can be read."""
    try:
        date = parsedate_to_datetime(header or "")
    except (ValueError, OverflowError):
        return None
    return entry.modified.replace(microsecond=0) > (date if date.tzinfo else date.replace(tzinfo=UTC))
