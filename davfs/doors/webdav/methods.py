"""PUT, DELETE, MKCOL, COPY, MOVE, LOCK and OPTIONS on the drive; PROPPATCH and UNLOCK are WsgiDAV's own.

WsgiDAV copies, moves and deletes folders file by file; where a provider does it in one step, it answers 204 even if
something new was made (RFC 4918 §9.8.5, §9.9.4). It loses what follows a ``?`` or ``;`` in the name of a destination,
and keeps a thread waiting for the body of a PUT. Here the drive does each change in one step, or not at all.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

from wsgidav.request_resolver import RequestResolver
from wsgidav.request_server import RequestServer

from davfs.audit.record import Client
from davfs.doors.webdav import conditions, paths
from davfs.doors.webdav.access_records import client_of
from davfs.doors.webdav.body_buffer import body_xml, check_no_body
from davfs.doors.webdav.context import READING_METHODS, Environ, StartResponse, access_of, path_of, user_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.provider import DriveProvider
from davfs.doors.webdav.request_headers import destination, is_deep, may_replace
from davfs.doors.webdav.responses import send_empty
from davfs.doors.webdav.upload_body import announced_length, copy_body
from davfs.doors.webdav.upload_headers import DATE_ACCEPTED, UploadHeaders, change_date, remember
from davfs.doors.webdav.validators import entity_tag
from davfs.entry import Entry, Path
from davfs.errors import AlreadyExists
from davfs.imports.report import reported_imports


class MethodDispatcher(RequestResolver):
    """Calls the handler of a request's method; the last of the middlewares."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        response: Iterable[bytes] = DriveMethods(environ["wsgidav.provider"])(environ, start_response)
        return response


class DriveMethods(RequestServer):
    """Handlers of WebDAV's methods.

    Args:
        provider: Finds resources and their locks.
    """

    def __init__(self, provider: DriveProvider) -> None:
        super().__init__(provider)
        self._provider = provider
        self._drive = provider.context.drive

    def do_OPTIONS(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Answer OPTIONS; for a read-only drive without locks and without methods that change something."""
        start = _read_only(start_response) if self._drive.is_read_only else start_response
        response: Iterable[bytes] = super().do_OPTIONS(environ, start)
        return response

    def do_PUT(self, environ: Environ, start_response: StartResponse) -> Iterator[bytes]:  # noqa: N802  WsgiDAV's
        """Store a file (RFC 4918 §9.7); yield an empty block whenever more of the body has to be waited for."""
        path = path_of(environ)
        with ExitStack() as writing:
            with self._provider.one_look(path):
                found = self._check_put(path, environ)
                writing.enter_context(self._provider.being_written(path, environ))
            told = UploadHeaders.of(environ)
            stored, has_date = yield from self._store(path, environ, told)
        headers = [("ETag", entity_tag(stored))] if stored.etag else []
        headers += [DATE_ACCEPTED] if has_date else []
        yield from send_empty(start_response, _status(replaced=found is not None), headers)

    def do_DELETE(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Delete a file, or a folder with everything in it (RFC 4918 §9.6)."""
        path = path_of(environ)
        found = self._provider.find(path, environ)
        if found is None:
            self._check_conditions(environ)
            self._drive.delete(path, by=self._client(environ))  # which knows whether it was deleted a moment ago
            return send_empty(start_response, HTTPStatus.NO_CONTENT)
        check_no_body(environ)
        if not is_deep(environ, found):
            raise HttpError(HTTPStatus.BAD_REQUEST, "A folder can be deleted with everything in it only.")
        self._check_conditions(environ)
        self._provider.check_locks(path[:-1], environ)
        self._provider.check_locks(path, environ, deep=True)
        access_of(environ).foreseen(found, self._provider.context.audit)
        with self._provider.releasing_locks(path), self._paths_locked(environ, path):
            access_of(environ).deleted(self._drive.delete(path, by=self._client(environ)))
        return send_empty(start_response, HTTPStatus.NO_CONTENT)

    def do_MKCOL(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Make a folder (RFC 4918 §9.3)."""
        path = path_of(environ)
        self._check_conditions(environ)
        check_no_body(environ)
        if environ.get("HTTP_DEPTH", "0") != "0":
            raise HttpError(HTTPStatus.BAD_REQUEST, "The header Depth is not 0.")
        if self._provider.find(path, environ) is not None:
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "The name is taken.")
        self._check_parent(path, environ)
        self._provider.check_locks(path[:-1], environ)
        self._drive.make_folder(path, user=user_of(environ))
        return send_empty(start_response, HTTPStatus.CREATED)

    def do_COPY(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Copy a file or folder (RFC 4918 §9.8)."""
        path = path_of(environ)
        source, target = self._existing(path, environ), destination(environ)
        deep = is_deep(environ, source)
        replaced = self._check_target(target, environ)
        with self._paths_locked(environ, path, target), _reported(environ, source):
            self._drive.copy(path, target, replace=may_replace(environ), deep=deep)
            headers = change_date(self._drive, target, environ)
        return send_empty(start_response, _status(replaced=replaced), headers)

    def do_MOVE(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Move or rename a file or folder (RFC 4918 §9.9).

        What is moved out of the trash returns to where it was: ``Location`` names that place (RFC 9110 §10.2.2).
        """
        path = path_of(environ)
        source, target = self._existing(path, environ), destination(environ)
        if not is_deep(environ, source):
            raise HttpError(HTTPStatus.BAD_REQUEST, "A folder can be moved with everything in it only.")
        replaced = self._check_target(target, environ)
        self._provider.check_locks(path, environ, deep=True)
        self._provider.check_locks(path[:-1], environ)
        locked = self._paths_locked(environ, path, target)
        with self._provider.releasing_locks(path), locked, _reported(environ, source):
            moved = self._drive.move(path, target, replace=may_replace(environ), user=user_of(environ))
            headers = change_date(self._drive, target, environ) if moved == target else [_location(moved, source)]
        return send_empty(start_response, _status(replaced=replaced), headers)

    def do_LOCK(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802  WsgiDAV's
        """Grant or refresh a lock (RFC 4918 §9.10); refuse before an empty file is made for it (§9.10.4)."""
        if body_xml(environ) is None:
            self._provider.check_refresh(environ)
        else:
            self._provider.lock_manager.storage.check_quota(user_of(environ))
        response: Iterable[bytes] = super().do_LOCK(environ, start_response)
        return response

    def _client(self, environ: Environ) -> Client:
        return client_of(environ, self._provider.context)

    def _evaluate_if_headers(self, res: object, environ: Environ) -> None:  # noqa: ARG002  WsgiDAV's form
        """Check the conditions of a request, in place of WsgiDAV's method."""
        self._check_conditions(environ)

    def _check_conditions(self, environ: Environ) -> None:
        environ["wsgidav.ifLockTokenList"] = conditions.submitted_tokens(environ)
        environ["wsgidav.conditions.if"] = {}  # keeps WsgiDAV from parsing it
        self._provider.check_conditions(environ)

    def _check_put(self, path: Path, environ: Environ) -> Entry | None:
        """Check a PUT before its body is read, and return the file that it replaces; None for a new one."""
        found = self._provider.find(path, environ)
        if "HTTP_CONTENT_ENCODING" in environ:  # RFC 9110 §15.5.16
            raise HttpError(HTTPStatus.NOT_IMPLEMENTED, "The header Content-Encoding is not supported.")
        if "HTTP_CONTENT_RANGE" in environ:  # RFC 9110 §14.5
            raise HttpError(HTTPStatus.BAD_REQUEST, "The header Content-Range is not allowed with PUT.")
        if found and found.is_folder:
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "There is a folder of that name.")
        self._check_parent(path, environ)
        self._check_conditions(environ)
        self._provider.check_locks(path if found else path[:-1], environ)
        return found

    def _store(self, path: Path, environ: Environ, told: UploadHeaders) -> Generator[bytes, None, tuple[Entry, bool]]:
        """Receive the body of a PUT, and store it as a file; return also whether it has the date that was told."""
        size, received, report = announced_length(environ), told.start(), access_of(environ)
        with self._drive.receive(path, size, user=user_of(environ)) as upload:
            report.bytes = yield from copy_body(environ, upload, size, received)
            told.check(received)
            with self._paths_locked(environ, path), _reported(environ):
                self._provider.check_new_locks(path, environ)
                stored = upload.finish(replace=not conditions.creates_only(environ))
                has_date = remember(self._drive, path, told.record(stored, received), user_of(environ))
                report.done(stored)
        return stored, has_date

    @contextmanager
    def _paths_locked(self, environ: Environ, *changed: Path) -> Iterator[None]:
        """Lock paths against other requests, and check the conditions of this one again.

        Raises:
            HttpError: A condition is not met any more, or a name that has to be free is taken (RFC 4918 §9.8.5).
        """
        with self._provider.path_locks.hold(*changed):
            self._provider.check_conditions(environ)
            try:
                yield
            except AlreadyExists as error:
                raise HttpError(HTTPStatus.PRECONDITION_FAILED, "The name is taken.") from error

    def _check_target(self, target: Path, environ: Environ) -> bool:
        """Check conditions, and locks at the target of a COPY or MOVE; return True if something is there."""
        replace = may_replace(environ)
        self._check_parent(target, environ)
        is_taken = self._provider.find(target, environ) is not None
        self._check_conditions(environ)
        if not is_taken:
            self._provider.check_locks(target[:-1], environ)
            return False
        self._provider.check_locks(target, environ, deep=True)
        if not replace:
            raise HttpError(HTTPStatus.PRECONDITION_FAILED, "The name is taken.")
        return True

    def _check_parent(self, path: Path, environ: Environ) -> None:
        parent = self._provider.find(path[:-1], environ)
        if parent is None or not parent.is_folder:
            raise HttpError(HTTPStatus.CONFLICT, "The folder that should hold it does not exist.")

    def _existing(self, path: Path, environ: Environ) -> Entry:
        found = self._provider.find(path, environ)
        if found is None:
            raise HttpError(HTTPStatus.NOT_FOUND, "There is nothing of that name.")
        return found


@contextmanager
def _reported(environ: Environ, source: Entry | None = None) -> Iterator[None]:
    """Report a change, of an entry if there is one, and what was imported by it."""
    report = access_of(environ)
    with reported_imports() as imported:
        try:
            yield
            report.done(source)
        finally:
            report.imported(imported)


def _location(path: Path, entry: Entry) -> tuple[str, str]:
    """Return the header that names where something is now (RFC 9110 §10.2.2)."""
    return "Location", paths.quoted(path, folder=entry.is_folder)


def _status(*, replaced: bool) -> HTTPStatus:
    return HTTPStatus.NO_CONTENT if replaced else HTTPStatus.CREATED


def _read_only(start_response: StartResponse) -> StartResponse:
    """Remove changes from a response to OPTIONS; without class 2, Finder mounts read-only."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
        kept = dict(headers) | {"DAV": "1"}
        kept["Allow"] = ", ".join(method for method in kept.get("Allow", "").split(", ") if method in READING_METHODS)
        return start_response(status, list(kept.items()), exc_info)

    return start
