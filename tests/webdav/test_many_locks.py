"""More locks than door 2 keeps: the next one is refused until one is released, and everything else goes on."""

from pathlib import Path

import pytest

from davfs.doors.webdav import lock_storage
from tests.support.local_server import local_server
from tests.support.locking import lock, locked, tagged, unlock

MOST = 40


def test_bound_over_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of locks is limited over all files, and releasing any lock allows another one."""
    monkeypatch.setattr(lock_storage, "MOST_LOCKS", MOST)
    with local_server(tmp_path) as door:
        drive = door.drive
        tokens = {path: locked(drive, path) for path in [f"inbox/{n}.txt" for n in range(MOST)]}
        assert lock(drive, "inbox/more.txt").status_code == 507
        assert len(drive.listing("inbox")) >= MOST
        assert drive.put("inbox/other.txt", b"other").status_code == 201
        assert drive.get("inbox/other.txt").content == b"other"
        assert drive.put("inbox/7.txt", b"no token").status_code == 423
        held = tagged(drive, "inbox/7.txt", tokens["inbox/7.txt"])
        assert drive.request("PUT", "inbox/7.txt", content=b"with token", headers=held).status_code == 204
        assert unlock(drive, "inbox/7.txt", tokens["inbox/7.txt"]) == 204
        assert lock(drive, "inbox/other.txt").status_code == 200
        assert lock(drive, "inbox/more.txt").status_code == 507


@pytest.mark.parametrize(("owner", "status"), [("me", 507), ("x" * 5000, 413)])
def test_a_refused_lock_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str, status: int
) -> None:
    """A refused lock on a new name creates no file (RFC 4918 §9.10.4)."""
    with local_server(tmp_path) as door:
        locked(door.drive, "inbox/a.txt")
        monkeypatch.setattr(lock_storage, "MOST_LOCKS", 1)
        assert lock(door.drive, "inbox/b.txt", owner=owner).status_code == status
        assert door.drive.status("inbox/b.txt") == 404


def test_a_lock_is_refreshed_while_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock can be refreshed while the limit is reached."""
    with local_server(tmp_path) as door:
        token = locked(door.drive, "inbox/a.txt")
        monkeypatch.setattr(lock_storage, "MOST_LOCKS", 1)
        assert door.drive.request("LOCK", "inbox/a.txt", headers={"If": f"({token})"}).status_code == 200


@pytest.mark.parametrize("depth", ["0", "infinity"])
@pytest.mark.parametrize("scope", ["exclusive", "shared"])
def test_inbox_itself_cannot_be_locked(tmp_path: Path, depth: str, scope: str) -> None:
    """The inbox itself cannot be locked, in any spelling; a folder in it can."""
    with local_server(tmp_path) as door:
        for path in ("inbox", "inbox/", "", "inbox/./"):
            refused = lock(door.drive, path, depth=depth, scope=scope)
            assert refused.status_code == 403
            assert "Lock-Token" not in refused.headers
        assert door.drive.put("inbox/a.txt", b"x").status_code == 201
        door.drive.mkcol("inbox/own")
        assert lock(door.drive, "inbox/own", depth=depth, scope=scope).status_code == 200
        set_one = '<propertyupdate xmlns="DAV:"><set><prop><c xmlns="urn:x">1</c></prop></set></propertyupdate>'
        assert door.drive.request("PROPPATCH", "inbox", content=set_one).status_code == 207
