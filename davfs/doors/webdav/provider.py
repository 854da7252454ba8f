"""Finds resources of the drive and their locks, for WsgiDAV and for the methods of this door."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from typing import Any

from wsgidav.dav_error import DAVError, DAVErrorCondition, PRECONDITION_CODE_LockConflict
from wsgidav.dav_provider import DAVProvider

from davfs import errors
from davfs.doors.webdav import conditions, paths
from davfs.doors.webdav.context import READING_METHODS, Context, Environ, user_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.path_locks import PathLocks, SharedPathLocks
from davfs.doors.webdav.resources import DriveResource
from davfs.entry import Entry, Path


class DriveProvider(DAVProvider):
    """The drive as a provider of WsgiDAV.

    Args:
        context: Services of the door, the drive among them.
    """

    lock_manager: Any

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.verbose = 0  # or WsgiDAV prints exceptions, with paths
        self.path_locks = PathLocks() if context.shared is None else SharedPathLocks(context.shared)

    def get_resource_inst(self, path: str | None, environ: Environ) -> DriveResource | None:
        """Return the resource at a path, None if there is none, for WsgiDAV."""
        if path is None:  # the parent of the root
            return None
        segments = paths.segments(path)
        entry = self.find(segments, environ)
        return DriveResource(segments, environ, entry) if entry else None

    def find(self, path: Path, environ: Environ) -> Entry | None:
        """Return the entry at a path; None if there is none, or if a change may create it (`Entry.implied`)."""
        entry = self.entry_at(path)
        return None if entry and entry.implied and environ["REQUEST_METHOD"] not in READING_METHODS else entry

    def entry_at(self, path: Path) -> Entry | None:
        """Return the entry at a path; None if there is none, and then its locks are released.

        It can have gone without a request to this door: it expired, was deleted in Orthanc, or through the other door.
        """
        held = self._locks_at(path) if self.lock_manager.storage.has_locks else []
        try:
            return self.context.drive.stat(path)
        except errors.NotFound:
            self._release(held)  # those from before the look-up: a newer one may be of something new
            return None

    def check_conditions(self, environ: Environ) -> None:
        """Refuse a request whose ``If-Match`` and the like, or whose ``If``, are not met now."""
        conditions.check_versions(environ, self.entry_at)
        self.check_if(environ)

    def check_if(self, environ: Environ) -> None:
        """Refuse a request whose ``If`` is not met now."""
        user = user_of(environ)
        conditions.check_if(environ, self.entry_at, lambda path, entry: self._lock_tokens(path, entry, user))

    def check_locks(self, path: Path, environ: Environ, *, deep: bool = False) -> None:
        """Refuse to change a resource, or ``deep`` everything in it too, against its locks.

        Raises:
            DAVError: There is a lock of somebody else, or one whose token was not submitted (RFC 4918 §7).
        """
        user, tokens = user_of(environ), environ["wsgidav.ifLockTokenList"]
        self.lock_manager.check_write_permission(url=_url(path), depth="0", token_list=tokens, principal=user)
        if not deep:
            return
        conflict = DAVErrorCondition(PRECONDITION_CODE_LockConflict)
        for lock in self._locks_at(path, recursive=True):
            own = lock["principal"] == user and lock["token"] in tokens
            if not own and self.entry_at(paths.segments(self.ref_url_to_path(lock["root"]))):
                conflict.add_href(lock["root"])
        if conflict.hrefs:
            raise DAVError(HTTPStatus.LOCKED, err_condition=conflict)

    def one_look(self, path: Path) -> AbstractContextManager[None]:
        """Check several things about the locks of a path by one look at them; not across the body of a request."""
        look: AbstractContextManager[None] = self.lock_manager.storage.one_look(_url(path))
        return look

    def check_new_locks(self, path: Path, environ: Environ) -> None:
        """Refuse a change against a lock that another node has granted since `being_written`."""
        if self.context.shared is not None:
            with self.one_look(path):
                self.check_locks(path, environ)

    def check_refresh(self, environ: Environ) -> None:
        """Refuse to refresh the lock of another user (RFC 4918 §6.4); like Apache's mod_dav, with 403.

        Raises:
            HttpError: A submitted token is that of such a lock.
        """
        for token in conditions.submitted_tokens(environ):
            if self.lock_manager.get_lock(token, key="principal") not in (None, user_of(environ)):
                raise HttpError(HTTPStatus.FORBIDDEN, "This is the lock of another user.")

    def being_written(self, path: Path, environ: Environ) -> AbstractContextManager[None]:
        """Refuse new locks on a path while a request with a long body writes it (CWE-367)."""
        tokens = environ["wsgidav.ifLockTokenList"]
        transaction: AbstractContextManager[None] = self.lock_manager.write_transaction(
            url=_url(path), token_list=tokens, principal=user_of(environ)
        )
        return transaction

    @contextmanager
    def releasing_locks(self, path: Path) -> Iterator[None]:
        """Release the locks on a path and below at the end, but not those of what takes its place meanwhile."""
        held = self._locks_at(path, recursive=True)
        yield
        self._release(held)

    def _locks_at(self, path: Path, *, recursive: bool = False) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.lock_manager.get_url_lock_list(_url(path), recursive=recursive)
        return found

    def _release(self, locks: list[dict[str, Any]]) -> None:
        for lock in locks:
            self.lock_manager.release(lock["token"])

    def _lock_tokens(self, path: Path, entry: Entry | None, user: str) -> frozenset[str]:
        """Return the tokens of a user's locks on a resource; of a missing one, those on its folder too."""
        found = self.lock_manager.get_indirect_url_lock_list(_url(path), principal=user)
        if entry is None and path:
            found += [lock for lock in self._locks_at(path[:-1]) if lock["principal"] == user]
        return frozenset(lock["token"] for lock in found)


def _url(path: Path) -> str:
    """Return the key of a path in WsgiDAV's lock manager."""
    return paths.quoted(path, folder=False)
