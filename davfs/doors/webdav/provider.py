"""The drive as a provider of WsgiDAV."""

from http import HTTPStatus
from typing import Any

from wsgidav.dav_error import DAVError, DAVErrorCondition, PRECONDITION_CODE_LockConflict
from wsgidav.dav_provider import DAVProvider

from davfs import errors
from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import as_http_errors
from davfs.doors.webdav.path_locks import PathLocks
from davfs.doors.webdav.resources import FileResource, FolderResource, resource
from davfs.entry import Entry, Path
from davfs.filesystem.drive import Drive

_LOOKING = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PROPFIND"})
"""Methods to which also that is there which nobody has made (`Entry.implied`)."""


class DriveProvider(DAVProvider):
    """Finds resources of the drive.

    Args:
        drive: Where.
    """

    lock_manager: Any

    def __init__(self, drive: Drive) -> None:
        super().__init__()
        self.drive = drive
        self.verbose = 0  # or what was raised is printed, with paths
        self.path_locks = PathLocks()

    def get_resource_inst(self, path: str | None, environ: Environ) -> FileResource | FolderResource | None:
        """Return what is at a path, None for nothing."""
        if path is None:  # what WsgiDAV takes for the folder that holds the root
            return None
        segments = paths.segments(path)
        entry = self.look(segments)
        if entry is None or (entry.implied and environ["REQUEST_METHOD"] not in _LOOKING):
            return None
        return resource(segments, environ, entry)

    def look(self, path: Path) -> Entry | None:
        """Return what is at a path, None for nothing, and then forget the locks that it had.

        It can have gone without a request to this door: it expired, was deleted in Orthanc, or through the other door.
        """
        storage = self.lock_manager.storage
        held = self.lock_manager.get_url_lock_list(self.ref_url(path, folder=False)) if storage.any else ()
        with as_http_errors():
            try:
                return self.drive.stat(path)
            except errors.NotFound:
                for lock in held:  # those that it had before the look: a newer one may be of something new
                    storage.delete(lock["token"])
                return None

    def tokens(self, path: Path, entry: Entry | None, user: str) -> frozenset[str]:
        """Return the tokens of a user's locks on a resource; where there is none, also of those on its folder."""
        found = self.lock_manager.get_indirect_url_lock_list(self.ref_url(path, folder=False), principal=user)
        if entry is None and path:
            above = self.lock_manager.get_url_lock_list(self.ref_url(path[:-1], folder=False))
            found += [lock for lock in above if lock["principal"] == user]
        return frozenset(lock["token"] for lock in found)

    def check_locks(self, path: Path, environ: Environ, *, deep: bool) -> None:
        """Refuse to change a resource, or ``deep`` all that is in it, where locks forbid it.

        Raises:
            DAVError: There is a lock whose token was not submitted, or that is somebody else's (RFC 4918 §7).
        """
        user, tokens = environ["wsgidav.user_name"], environ["wsgidav.ifLockTokenList"]
        url = self.ref_url(path, folder=False)
        self.lock_manager.check_write_permission(url=url, depth="0", token_list=tokens, principal=user)
        if not deep:
            return
        conflict = DAVErrorCondition(PRECONDITION_CODE_LockConflict)
        below = {"include_root": False, "include_children": True, "token_only": False}
        for lock in self.lock_manager.storage.get_lock_list(url, **below):
            own = lock["principal"] == user and lock["token"] in tokens
            if not own and self.look(paths.segments(self.ref_url_to_path(lock["root"]))):
                conflict.add_href(lock["root"])
        if conflict.hrefs:
            raise DAVError(HTTPStatus.LOCKED, err_condition=conflict)

    def ref_url(self, path: Path, *, folder: bool) -> str:
        """Return the key of a path for locks and properties, as `get_ref_url` does for a resource."""
        return paths.quoted(path, folder=folder)
