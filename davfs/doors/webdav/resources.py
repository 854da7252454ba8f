"""The drive's files and folders, as WsgiDAV wants to see them."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from io import RawIOBase
from typing import Any

from wsgidav.dav_error import DAVError
from wsgidav.dav_provider import DAVCollection, DAVNonCollection

from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Context, Environ, context_of, user_of
from davfs.doors.webdav.refusals import Refusal, refused
from davfs.doors.webdav.uploads import Sink, announced
from davfs.entry import Content, Entry, Kind, Path

LARGEST_ANSWER = 10_000
"""Entries that a PROPFIND of infinite depth shows at most."""

_WIN32 = "{urn:schemas-microsoft-com:}"


class _Resource:
    """What files and folders have in common; goes before WsgiDAV's own class."""

    environ: Environ
    provider: Any
    context: Context
    segments: Path
    entry: Entry
    get_ref_url: Callable[[], str]
    remove_all_locks: Callable[..., None]

    def get_creation_date(self) -> float:
        return self.entry.modified.timestamp()  # nothing on the drive changes but by being made anew

    def get_last_modified(self) -> float:
        return self.entry.modified.timestamp()

    def get_display_name(self) -> str:
        return self.entry.name

    def support_etag(self) -> bool:
        return bool(self.entry.etag)

    def get_etag(self) -> str | None:
        return self.entry.etag or None

    def get_property_value(self, name: str) -> object:
        """Return a property: entity tags in their quotes, and none that is not there (RFC 9110 §8.8.3, RFC 4331)."""
        value = super().get_property_value(name)  # type: ignore[misc]  # WsgiDAV's
        if value is None:
            raise DAVError(HTTPStatus.NOT_FOUND)
        return f'"{value}"' if name == "{DAV:}getetag" else value

    def prevent_locking(self) -> bool:
        """Refuse locks where nothing can be written."""
        return not self.context.drive.takes_files(self.segments if self.entry.is_folder else self.segments[:-1])

    def set_property_value(self, name: str, value: object, *, dry_run: bool = False) -> object:
        """Accept what Explorer sets after each upload, and keep dead properties where files can be written.

        Raises:
            DAVError: The property is protected, or nothing is kept here.
        """
        if name.startswith(_WIN32):
            return True
        if self.prevent_locking():
            raise Refusal(HTTPStatus.FORBIDDEN, "Properties can be set in inbox/ only.")
        return super().set_property_value(name, value, dry_run=dry_run)  # type: ignore[misc]  # WsgiDAV's

    def handle_delete(self) -> bool:
        """Delete it with all that is in it, unless somebody else holds a lock on a part."""
        self._check_locks("infinity")
        with refused():
            resource = self.context.drive.delete(self.segments)
        self.context.audit(user_of(self.environ), "delete", resource, "done")
        self._forget()
        return True

    def move_to(self, target: Path) -> None:
        """Give it another path, in place of what is there."""
        with refused():
            self.context.drive.move(self.segments, target, replace=True)
        self.context.audit(user_of(self.environ), "move", self.entry.resource, "done")
        self._carry_properties(target, move=True)
        self.remove_all_locks(recursive=True)

    def copy_to(self, target: Path, *, deep: bool) -> None:
        """Copy it, in place of what is there; ``deep`` with all that is in it."""
        with refused():
            self.context.drive.copy(self.segments, target, replace=True, deep=deep)
        self.context.audit(user_of(self.environ), "copy", self.entry.resource, "done")
        self._carry_properties(target, move=False, deep=deep)

    def _check_locks(self, depth: str) -> None:
        self.provider.lock_manager.check_write_permission(
            url=self.get_ref_url(),
            depth=depth,
            token_list=self.environ["wsgidav.ifLockTokenList"],
            principal=self.environ["wsgidav.user_name"],
        )

    def _forget(self) -> None:
        if self.provider.prop_manager:
            self.provider.prop_manager.remove_below(self.get_ref_url())
        self.remove_all_locks(recursive=True)

    def _carry_properties(self, target: Path, *, move: bool, deep: bool = True) -> None:
        properties = self.provider.prop_manager
        if properties:
            new = self.provider.ref_url(target, folder=self.entry.is_folder)
            properties.carry(self.get_ref_url(), new, move=move, deep=deep)


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
        return self.entry.media_type or "application/octet-stream"

    def support_ranges(self) -> bool:
        return True

    def get_content(self) -> "ContentFile":
        with refused():
            content = self.context.drive.read(self.segments)
        self.context.audit(user_of(self.environ), "read", content.entry.resource, "done")
        return ContentFile(content)

    def begin_write(self, *, content_type: str | None = None) -> Sink:  # noqa: ARG002  the drive looks for itself
        size = announced(self.environ)
        with refused():
            self._sink = Sink(self.context.drive.receive(self.segments, size), size)
        return self._sink

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

    def get_used_bytes(self) -> int | None:
        room = self.context.drive.room(self.segments)
        return room.used if room else None

    def get_available_bytes(self) -> int | None:
        room = self.context.drive.room(self.segments)
        return room.available if room else None

    def get_member_list(self) -> list["FileResource | FolderResource"]:
        with refused():
            return [resource((*self.segments, entry.name), self.environ, entry) for entry in self._entries()]

    def get_member_names(self) -> list[str]:
        return [entry.name for entry in self._entries()]

    def get_member(self, name: str) -> "FileResource | FolderResource | None":
        found: FileResource | FolderResource | None = self.provider.get_resource_inst(
            paths.joined((*self.segments, name)), self.environ
        )
        return found

    def get_descendants(self, **how: Any) -> list["FileResource | FolderResource"]:
        """Return what is below, parents before their children, or after them with ``depth_first``.

        Raises:
            Refusal: There is more than `LARGEST_ANSWER` (RFC 4918 §9.1.1: ``propfind-finite-depth``).
        """
        deep = how.get("depth", "infinity") == "infinity"
        found: list[FileResource | FolderResource] = [self] if how.get("add_self") else []
        waiting: list[FolderResource] = [self]
        while waiting:
            members = waiting.pop().get_member_list()
            found += members
            waiting += [member for member in members if deep and isinstance(member, FolderResource)]
            if deep and len(found) > LARGEST_ANSWER:
                raise Refusal(
                    HTTPStatus.FORBIDDEN,
                    "There is too much below this folder for one answer.",
                    condition="{DAV:}propfind-finite-depth",
                )
        return found[::-1] if how.get("depth_first") else found

    def create_empty_resource(self, name: str) -> FileResource:
        """Return a file that a PUT is about to write, or, for a LOCK, make it (RFC 4918 §9.10.4)."""
        path = (*self.segments, name)
        entry = Entry(name, Kind.FILE, self.entry.modified)
        if self.environ["REQUEST_METHOD"] == "LOCK":
            with refused():
                entry = self.context.drive.write(path, b"")
        return FileResource(path, self.environ, entry)

    def create_collection(self, name: str) -> "FolderResource":
        path = (*self.segments, name)
        with refused():
            self.context.drive.make_folder(path)
            return FolderResource(path, self.environ, self.context.drive.stat(path))

    def _entries(self) -> list[Entry]:
        with refused():
            return list(self.context.drive.list(self.segments))


class ContentFile(RawIOBase):
    """Content as a file that is read from a place on.

    Args:
        content: Open content, which is closed with the file.
    """

    def __init__(self, content: Content) -> None:
        self._content = content.__enter__()
        self._buffers: Iterator[memoryview] = iter(())
        self._rest = memoryview(b"")
        self.seek(0)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, in bytes from the start."""
        if whence:
            raise ValueError("only places from the start are known")
        self._buffers = self._content.buffers(offset)
        self._rest = memoryview(b"")
        return offset

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes, none at the end."""
        while not self._rest and (block := next(self._buffers, None)) is not None:
            self._rest = block
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        return bytes(taken)

    def close(self) -> None:
        """Close the content."""
        if not self.closed:
            self._rest = memoryview(b"")
            self._buffers = iter(())
            self._content.__exit__(None, None, None)
        super().close()


def resource(path: Path, environ: Environ, entry: Entry) -> FileResource | FolderResource:
    """Return the resource of an entry."""
    return (FolderResource if entry.is_folder else FileResource)(path, environ, entry)
