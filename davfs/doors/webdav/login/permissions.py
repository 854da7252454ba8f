"""Permissions that requests require, beside reading, which all do."""

from davfs.doors.webdav.context import READING_METHODS
from davfs.entry import Path
from davfs.orthanc.access import Permission
from davfs.settings.setup import INBOX

_OUTSIDE_INBOX = {"DELETE": (Permission.DELETE,), "MOVE": (Permission.WRITE, Permission.DELETE)}
_TRASH = ("davfs-api", "trash")


def required_permissions(method: str, path: Path) -> tuple[Permission, ...]:
    """Return the permissions that a method on a path requires; an unknown method counts as writing.

    Files in the inbox are the drive's own, and deleting a receipt deletes no image; elsewhere, deleting and moving
    deletes a resource of Orthanc, or restores it.
    """
    if method in READING_METHODS:
        return ()
    if path[:1] == (INBOX,) and ".." not in path:
        return (Permission.WRITE,)
    if path[:2] == _TRASH and method == "POST":  # it restores what was deleted, as MOVE does
        return Permission.WRITE, Permission.DELETE
    return _OUTSIDE_INBOX.get(method, (Permission.WRITE,))
