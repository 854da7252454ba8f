"""Conditions of a request that changes something: ``If-Match`` and its like, and WebDAV's ``If``.

WsgiDAV's own let a request pass whose file is gone, take no notice of an ``If`` that names its resource by a whole
address, and hold the target of a COPY or MOVE to what was said about its source.
"""

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from urllib.parse import unquote_to_bytes, urlsplit

from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.validators import CONDITIONS, unmet
from davfs.entry import Entry, Path
from davfs.errors import BadName

_PART = re.compile(r"<(?P<about>[^<>]*)>|\((?P<listed>(?:<[^<>]*>|\[[^\[\]]*\]|[^()<>\[\]])*)\)")
_STATED = re.compile(r"(?P<no>Not\b\s*)?(?:<(?P<token>[^<>]*)>|\[(?P<tag>[^\[\]]*)\])", re.IGNORECASE)
_OF_A_CHANGE = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_UNMODIFIED_SINCE")
_LOOKED = "davfs.locks"

Look = Callable[[Path], Entry | None]
"""Returns what is at a path, None for nothing."""
Tokens = Callable[[Path, Entry | None], frozenset[str]]
"""Returns the tokens of the user's locks on what is at a path."""


def creates_only(environ: Environ) -> bool:
    """Tell whether a request must not replace anything."""
    return bool(environ.get("HTTP_IF_NONE_MATCH", "").strip() == "*")


def submitted(environ: Environ) -> list[str]:
    """Return all lock tokens that a request names (RFC 4918 §10.4.1)."""
    return [found["token"] for _, listed in _lists(environ) for found in listed if found["token"] is not None]


def check(environ: Environ, own: Path, look: Look, tokens: Tokens) -> None:
    """Refuse a request whose conditions are not met.

    Asked for the second time about the same request, it takes its locks to be those of the first time: an upload is
    not refused because its lock expired while it came.

    Args:
        environ: The request; its ``If`` can be understood.
        own: Its path.
        look: Tells what is at a path now.
        tokens: Tells which locks it has.

    Raises:
        HttpError: One of them is not met, or, for a GET or HEAD, the client has the content already.

    Source: RFC 9110 §13.1, RFC 4918 §10.4.
    """
    if any(name in environ for name in CONDITIONS):
        _check_versions(environ, look(own))
    if "HTTP_IF" not in environ:
        return
    known = environ.setdefault(_LOOKED, {})

    def holds(about: str | None, listed: list[re.Match[str]]) -> bool:
        path = own if about is None else _path(about)
        entry = None if path is None else look(path)
        if path is not None and path not in known:
            known[path] = tokens(path, entry)
        tag = f'"{entry.etag}"' if entry and entry.etag else None
        return all(_is_met(stated, known.get(path, frozenset()), tag) for stated in listed)

    if not any(holds(about, listed) for about, listed in _lists(environ)):
        raise HttpError(HTTPStatus.PRECONDITION_FAILED, "The condition of the header If is not met.")


def _check_versions(environ: Environ, entry: Entry | None) -> None:
    if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        status = unmet(environ, entry) if entry else None
    elif entry is None:
        status = HTTPStatus.PRECONDITION_FAILED if "HTTP_IF_MATCH" in environ else None
    elif creates_only(environ):
        status = HTTPStatus.PRECONDITION_FAILED
    else:
        status = unmet({name: environ[name] for name in _OF_A_CHANGE if name in environ}, entry)
        status = status and HTTPStatus.PRECONDITION_FAILED
    if status is not None:
        raise HttpError(status, "What is there is not what the request is meant for.")


def _is_met(stated: re.Match[str], tokens: frozenset[str], tag: str | None) -> bool:
    found = stated["token"] in tokens if stated["token"] is not None else stated["tag"].strip() == tag
    return found is not bool(stated["no"])


def _lists(environ: Environ) -> Iterator[tuple[str | None, list[re.Match[str]]]]:
    """Yield the lists of an ``If``, each with the address that it is about; None for that of the request."""
    about: str | None = None
    for part in _PART.finditer(environ.get("HTTP_IF", "")):
        if part["listed"] is None:
            about = part["about"]
        else:
            yield about, list(_STATED.finditer(part["listed"]))


def _path(address: str) -> Path | None:
    """Return the path of an address, whatever host a proxy made of it; None where it can be nothing of the drive's."""
    try:
        path = paths.decoded(unquote_to_bytes(urlsplit(address).path.encode("latin-1")).decode("latin-1"))
    except (ValueError, BadName):
        return None
    return paths.segments(path) if path.startswith("/") else None
