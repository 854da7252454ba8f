"""What WsgiDAV does for each method, and COPY and MOVE as the drive does them: each in one step, or not at all.

WsgiDAV's own take a folder apart, file by file; where a provider does it in one step, they answer 204 even if something
new was made (RFC 4918 §9.8.5, §9.9.4); and they lose what follows a ``?`` or ``;`` in the name of the destination.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from wsgidav.request_resolver import RequestResolver
from wsgidav.request_server import RequestServer
from wsgidav.util import send_status_response

from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.headers import destination
from davfs.doors.webdav.refusals import Refusal
from davfs.doors.webdav.resources import FileResource, FolderResource
from davfs.entry import Path

Start = Callable[..., Any]
Resource = FileResource | FolderResource


class Resolver(RequestResolver):
    """The last of the middlewares."""

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        asterisk = environ["PATH_INFO"] == "*"
        answer: Iterable[bytes] = (super().__call__ if asterisk else Methods(environ["wsgidav.provider"]))(
            environ, start_response
        )
        return answer


class Methods(RequestServer):
    """Answers requests about the resources of a provider."""

    _davProvider: Any  # noqa: N815  WsgiDAV's

    def do_COPY(self, environ: Environ, start_response: Start) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer COPY (RFC 4918 §9.8)."""
        source, target = self._source(environ), destination(environ)
        deep = _is_deep(environ, source)
        replaced = self._checked(environ, source, target)
        source.copy_to(target, deep=deep)
        return _done(environ, start_response, replaced=replaced)

    def do_MOVE(self, environ: Environ, start_response: Start) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer MOVE (RFC 4918 §9.9)."""
        source, target = self._source(environ), destination(environ)
        if not _is_deep(environ, source):
            raise Refusal(HTTPStatus.BAD_REQUEST, "A folder can be moved with all that is in it alone.")
        replaced = self._checked(environ, source, target)
        self._check_write_permission(source, "infinity", environ)
        self._check_write_permission(self._found(source.segments[:-1], environ), "0", environ)
        source.move_to(target)
        return _done(environ, start_response, replaced=replaced)

    def _source(self, environ: Environ) -> Resource:
        found = self._found(paths.segments(environ["PATH_INFO"]), environ)
        if found is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "There is nothing of that name.")
        return found

    def _found(self, path: Path, environ: Environ) -> Resource | None:
        found: Resource | None = self._davProvider.get_resource_inst(paths.joined(path), environ)
        return found

    def _checked(self, environ: Environ, source: Resource, target: Path) -> bool:
        """Check the conditions of a request, and locks at its target; return whether something is there."""
        may_replace = _may_replace(environ)
        parent = self._found(target[:-1], environ)
        if parent is None or not parent.is_collection:
            raise Refusal(HTTPStatus.CONFLICT, "The folder that should hold it does not exist.")
        there = self._found(target, environ)
        self._evaluate_if_headers(source, environ)
        self._evaluate_if_headers(there, environ)
        if there is None:
            self._check_write_permission(parent, "0", environ)
        else:
            self._check_write_permission(there, "infinity", environ)
            if not may_replace:
                raise Refusal(HTTPStatus.PRECONDITION_FAILED, "The name is taken.")
        return there is not None


def _may_replace(environ: Environ) -> bool:
    """Return what ``Overwrite`` says; Finder sends none (RFC 4918 §10.6)."""
    overwrite = environ.get("HTTP_OVERWRITE", "T").upper()
    if overwrite not in ("T", "F"):
        raise Refusal(HTTPStatus.BAD_REQUEST, "The header Overwrite is neither T nor F.")
    return bool(overwrite == "T")


def _is_deep(environ: Environ, source: Resource) -> bool:
    """Return whether a folder is meant with all that is in it (RFC 4918 §9.8.3); a file has nothing in it."""
    depth = environ.get("HTTP_DEPTH", "infinity").lower()
    if depth not in ("0", "infinity"):
        raise Refusal(HTTPStatus.BAD_REQUEST, "The header Depth is neither 0 nor infinity.")
    return bool(depth == "infinity") or not source.is_collection


def _done(environ: Environ, start_response: Start, *, replaced: bool) -> Iterable[bytes]:
    status = HTTPStatus.NO_CONTENT if replaced else HTTPStatus.CREATED
    answer: Iterable[bytes] = send_status_response(environ, start_response, status)
    return answer
