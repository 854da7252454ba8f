"""Entity tags and dates of files, and the conditions of requests on them (RFC 9110 §13)."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from davfs.dates import http_date
from davfs.entry import Entry

_TAG = re.compile(r'(?:^|,)[ \t]*(W/)?"([^"]*)"[ \t]*(?=,|$)')
"""An entity tag in a list; each run of blanks is matched once, or a long one would take quadratic time."""

CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")
"""Headers that can cause a response without content, in the form of WSGI."""


def entity_tag(entry: Entry) -> str:
    """Return the strong entity tag of a file, in quotes; empty if it has none."""
    return f'"{entry.etag}"' if entry.etag else ""


def unmet(headers: Mapping[str, Any], entry: Entry) -> HTTPStatus | None:
    """Return 304 or 412 if the conditions of a GET or HEAD forbid to send the content, else None.

    A file without an entity tag may change at any time without a trace, so it never counts as unmodified.

    Args:
        headers: The request, in the form of WSGI.
        entry: The file.

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
    """Return True if ``If-Range`` names the current version of a file, so that parts of it fit together.

    A date, which Finder sends, is a strong validator of an image in the archive, unless it is that of its acquisition.
    Other files may have been replaced within the same second, or have a date that a client told.

    Source: RFC 9110 §13.1.5, §8.8.2.2.
    """
    if not entry.etag:
        return False
    is_dated = entry.steady and entry.changed is None
    return header.strip() == entity_tag(entry) or (is_dated and header.strip() == http_date(entry.modified))


def _matches(header: str, etag: str, *, weak: bool) -> bool:
    if header.strip() == "*":
        return True
    return any(tag == etag and (weak or not prefix) for prefix, tag in _TAG.findall(header))


def _modified_since(header: str | None, entry: Entry) -> bool | None:
    """Return True if a file was modified after a date; None if there is no valid date."""
    if header is None:
        return None
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    modified = entry.changed or entry.modified  # others can be the same for two contents
    return modified.replace(microsecond=0) > (date if date.tzinfo else date.replace(tzinfo=UTC))
