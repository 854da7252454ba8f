"""More locks than door 2 keeps: the next one is refused until one is released, and everything else goes on."""

from pathlib import Path

import pytest

from davfs.doors.webdav import locks
from tests.support.local_door import local_door
from tests.support.locking import lock, locked, tagged, unlock

MOST = 40


def test_bound_over_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks on many different files are bounded, and releasing any of them makes room for one."""
    monkeypatch.setattr(locks, "MOST_LOCKS", MOST)
    with local_door(tmp_path) as door:
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
