"""Locks: bounded in number, and safe while some expire."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from davfs.doors.webdav import lock_storage
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.lock_storage import LockStorage


@pytest.fixture
def busy() -> Iterator[None]:
    """Switch threads as often as a loaded machine does."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def kept() -> LockStorage:
    """An empty storage."""
    storage = LockStorage()
    storage.open()
    return storage


def lock(seconds: float = 600, user: str = "me", scope: str = "exclusive") -> dict[str, Any]:
    """Return a lock as WsgiDAV's manager hands it over."""
    return {
        "root": "/inbox/x",
        "type": "write",
        "scope": scope,
        "depth": "0",
        "owner": b"",
        "timeout": seconds,
        "principal": user,
    }


def test_bound(kept: LockStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock beyond the limit is refused; expired locks are removed first."""
    monkeypatch.setattr(lock_storage, "MOST_LOCKS", 3)
    for number in range(3):
        kept.create(f"/inbox/{number}", lock(0.05 if number == 1 else 600))
    with pytest.raises(HttpError) as caught:
        kept.create("/inbox/more", lock())
    assert caught.value.value == 507
    time.sleep(0.06)
    assert kept.create("/inbox/more", lock())["token"]


def test_expiry_while_looking_below(kept: LockStorage) -> None:
    """The locks below a folder are found while some of them expire."""
    for number in range(5):
        kept.create(f"/inbox/{number}", lock(0.01 if number % 2 else 600))
    time.sleep(0.02)
    found = kept.get_lock_list("/inbox", include_root=False, include_children=True, token_only=False)
    assert sorted(each["root"] for each in found) == ["/inbox/0", "/inbox/2", "/inbox/4"]


def test_any(kept: LockStorage) -> None:
    """The storage knows without a search if there is any lock."""
    assert not kept.has_locks
    token = kept.create("/inbox/x", lock())["token"]
    assert kept.has_locks
    kept.delete(token)
    assert not kept.has_locks


@pytest.mark.parametrize(("asked", "granted"), [(600, 600), (-1, 3600), (10**9, 3600)])
def test_duration(kept: LockStorage, asked: float, granted: float) -> None:
    """No lock lasts longer than an hour, unless it is refreshed."""
    made = kept.create("/inbox/x", lock(asked))
    assert made["timeout"] == granted
    assert kept.refresh(made["token"], timeout=asked)["timeout"] == granted


@pytest.mark.usefixtures("busy")
def test_expiry_on_several_threads(kept: LockStorage) -> None:
    """Requests that find the same expired locks at the same moment are all answered."""
    for _ in range(20):
        for number in range(50):
            kept.create(f"/inbox/{number}", lock(0.001))
        time.sleep(0.01)
        barrier = Barrier(4)

        def look(barrier: Barrier = barrier) -> list[list[Any]]:
            barrier.wait(10)
            how = {"include_root": True, "include_children": False, "token_only": False}
            return [kept.get_lock_list(f"/inbox/{number}", **how) for number in range(50)]

        with ThreadPoolExecutor(4) as pool:
            found = [job.result() for job in [pool.submit(look) for _ in range(4)]]
        assert found == [[[]] * 50] * 4
        assert not kept.has_locks


def test_bound_of_one_user(kept: LockStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of locks of one user is limited; expired and released ones do not count."""
    monkeypatch.setattr(lock_storage, "MOST_OF_ONE_USER", 3)
    tokens = [kept.create(f"/inbox/{number}", lock(0.01 if number == 1 else 600))["token"] for number in range(3)]
    with pytest.raises(HttpError) as caught:
        kept.create("/inbox/more", lock())
    assert caught.value.value == 507
    assert kept.create("/inbox/other", lock(user="other"))["token"]
    time.sleep(0.02)
    assert kept.create("/inbox/more", lock())["token"]
    with pytest.raises(HttpError):
        kept.check_quota("me")
    assert kept.delete(tokens[0])
    assert not kept.delete(tokens[0])
    kept.check_quota("me")
    for token in [key for key in kept._dict if not key.startswith("URL2TOKEN:")]:
        kept.delete(token)
    assert not kept._users


def test_shared_locks_of_one_user(kept: LockStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One user does not take all shared locks of a file."""
    monkeypatch.setattr(lock_storage, "MOST_SHARED_OF_ONE_USER", 2)
    for user in ("me", "me", "other"):
        kept.create("/inbox/x", lock(user=user, scope="shared"))
    with pytest.raises(HttpError):
        kept.create("/inbox/x", lock(scope="shared"))
    assert kept.create("/inbox/x", lock(user="third", scope="shared"))["token"]
