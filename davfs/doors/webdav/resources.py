"""The drive's files and folders, as WsgiDAV wants to see them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element

from wsgidav.dav_provider import DAVCollection, DAVNonCollection

from davfs import media_types
from davfs.doors.webdav import conditions, paths
from davfs.doors.webdav.conditions import creates_only
from davfs.doors.webdav.contents import ContentFile
from davfs.doors.webdav.context import Context, Environ, context_of, user_of
from davfs.doors.webdav.http_errors import HttpError, as_http_errors
from davfs.doors.webdav.uploads import Sink, announced
from davfs.entry import Entry, EntryKind, Path
from davfs.errors import AlreadyExists
from davfs.filesystem.area import Upload

_WIN32 = "{urn:schemas-microsoft-com:}"


class _Resource:
    """What files and folders have in common; goes before WsgiDAV's own class."""

    environ: Environ
    provider: Any
    context: Context
    segments: Path
    entry: Entry

    def get_ref_url(self) -> str:
        """Return the key for locks and properties."""
        url: str = self.provider.ref_url(self.segments, folder=self.entry.is_folder)
        return url

    def get_last_modified(self) -> float:
        return self.entry.modified.timestamp()

    def support_etag(self) -> bool:
        return bool(self.entry.etag)

    def get_etag(self) -> str | None:
        return self.entry.etag or None

    def prevent_locking(self) -> bool:
        """Refuse locks where nothing can be written, and of inbox/ itself, where everybody writes."""
        return len(self.segments) <= 1 or not self._is_writable()

    def _is_writable(self) -> bool:
        return self.context.drive.takes_files(self.segments if self.entry.is_folder else self.segments[:-1])

    def set_property_value(self, name: str, value: object, *, dry_run: bool = False) -> object:
        """Accept what Explorer sets after each upload, and keep dead properties where files can be written.

        Raises:
            DAVError: The property is protected, or nothing is kept here.
        """
        if name.startswith(_WIN32):
            return True
        if not self._is_writable():
            raise HttpError(HTTPStatus.FORBIDDEN, "Properties can be set in inbox/ only.")
        if isinstance(value, Element):
            value.tail = None  # what follows it in the request is none of its own
        return super().set_property_value(name, value, dry_run=dry_run)  # type: ignore[misc]  # WsgiDAV's

    def handle_delete(self) -> bool:
        """Delete it with all that is in it, unless somebody else holds a lock on a part."""
        self.provider.check_locks(self.segments, self.environ, deep=True)
        with self._losing_locks(), as_http_errors(), self._turn(self.segments):
            resource = self.context.drive.delete(self.segments)
        self.context.audit(user_of(self.environ), "delete", resource, "done")
        return True

    def move_to(self, target: Path, *, replace: bool) -> None:
        """Give it another path; ``replace`` tells whether in place of what is there."""
        with self._losing_locks(), _not_taken(), self._turn(self.segments, target):
            self.context.drive.move(self.segments, target, replace=replace)
        self.context.audit(user_of(self.environ), "move", self.entry.resource, "done")

    def copy_to(self, target: Path, *, deep: bool, replace: bool) -> None:
        """Copy it, ``deep`` with all that is in it; ``replace`` tells whether in place of what is there."""
        with _not_taken(), self._turn(self.segments, target):
            self.context.drive.copy(self.segments, target, replace=replace, deep=deep)
        self.context.audit(user_of(self.environ), "copy", self.entry.resource, "done")

    @contextmanager
    def _turn(self, *changed: Path) -> Iterator[None]:
        """Change paths while nobody else does, if the conditions of the request still are met then."""
        with self.provider.path_locks.hold(*changed):
            check_conditions(self.provider, self.environ)
            yield

    @contextmanager
    def _losing_locks(self) -> Iterator[None]:
        """Drop the locks that it has now, and not those of what takes its place as soon as it is gone."""
        manager = self.provider.lock_manager
        held = manager.get_url_lock_list(self.get_ref_url(), recursive=True)
        yield
        for lock in held:
            manager.release(lock["token"])


class FileResource(_Resource, DAVNonCollection):
    """A file.

    Args:
        path: Its segments.
        environ: The request.
        entry: What is there; for a file that is only being written, its name alone.
    """

    def __init__(self, path: Path, environ: Environ, entry: Entry) -> None:
        super().__init__(paths.joined(path), environ)
        self.segments = path
        self.entry = entry
        self.context = context_of(environ["wsgidav.config"])
        self._sink: Sink | None = None

    def get_content_length(self) -> int:
        return self.entry.size

    def get_content_type(self) -> str:
        return media_types.safe_media_type(self.entry.media_type)

    def support_ranges(self) -> bool:
        return True

    def get_content(self) -> ContentFile:
        with as_http_errors():
            content = self.context.drive.read(self.segments)
        self.context.audit(user_of(self.environ), "read", content.entry.resource, "done")
        return ContentFile(content)

    def begin_write(self, *, content_type: str | None = None) -> Sink:  # noqa: ARG002  the drive looks for itself
        size = announced(self.environ)
        with as_http_errors():
            self._sink = Sink(self.context.drive.receive(self.segments, size), size, self._finish)
        return self._sink

    def _finish(self, upload: Upload) -> Entry:
        with _not_taken(), self._turn(self.segments):
            return upload.finish(replace=not creates_only(self.environ))

    def end_write(self, *, with_errors: bool) -> None:
        if self._sink:
            self._sink.release()
            if self._sink.entry:
                self.entry = self._sink.entry
        resource = "" if with_errors else self.entry.resource
        self.context.audit(user_of(self.environ), "write", resource, "refused" if with_errors else "done")


class FolderResource(_Resource, DAVCollection):
    """A folder.

    Args:
        path: Its segments.
        environ: The request.
        entry: What is there.
    """

    def __init__(self, path: Path, environ: Environ, entry: Entry) -> None:
        super().__init__(paths.joined(path), environ)
        self.segments = path
        self.entry = entry
        self.context = context_of(environ["wsgidav.config"])

    def get_member_names(self) -> list[str]:
        """WsgiDAV needs this to be here, and asks for it where `Propfind` answers."""
        return [entry.name for entry in self._entries()]

    def create_empty_resource(self, name: str) -> FileResource:
        """Return a file that a PUT is about to write, or, for a LOCK, make it (RFC 4918 §9.10.4)."""
        path = (*self.segments, name)
        entry = Entry(name, EntryKind.FILE, self.entry.modified)
        if self.environ["REQUEST_METHOD"] == "LOCK":
            self.provider.check_locks(self.segments, self.environ, deep=False)
            entry = self._made(path)
        return FileResource(path, self.environ, entry)

    def _made(self, path: Path) -> Entry:
        """Make an empty file, unless another request was faster: then its file is the one that gets the lock."""
        with as_http_errors():
            try:
                with self.context.drive.receive(path, 0) as upload:
                    return upload.finish(replace=False)
            except AlreadyExists:
                return self.context.drive.stat(path)

    def create_collection(self, name: str) -> "FolderResource":
        path = (*self.segments, name)
        with as_http_errors():
            self.context.drive.make_folder(path, user=user_of(self.environ))
            return FolderResource(path, self.environ, self.context.drive.stat(path))

    def _entries(self) -> list[Entry]:
        with as_http_errors():
            return list(self.context.drive.list(self.segments))


def check_conditions(provider: Any, environ: Environ) -> None:
    """Refuse a request whose conditions are not met now."""
    user = user_of(environ)
    own = paths.segments(environ["PATH_INFO"])
    conditions.check(environ, own, provider.look, lambda path, entry: provider.tokens(path, entry, user))


@contextmanager
def _not_taken() -> Iterator[None]:
    """Answer errors of the drive; that a name is taken which must be free, as RFC 4918 §9.8.5 has it."""
    with as_http_errors():
        try:
            yield
        except AlreadyExists as error:
            raise HttpError(HTTPStatus.PRECONDITION_FAILED, "The name is taken.") from error


def resource(path: Path, environ: Environ, entry: Entry) -> FileResource | FolderResource:
    """Return the resource of an entry."""
    return (FolderResource if entry.is_folder else FileResource)(path, environ, entry)
