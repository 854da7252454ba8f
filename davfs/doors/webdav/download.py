"""GET and HEAD of files, past WsgiDAV: it would copy all bytes, and does not know ``If-Range`` with a date.

Everything else, folders among it, goes on to the next application.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

from wsgidav.mw.base_mw import BaseMiddleware
from wsgidav.util import send_status_response

from davfs import media_types
from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ, context_of, user_of
from davfs.doors.webdav.http_errors import to_http_error
from davfs.doors.webdav.range_header import RangeNotSatisfiable, part
from davfs.doors.webdav.validators import CONDITIONS, entity_tag, http_date, same_version, unmet
from davfs.entry import Content, Entry, Path
from davfs.errors import DavfsError, IsAFolder

_SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a file that is shown may do: nothing. Browsers show no PDF in a sandbox, and run none in this origin."""

Start = Callable[..., Any]
Answer = Iterable[bytes | memoryview]


class Incomplete(Exception):
    """A file ended before its announced length: the connection has to break, so that the client notices."""


class Download(BaseMiddleware):
    """Answers GET and HEAD of files; a middleware of WsgiDAV."""

    def __call__(self, environ: Environ, start_response: Start) -> Answer:
        """Answer a request, or let the next application do so."""
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD") or "HTTP_IF" in environ:
            return self._passed_on(environ, start_response)
        path = paths.segments(environ["PATH_INFO"])
        try:
            if method == "HEAD":
                return self._head(environ, start_response, path)
            return self._get(environ, start_response, path)
        except IsAFolder:
            return self._passed_on(environ, start_response)
        except DavfsError as error:
            found: Answer = send_status_response(
                environ, start_response, to_http_error(error), is_head=method == "HEAD"
            )
            return found

    def _passed_on(self, environ: Environ, start_response: Start) -> Answer:
        answer: Answer = self.next_app(environ, start_response)
        return answer

    def _head(self, environ: Environ, start_response: Start, path: Path) -> Answer:
        """Describe a file without a look at its bytes; ``Range`` means nothing here (RFC 9110 §14.2)."""
        entry = context_of(self.config).drive.stat(path)
        if entry.is_folder:
            raise IsAFolder(path, "it is a folder")
        if (status := unmet(environ, entry)) is not None:
            return _without_content(start_response, status, entry)
        _start(start_response, HTTPStatus.OK, entry, entry.size)
        return []

    def _get(self, environ: Environ, start_response: Start, path: Path) -> Answer:
        context = context_of(self.config)
        if any(header in environ for header in CONDITIONS):
            entry = context.drive.stat(path)
            if not entry.is_folder and (status := unmet(environ, entry)) is not None:
                return _without_content(start_response, status, entry)
        with ExitStack() as open_content:
            content = open_content.enter_context(context.drive.read(path))
            chosen = _started(environ, start_response, content.entry)
            if chosen is None:
                return []
            context.audit(user_of(environ), "read", content.entry.resource, "done")
            return Part(content, *chosen, open_content.pop_all())


class Part:
    """A part of a file, as WSGI iterates over it.

    Args:
        content: Its bytes.
        start: The first of them.
        stop: The one behind the last.
        ends: Closes the content.
    """

    def __init__(self, content: Content, start: int, stop: int, ends: ExitStack) -> None:
        self._content = content
        self._start = start
        self._stop = stop
        self.close = ends.close

    def __iter__(self) -> Iterator[memoryview]:
        missing = self._stop - self._start
        if not missing:
            return
        for block in self._content.buffers(self._start, self._stop):
            missing -= block.nbytes
            yield block
        if missing:
            raise Incomplete


def _started(environ: Environ, start_response: Start, entry: Entry) -> tuple[int, int] | None:
    """Start the answer to a GET, and return which bytes are to follow; None for none."""
    if (status := unmet(environ, entry)) is not None:  # it can have been replaced since it was looked at
        _without_content(start_response, status, entry)
        return None
    try:
        chosen = _chosen(environ, entry)
    except RangeNotSatisfiable:
        _start(start_response, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, entry, 0, f"bytes */{entry.size}")
        return None
    if chosen is None:
        _start(start_response, HTTPStatus.OK, entry, entry.size)
        return 0, entry.size
    start, stop = chosen
    _start(start_response, HTTPStatus.PARTIAL_CONTENT, entry, stop - start, f"bytes {start}-{stop - 1}/{entry.size}")
    return chosen


def _chosen(environ: Environ, entry: Entry) -> tuple[int, int] | None:
    asked = environ.get("HTTP_RANGE")
    if asked is None:
        return None
    version = environ.get("HTTP_IF_RANGE")
    if version is not None and not same_version(version, entry):
        return None
    return part(asked, entry.size)


def _start(start_response: Start, status: HTTPStatus, entry: Entry, length: int, place: str = "") -> None:
    headers = [("Content-Length", str(length)), *_validators(entry), ("Accept-Ranges", "bytes")]
    if status is not HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        headers += _kind(media_types.safe_media_type(entry.media_type))
    if place:
        headers.append(("Content-Range", place))
    start_response(f"{status.value} {status.phrase}", headers)


def _kind(media_type: str) -> list[tuple[str, str]]:
    """Return what tells a browser how to show a file: one that was uploaded must not act in the drive's own name."""
    kind = ("Content-Type", media_type)
    if media_type in media_types.SAVED:
        return [kind, ("Content-Disposition", "attachment")]
    return [kind] if media_type == media_types.PDF else [kind, ("Content-Security-Policy", _SANDBOX)]


def _without_content(start_response: Start, status: HTTPStatus, entry: Entry) -> Answer:
    length = entry.size if status is HTTPStatus.NOT_MODIFIED else 0  # that of the content not sent (RFC 9110 §8.6)
    start_response(f"{status.value} {status.phrase}", [("Content-Length", str(length)), *_validators(entry)])
    return []


def _validators(entry: Entry) -> list[tuple[str, str]]:
    headers = [("Last-Modified", http_date(entry.modified))]
    if entry.etag:
        headers.append(("ETag", entity_tag(entry)))
    return headers
