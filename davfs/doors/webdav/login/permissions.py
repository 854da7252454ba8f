"""What a request needs, and what its user has."""

from dataclasses import dataclass

from davfs.entry import Path
from davfs.orthanc.access import Access, Credentials, Decision, Permission
from davfs.settings.setup import INBOX

PERMISSIONS = "davfs.permissions"
"""Where a request carries the `Permissions` of its user."""

_READING = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND"})
_BEYOND_INBOX = {"DELETE": (Permission.DELETE,), "MOVE": (Permission.WRITE, Permission.DELETE)}


@dataclass(frozen=True, slots=True)
class Permissions:
    """What Orthanc lets a user do; asked when somebody wants to know, and remembered by `Access` for a while.

    Attributes:
        access: Asks Orthanc.
        credentials: Of the user; None for an anonymous one.
    """

    access: Access
    credentials: Credentials | None

    @property
    def read(self) -> bool:
        """Whether the user may read images."""
        return self.allow(Permission.READ)

    @property
    def write(self) -> bool:
        """Whether the user may upload."""
        return self.allow(Permission.WRITE)

    @property
    def delete(self) -> bool:
        """Whether the user may delete patients, studies, series and instances."""
        return self.allow(Permission.DELETE)

    def allow(self, permission: Permission) -> bool:
        """Return whether the user may.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        return self.ask(permission) is Decision.GRANTED

    def ask(self, permission: Permission) -> Decision:
        """Return what Orthanc says to a permission.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        return self.access.ask(permission, self.credentials)


def needed(method: str, path: Path) -> tuple[Permission, ...]:
    """Return what a request needs, beside reading, which all do.

    What lies in the inbox is the drive's own, and deleting a receipt deletes no image; elsewhere a name that goes away
    is a resource of Orthanc.

    Args:
        method: Of the request; one that is not known to read counts as writing.
        path: Of the request.
    """
    if method in _READING:
        return ()
    if path[:1] == (INBOX,) and ".." not in path:
        return (Permission.WRITE,)
    return _BEYOND_INBOX.get(method, (Permission.WRITE,))
