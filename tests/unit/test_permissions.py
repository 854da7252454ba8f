"""Permissions that a request requires, by its method and its path."""

import pytest

from davfs.doors.webdav.login.permissions import required_permissions
from davfs.entry import Path
from davfs.orthanc.access import Permission

INBOX: Path = ("inbox", "a.dcm")
LAYOUT: Path = ("by-patient", "Doe (1)")
WRITE, DELETE = Permission.WRITE, Permission.DELETE


@pytest.mark.parametrize("path", [(), INBOX, LAYOUT])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PROPFIND"])
def test_reading(method: str, path: Path) -> None:
    """Reading methods require no further permission."""
    assert required_permissions(method, path) == ()


@pytest.mark.parametrize("path", [(), INBOX, LAYOUT])
@pytest.mark.parametrize("method", ["PUT", "MKCOL", "PROPPATCH", "LOCK", "UNLOCK", "COPY", "POST", "get", "WHATEVER"])
def test_writing(method: str, path: Path) -> None:
    """Methods that change something, and unknown ones, require the permission to write."""
    assert required_permissions(method, path) == (WRITE,)


@pytest.mark.parametrize(
    ("path", "deleting", "moving"),
    [
        (INBOX, (WRITE,), (WRITE,)),
        (("inbox",), (WRITE,), (WRITE,)),
        (LAYOUT, (DELETE,), (WRITE, DELETE)),
        ((), (DELETE,), (WRITE, DELETE)),
        (("trash", "Doe (1)"), (DELETE,), (WRITE, DELETE)),
        (("Inbox", "a.dcm"), (DELETE,), (WRITE, DELETE)),
        (("inbox", "..", "by-patient"), (DELETE,), (WRITE, DELETE)),
    ],
)
def test_removing(path: Path, deleting: tuple[Permission, ...], moving: tuple[Permission, ...]) -> None:
    """Deleting in the inbox requires the permission to write; elsewhere it requires that to delete."""
    assert required_permissions("DELETE", path) == deleting
    assert required_permissions("MOVE", path) == moving


def test_the_calls_of_the_trash() -> None:
    """Restoring requires what MOVE does, deleting for good what DELETE does; all who read may list the trash."""
    trash = ("davfs-api", "trash")
    assert required_permissions("GET", trash) == ()
    assert required_permissions("POST", (*trash, "id", "restore")) == (WRITE, DELETE)
    assert required_permissions("DELETE", (*trash, "id")) == (DELETE,)
    assert required_permissions("POST", ("davfs-api", "reload")) == (WRITE,)
