"""Conditions of requests that change something: ``If-Match`` and its like, and WebDAV's ``If``.

WsgiDAV's own let a request pass whose file is gone, ignore an ``If`` that names its resource by a whole address, and
apply what was said about the source of a COPY or MOVE to its target.
"""

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus

from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ, path_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.validators import CONDITIONS, unmet
from davfs.entry import Entry, Path
from davfs.errors import BadName

_PART = re.compile(r"<(?P<about>[^<>]*)>|\((?P<listed>(?:<[^<>]*>|\[[^\[\]]*\]|[^()<>\[\]])*)\)")
_CONDITION = re.compile(r"(?P<no>Not\b\s*)?(?:<(?P<token>[^<>]*)>|\[(?P<tag>[^\[\]]*)\])", re.IGNORECASE)
_OF_A_CHANGE = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_UNMODIFIED_SINCE")
_KNOWN_LOCKS = "davfs.locks"

FindEntry = Callable[[Path], Entry | None]
"""Returns the entry at a path, None if there is none."""
LockTokens = Callable[[Path, Entry | None], frozenset[str]]
"""Returns the tokens of the user's locks on the entry at a path."""


def creates_only(environ: Environ) -> bool:
    """Return True if a request must not replace anything."""
    return bool(environ.get("HTTP_IF_NONE_MATCH", "").strip() == "*")


def submitted_tokens(environ: Environ) -> list[str]:
    """Return all lock tokens that a request names (RFC 4918 §10.4.1)."""
    return [found["token"] for _, listed in _lists(environ) for found in listed if found["token"] is not None]


def check_versions(environ: Environ, find: FindEntry) -> None:
    """Check ``If-Match``, ``If-None-Match`` and ``If-Unmodified-Since`` of a request that changes something.

    Raises:
        HttpError: One of them is not met.

    Source: RFC 9110 §13.1.
    """
    if not any(name in environ for name in CONDITIONS):
        return
    entry = find(path_of(environ))
    if entry is None:
        failed = "HTTP_IF_MATCH" in environ
    else:
        given = {name: environ[name] for name in _OF_A_CHANGE if name in environ}
        failed = creates_only(environ) or unmet(given, entry) is not None
    if failed:
        raise HttpError(HTTPStatus.PRECONDITION_FAILED, "The request requires another version than the current one.")


def check_if(environ: Environ, find: FindEntry, lock_tokens: LockTokens) -> None:
    """Check the ``If`` of a request, which is well-formed.

    The second time in one request, its locks are those of the first time: an upload is not refused because its lock
    expired while the body was received.

    Raises:
        HttpError: It is not met.

    Source: RFC 4918 §10.4.
    """
    if "HTTP_IF" not in environ:
        return
    known = environ.setdefault(_KNOWN_LOCKS, {})

    def holds(about: str | None, listed: list[re.Match[str]]) -> bool:
        path = path_of(environ) if about is None else _path(about)
        entry = None if path is None else find(path)
        if path is not None and path not in known:
            known[path] = lock_tokens(path, entry)
        tag = f'"{entry.etag}"' if entry and entry.etag else None
        return all(_is_met(condition, known.get(path, frozenset()), tag) for condition in listed)

    if not any(holds(about, listed) for about, listed in _lists(environ)):
        raise HttpError(HTTPStatus.PRECONDITION_FAILED, "The condition of the header If is not met.")


def _is_met(condition: re.Match[str], tokens: frozenset[str], tag: str | None) -> bool:
    found = condition["token"] in tokens if condition["token"] is not None else condition["tag"].strip() == tag
    return found is not bool(condition["no"])


def _lists(environ: Environ) -> Iterator[tuple[str | None, list[re.Match[str]]]]:
    """Yield the lists of an ``If``, each with the address that it is about; None for that of the request."""
    about: str | None = None
    for part in _PART.finditer(environ.get("HTTP_IF", "")):
        if part["listed"] is None:
            about = part["about"]
        else:
            yield about, list(_CONDITION.finditer(part["listed"]))


def _path(address: str) -> Path | None:
    """Return the path of an address, whatever host a proxy made of it; None if it cannot be one of the drive."""
    try:
        path = paths.of_url(address)
    except BadName:
        return None
    return paths.segments(path) if path.startswith("/") else None
