"""Host names that requests may use where nobody has to log in, and requests of other sites' pages."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from davfs.doors.webdav import host_names as module
from davfs.doors.webdav.cross_site import is_foreign
from davfs.doors.webdav.host_names import HostNames
from davfs.errors import ConfigurationError
from davfs.settings.checks import host_names

NAMES = HostNames(["Drive.Example.org"], lambda: "PACS.ward", lambda: "pacs.ward.hospital.org")


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:8043", "localhost.", "davfs.localhost:1", "127.0.0.1", "127.0.0.1:8043", "10.1.2.3:80",
        "[::1]", "[::1]:8043", "[fe80::1]:8043", "pacs", "pacs:8043", "pacs.ward", "Pacs.Ward.", "pacs.local:8043",
        "pacs.ward.hospital.org", "drive.example.org:443", "DRIVE.EXAMPLE.ORG",
    ],
)  # fmt: skip
def test_own(host: str) -> None:
    """This machine's names and what was configured, in any spelling, and addresses, with any port."""
    assert NAMES.contain(host)


@pytest.mark.parametrize(
    "host",
    [
        "", ":8043", "evil.example", "evil.example:8043", "localhost.evil.example", "127.0.0.1.evil.example",
        "pacs.evil", "xlocalhost", "pacs.ward.hospital.org.evil", "example.org", "a.drive.example.org", "127.1",
        "2130706433", "0x7f.0.0.1", "[::1", "[evil.example]", "::1", "127.0.0.1@evil.example",
    ],
)  # fmt: skip
def test_foreign(host: str) -> None:
    """Any other name may be resolved to this machine's address by its owner."""
    assert not NAMES.contain(host)


def test_full_name_is_asked_for_once() -> None:
    """The full name of this machine is resolved only if needed, and once."""
    asked: list[int] = []

    def full_name() -> str:
        asked.append(1)
        return "pacs.example"

    names = HostNames((), lambda: "pacs", full_name)
    assert names.contain("pacs")
    assert names.contain("10.0.0.1")
    assert not asked
    assert names.contain("pacs.example")
    assert not names.contain("evil.example")
    assert asked == [1]


def test_network_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one request resolves the name, which may take long, others do not wait."""
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    answered, asked = threading.Event(), threading.Event()

    def full_name() -> str:
        asked.set()
        assert answered.wait(10)
        return "pacs.example"

    names = HostNames((), lambda: "pacs", full_name)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(names.contain, "pacs.example")
        assert asked.wait(10)
        assert not names.contain("evil.example")
        answered.set()
        assert first.result(10)
    assert names.contain("pacs.example")


@pytest.mark.parametrize(
    "value", ["drive", ["http://drive"], ["drive:8043"], ["a b"], [""], [1], [".drive"], ["drive."], ["*"], {}, None]
)
def test_bad_setting(value: object) -> None:
    """A setting that is no list of names is refused with what is allowed."""
    with pytest.raises(ConfigurationError, match=r"HostNames .* must be a list of names"):
        host_names("Davfs.Server.HostNames", value)


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"SEC_FETCH_SITE": "same-origin"}, False),
        ({"SEC_FETCH_SITE": "none"}, False),
        ({"SEC_FETCH_SITE": "same-origin", "ORIGIN": "https://behind-a-proxy.example"}, False),
        ({"SEC_FETCH_SITE": "same-site"}, True),
        ({"SEC_FETCH_SITE": "cross-site", "ORIGIN": "http://d:8043"}, True),
        ({"SEC_FETCH_SITE": "anything"}, True),
        ({"ORIGIN": "http://d:8043"}, False),
        ({"ORIGIN": "http://D:8043"}, False),
        ({"ORIGIN": "http://d:8042"}, True),
        ({"ORIGIN": "http://evil.example"}, True),
        ({"ORIGIN": "http://d:8043.evil.example"}, True),
        ({"ORIGIN": "null"}, True),
        ({"ORIGIN": ""}, True),
        ({"ORIGIN": "http://["}, True),
        ({"ORIGIN": "https://drive.example", "X_FORWARDED_HOST": "drive.example"}, False),
    ],
)
def test_foreign_pages(headers: dict[str, str], *, foreign: bool) -> None:
    """Sec-Fetch-Site comes first, then host and port of Origin; other clients send neither."""
    environ = {"HTTP_HOST": "d:8043", **{f"HTTP_{name}": value for name, value in headers.items()}}
    assert is_foreign(environ) is foreign


def test_origin_without_a_host() -> None:
    """An Origin without a host is foreign."""
    assert is_foreign({"HTTP_ORIGIN": "null"})
    assert is_foreign({"HTTP_HOST": "", "HTTP_ORIGIN": "http://"})
