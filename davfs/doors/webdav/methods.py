"""What WsgiDAV does for each method, and COPY and MOVE as the drive does them: each in one step, or not at all.

WsgiDAV's own take a folder apart, file by file; where a provider does it in one step, they answer 204 even if something
new was made (RFC 4918 §9.8.5, §9.9.4); and they lose what follows a ``?`` or ``;`` in the name of the destination.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

from wsgidav.request_resolver import RequestResolver
from wsgidav.request_server import RequestServer
from wsgidav.util import send_status_response

from davfs.doors.webdav import conditions, paths
from davfs.doors.webdav.body_buffer import body_xml
from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import HttpError, as_http_errors
from davfs.doors.webdav.request_headers import destination
from davfs.doors.webdav.resources import FileResource, FolderResource, check_conditions
from davfs.doors.webdav.uploads import announced
from davfs.entry import Path

Start = Callable[..., Any]
Resource = FileResource | FolderResource
_BLOCK = 256 * 1024
"""Bytes of an upload that are written at once."""
_READING = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND"})


class MethodDispatcher(RequestResolver):
    """The last of the middlewares."""

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        answer: Iterable[bytes] = Methods(environ["wsgidav.provider"])(environ, start_response)
        return answer


class Methods(RequestServer):
    """Answers requests about the resources of a provider."""

    _davProvider: Any  # noqa: N815  WsgiDAV's

    def do_OPTIONS(self, environ: Environ, start_response: Start) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer OPTIONS; where nothing can be changed, without the methods that do so, and without locks."""
        start = _reading_alone(start_response) if self._davProvider.drive.is_read_only else start_response
        answer: Iterable[bytes] = super().do_OPTIONS(environ, start)
        return answer

    def do_COPY(self, environ: Environ, start_response: Start) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer COPY (RFC 4918 §9.8)."""
        source, target = self._source(environ), destination(environ)
        deep = _is_deep(environ, source)
        replaced = self._checked(environ, source, target)
        source.copy_to(target, deep=deep, replace=_may_replace(environ))
        return _done(environ, start_response, replaced=replaced)

    def do_MOVE(self, environ: Environ, start_response: Start) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer MOVE (RFC 4918 §9.9)."""
        source, target = self._source(environ), destination(environ)
        if not _is_deep(environ, source):
            raise HttpError(HTTPStatus.BAD_REQUEST, "A folder can be moved with all that is in it alone.")
        replaced = self._checked(environ, source, target)
        self._davProvider.check_locks(source.segments, environ, deep=True)
        self._davProvider.check_locks(source.segments[:-1], environ, deep=False)
        source.move_to(target, replace=_may_replace(environ))
        return _done(environ, start_response, replaced=replaced)

    def do_DELETE(self, environ: Environ, start_response: Start) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer DELETE (RFC 4918 §9.6); of what is gone, the drive knows whether that is what was wanted."""
        path = paths.segments(environ["PATH_INFO"])
        if self._found(path, environ) is None:
            self._evaluate_if_headers(None, environ)
            with as_http_errors():
                self._davProvider.drive.delete(path)
            return _done(environ, start_response, replaced=True)
        answer: Iterable[bytes] = super().do_DELETE(environ, start_response)
        return answer

    def do_PUT(self, environ: Environ, start_response: Start) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer PUT (RFC 4918 §9.7), as WsgiDAV does, but without waiting for the body."""
        found = self._found(paths.segments(environ["PATH_INFO"]), environ)
        target = self._target(found, environ)
        with self._write_transaction(target, environ), as_http_errors():
            yield from _received(target, environ)
        etag = target.get_etag()
        headers = [("ETag", f'"{etag}"')] if etag else None
        send = partial(send_status_response, e=_status(replaced=found is not None), add_headers=headers)
        yield from _without_page(send, environ, start_response)

    def do_MKCOL(self, environ: Environ, start_response: Start) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer MKCOL (RFC 4918 §9.3); WsgiDAV looks at no condition."""
        self._evaluate_if_headers(None, environ)
        return _without_page(super().do_MKCOL, environ, start_response)

    def do_LOCK(self, environ: Environ, start_response: Start) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer LOCK (RFC 4918 §9.10); what would be refused is refused before a file is made for it (§9.10.4)."""
        if body_xml(environ) is not None:  # or it refreshes a lock that is there
            self._davProvider.lock_manager.storage.check_room(environ["wsgidav.user_name"])
        answer: Iterable[bytes] = super().do_LOCK(environ, start_response)
        return answer

    def _evaluate_if_headers(self, res: Resource | None, environ: Environ) -> None:  # noqa: ARG002  WsgiDAV's form
        """Check the conditions of a request, all of which are about its own path, or name another one."""
        environ["wsgidav.ifLockTokenList"] = conditions.submitted(environ)
        environ["wsgidav.conditions.if"] = {}  # tells WsgiDAV that it has been parsed
        check_conditions(self._davProvider, environ)

    def _target(self, found: Resource | None, environ: Environ) -> FileResource:
        """Return the file that a PUT writes, once it may be written."""
        path = paths.segments(environ["PATH_INFO"])
        parent = self._found(path[:-1], environ) if path else None
        _check_content(environ)
        if isinstance(found, FolderResource):
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "There is a folder of that name.")
        if not isinstance(parent, FolderResource):
            raise HttpError(HTTPStatus.CONFLICT, "The folder that should hold it does not exist.")
        self._evaluate_if_headers(found, environ)
        self._check_write_permission(found or parent, "0", environ)
        return found or parent.create_empty_resource(path[-1])

    def _source(self, environ: Environ) -> Resource:
        found = self._found(paths.segments(environ["PATH_INFO"]), environ)
        if found is None:
            raise HttpError(HTTPStatus.NOT_FOUND, "There is nothing of that name.")
        return found

    def _found(self, path: Path, environ: Environ) -> Resource | None:
        found: Resource | None = self._davProvider.get_resource_inst(paths.joined(path), environ)
        return found

    def _checked(self, environ: Environ, source: Resource, target: Path) -> bool:
        """Check the conditions of a request, and locks at its target; return whether something is there."""
        may_replace = _may_replace(environ)
        parent = self._found(target[:-1], environ)
        if parent is None or not parent.is_collection:
            raise HttpError(HTTPStatus.CONFLICT, "The folder that should hold it does not exist.")
        there = self._found(target, environ)
        self._evaluate_if_headers(source, environ)
        if there is None:
            self._davProvider.check_locks(parent.segments, environ, deep=False)
        else:
            self._davProvider.check_locks(target, environ, deep=True)
            if not may_replace:
                raise HttpError(HTTPStatus.PRECONDITION_FAILED, "The name is taken.")
        return there is not None


def _check_content(environ: Environ) -> None:
    """Refuse content that is not to be stored as it comes (RFC 9110 §14.5, §15.5.16)."""
    if "HTTP_CONTENT_ENCODING" in environ:
        raise HttpError(HTTPStatus.NOT_IMPLEMENTED, "The header Content-Encoding is not supported.")
    if "HTTP_CONTENT_RANGE" in environ:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Content-Range is not allowed with PUT.")


def _received(target: FileResource, environ: Environ) -> Iterator[bytes]:
    """Write the body of a request; yield an empty block whenever more of it has to be waited for."""
    stored = False
    buffer = memoryview(bytearray(min(announced(environ) or _BLOCK, _BLOCK)))
    try:
        sink = target.begin_write(content_type=environ.get("CONTENT_TYPE"))
        while (count := _next_block(environ, buffer)) != 0:
            if count is None:
                yield b""
            else:
                sink.write(buffer[:count])
        sink.close()
        stored = True
    finally:
        target.end_write(with_errors=not stored)


def _next_block(environ: Environ, buffer: memoryview) -> int | None:
    """Fill a buffer with a part of a body, and return how many bytes that are; None where nothing has come yet."""
    try:
        count: int = environ["wsgi.input"].readinto(buffer)
    except BlockingIOError:
        return None
    return count


def _may_replace(environ: Environ) -> bool:
    """Return what ``Overwrite`` says; Finder sends none (RFC 4918 §10.6)."""
    overwrite = environ.get("HTTP_OVERWRITE", "T").upper()
    if overwrite not in ("T", "F"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Overwrite is neither T nor F.")
    return bool(overwrite == "T")


def _is_deep(environ: Environ, source: Resource) -> bool:
    """Return whether a folder is meant with all that is in it (RFC 4918 §9.8.3); a file has nothing in it."""
    depth = environ.get("HTTP_DEPTH", "infinity").lower()
    if depth not in ("0", "infinity"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Depth is neither 0 nor infinity.")
    return bool(depth == "infinity") or not source.is_collection


def _done(environ: Environ, start_response: Start, *, replaced: bool) -> Iterable[bytes]:
    return _without_page(partial(send_status_response, e=_status(replaced=replaced)), environ, start_response)


def _status(*, replaced: bool) -> HTTPStatus:
    return HTTPStatus.NO_CONTENT if replaced else HTTPStatus.CREATED


def _reading_alone(start_response: Start) -> Start:
    """Leave out of an answer to OPTIONS what changes anything; without class 2, Finder mounts read-only."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
        told = dict(headers) | {"DAV": "1"}
        told["Allow"] = ", ".join(method for method in told.get("Allow", "").split(", ") if method in _READING)
        return start_response(status, list(told.items()), exc_info)

    return start


def _without_page(method: Callable[..., Any], environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Let WsgiDAV answer, and leave out the page that says what its status says too, with its version and its time."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
        kept = [(name, value) for name, value in headers if name not in ("Content-Type", "Content-Length")]
        return start_response(status, [*kept, ("Content-Length", "0")], exc_info)

    method(environ, start_response=start)
    return [b""]
