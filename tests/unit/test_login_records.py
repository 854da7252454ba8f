"""Logins are recorded once, refused ones with their user, and throttled ones by their network."""

from types import SimpleNamespace
from typing import Any

import pytest

from davfs.audit.record import AuditAction, Door
from davfs.doors.webdav.login.login_records import LoginRecords
from tests.support.audit import KeptTrail


def environ(user: str = "", address: str = "10.0.0.7", **headers: str) -> dict[str, Any]:
    """Return a request."""
    return {"REMOTE_ADDR": address, "PATH_INFO": "/", "wsgidav.auth.user_name": user, **headers}


@pytest.fixture
def trail() -> KeptTrail:
    """An audit trail."""
    return KeptTrail()


@pytest.fixture
def logins(trail: KeptTrail) -> LoginRecords:
    """Records of logins at a server of the drive."""
    context: Any = SimpleNamespace(audit=trail, door=Door.DRIVE, login=SimpleNamespace(trusted_proxies=()))
    return LoginRecords(context)


def test_a_login_is_the_first_request(logins: LoginRecords, trail: KeptTrail) -> None:
    """A user logs in once at each address, with however many programs."""
    for each in (
        environ("alice"),
        environ("alice", HTTP_USER_AGENT="other"),
        environ("alice", "10.0.0.8"),
        environ("bob"),
    ):
        logins.record_login(each)
        logins.record_login(each)
    assert [(each.client.user, each.client.address) for each in trail.records] == [
        ("alice", "10.0.0.7"),
        ("alice", "10.0.0.8"),
        ("bob", "10.0.0.7"),
    ]
    assert {each.action for each in trail.records} == {AuditAction.LOGIN}


def test_refused_logins(logins: LoginRecords, trail: KeptTrail) -> None:
    """A refused login has the name that was claimed, and the reason."""
    logins.record_refused(environ(HTTP_USER_AGENT="curl"), "mallory", "WrongPassword")
    (record,) = trail.records
    assert (record.client.user, record.client.agent, record.reason) == ("mallory", "curl", "WrongPassword")


@pytest.mark.parametrize(
    ("address", "shown"),
    [("10.0.0.7", "10.0.0.7"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("::ffff:10.0.0.7", "10.0.0.7")],
)
def test_throttled_guesses_are_no_flood(logins: LoginRecords, trail: KeptTrail, address: str, shown: str) -> None:
    """Whatever a client claims, and however it changes its IPv6 address, its records can be merged."""
    logins.record_throttled(environ(address=address, HTTP_USER_AGENT="random"))
    (record,) = trail.records
    assert (record.client.user, record.client.address, record.client.agent) == ("", shown, "")
    assert record.reason == "Throttled"
