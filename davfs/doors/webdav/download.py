"""GET and HEAD of files.

WsgiDAV would copy all bytes, and does not know ``If-Range`` with a date. Folders go on to the next application.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import TypeAlias

from wsgidav.mw.base_mw import BaseMiddleware

from davfs import media_types
from davfs.dates import http_date
from davfs.doors.webdav import digests
from davfs.doors.webdav.context import PROVIDER, Environ, StartResponse, access_of, context_of, path_of
from davfs.doors.webdav.file_range import FileRange
from davfs.doors.webdav.range_header import RangeNotSatisfiable, parse_range
from davfs.doors.webdav.validators import CONDITIONS, entity_tag, same_version, unmet
from davfs.entry import Content, Entry, Path
from davfs.errors import IsAFolder, Unavailable
from davfs.filesystem.drive import Drive

_ATTEMPTS = 3
_SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Content-Security-Policy of files that are shown. Browsers show no PDF in a sandbox, and run none in this origin."""

ResponseBody: TypeAlias = Iterable[bytes | memoryview | FileRange]


class IncompleteFile(Exception):
    """A file ended before its announced length: the connection has to break, so that the client notices."""


class FileDownload(BaseMiddleware):
    """Answers GET and HEAD of files."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> ResponseBody:
        """Answer a request, or pass it on."""
        method, path = environ["REQUEST_METHOD"], path_of(environ)
        try:
            if method == "GET":
                return self._get(environ, start_response, path)
            if method == "HEAD":
                return self._head(environ, start_response, path)
        except IsAFolder:
            pass
        response: ResponseBody = self.next_app(environ, start_response)
        return response

    def _head(self, environ: Environ, start_response: StartResponse, path: Path) -> ResponseBody:
        """Answer without opening the file; ``Range`` is ignored (RFC 9110 §14.2)."""
        entry = self._stat(environ, path)
        if entry.is_folder:
            raise IsAFolder(path, "it is a folder")
        if (status := unmet(environ, entry)) is not None:
            return _without_content(start_response, status, entry)
        _start(self._with_digests(environ, start_response, entry), HTTPStatus.OK, entry, entry.size)
        return []

    def _get(self, environ: Environ, start_response: StartResponse, path: Path) -> ResponseBody:
        context = context_of(self.config)
        if "HTTP_IF" in environ or any(header in environ for header in CONDITIONS):
            entry = self._stat(environ, path)
            if not entry.is_folder and (status := unmet(environ, entry)) is not None:
                return _without_content(start_response, status, entry)
        with ExitStack() as open_content:
            content = _opened(environ, context.drive, path, open_content)
            chosen = _started(environ, self._with_digests(environ, start_response, content.entry), content.entry)
            if chosen is None:
                return []
            access_of(environ).opened(path, content)
            return FilePart(content, *chosen, open_content.pop_all())

    def _with_digests(self, environ: Environ, start_response: StartResponse, entry: Entry) -> StartResponse:
        """Add the wanted digests of a file to the headers of a response that sends it, or a part of it."""
        if not digests.are_wanted(environ):
            return start_response
        known = context_of(self.config).drive.checksums(path_of(environ)[:-1], [entry]).get(entry.name, {})
        added = list(digests.digest_headers(environ, known))

        def start(status: str, headers: list[tuple[str, str]]) -> object:
            sent = added if status.startswith(("200", "206")) else []
            return start_response(status, [*headers, *sent])

        return start

    def _stat(self, environ: Environ, path: Path) -> Entry:
        """Return an entry; of a file, the request's ``If`` is checked (RFC 4918 §10.4)."""
        entry = context_of(self.config).drive.stat(path)
        if not entry.is_folder:
            environ[PROVIDER].check_if(environ)
        return entry


def _opened(environ: Environ, drive: Drive, path: Path, closing: ExitStack) -> Content:
    """Open a file, which the stack closes.

    If the client relies on the file's version, its entity tag and its digest are those of the bytes that are open.

    Otherwise an image that is replaced at this moment can be sent under the entity tag of the former one, which costs a
    client nothing but another download. It is not looked up again each time, for that costs a request.

    Raises:
        Unavailable: It was replaced each time.
    """
    has_condition = "HTTP_IF_RANGE" in environ or "HTTP_IF_MATCH" in environ
    for _ in range(_ATTEMPTS):
        with ExitStack() as opened:
            content = opened.enter_context(drive.read(path))
            if not (has_condition or digests.are_wanted(environ)) or drive.is_current(path, content.entry):
                closing.push(opened.pop_all())
                return content
    raise Unavailable("it was replaced again and again while it was opened")


class FilePart:
    """A part of a file as the body of a WSGI response.

    Args:
        content: The open file.
        start: Offset of the first byte.
        stop: Offset behind the last byte.
        closing: Closes the file.
    """

    def __init__(self, content: Content, start: int, stop: int, closing: ExitStack) -> None:
        self._content = content
        self._start = start
        self._stop = stop
        self.close = closing.close

    def __iter__(self) -> Iterator[memoryview | FileRange]:
        missing = self._stop - self._start
        if not missing:
            return
        descriptor: int | None = getattr(self._content, "descriptor", None)
        if descriptor is not None:
            yield FileRange(descriptor, self._start, self._stop)
            return
        for block in self._content.buffers(self._start, self._stop):
            missing -= block.nbytes
            yield block
        if missing:
            raise IncompleteFile


def _started(environ: Environ, start_response: StartResponse, entry: Entry) -> tuple[int, int] | None:
    """Start the response to a GET, and return the range of bytes to send; None for no content."""
    if (status := unmet(environ, entry)) is not None:  # it can have been replaced since the first look-up
        _without_content(start_response, status, entry)
        return None
    try:
        chosen = _requested_range(environ, entry)
    except RangeNotSatisfiable:
        _start(start_response, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, entry, 0, f"bytes */{entry.size}")
        return None
    if chosen is None:
        _start(start_response, HTTPStatus.OK, entry, entry.size)
        return 0, entry.size
    start, stop = chosen
    _start(start_response, HTTPStatus.PARTIAL_CONTENT, entry, stop - start, f"bytes {start}-{stop - 1}/{entry.size}")
    return chosen


def _requested_range(environ: Environ, entry: Entry) -> tuple[int, int] | None:
    header, version = environ.get("HTTP_RANGE"), environ.get("HTTP_IF_RANGE")
    if header is None or (version is not None and not same_version(version, entry)):
        return None
    return parse_range(header, entry.size)


def _start(
    start_response: StartResponse, status: HTTPStatus, entry: Entry, length: int, content_range: str = ""
) -> None:
    headers = [("Content-Length", str(length)), *_validators(entry), ("Accept-Ranges", "bytes")]
    if status is not HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        headers += _type_headers(media_types.safe_media_type(entry.media_type))
    if content_range:
        headers.append(("Content-Range", content_range))
    start_response(f"{status.value} {status.phrase}", headers)


def _type_headers(media_type: str) -> list[tuple[str, str]]:
    """Return the headers by which a browser shows or saves a file, and runs nothing of it in the drive's origin."""
    content_type = ("Content-Type", media_type)
    if media_type in media_types.SAVED:
        return [content_type, ("Content-Disposition", "attachment")]
    return [content_type] if media_type == media_types.PDF else [content_type, ("Content-Security-Policy", _SANDBOX)]


def _without_content(start_response: StartResponse, status: HTTPStatus, entry: Entry) -> ResponseBody:
    length = entry.size if status is HTTPStatus.NOT_MODIFIED else 0  # that of the content not sent (RFC 9110 §8.6)
    start_response(f"{status.value} {status.phrase}", [("Content-Length", str(length)), *_validators(entry)])
    return []


def _validators(entry: Entry) -> list[tuple[str, str]]:
    headers = [("Last-Modified", http_date(entry.modified))]
    if entry.etag:
        headers.append(("ETag", entity_tag(entry)))
    return headers
