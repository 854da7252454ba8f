"""Request headers of door 2 are parsed, or refused with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.doors.webdav import paths
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.request_headers import check_headers, destination
from davfs.entry import Path

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1).filter(
    lambda name: name not in {".", ".."}
)


@given(st.lists(NAMES, max_size=4).map(tuple))
def test_any_destination(path: Path) -> None:
    """The destination is the name that the client quoted, in NFC, whatever characters it contains."""
    expected = paths.segments(paths.joined(path))
    for prefix in ("", "http://Host:8043", "https://host:8043"):
        asked = {"HTTP_DESTINATION": prefix + paths.quoted(path, folder=False), "HTTP_HOST": "host:8043"}
        assert destination(asked) == expected


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("https://d/inbox/x", "d:443"),
        ("http://d/inbox/x", "d:80"),
        ("https://d:443/inbox/x", "d"),
        ("http://d:/inbox/x", "d"),
        ("HTTP://D:80/inbox/x", "d"),
        ("https://[::1]:443/inbox/x", "[::1]"),
        ("http://alice:secret@d:8043/inbox/x", "d:8043"),
        ("http://alice:p%40ss@d/inbox/x", "d:80"),
    ],
)
def test_same_server(value: str, host: str) -> None:
    """The default ports and a user, which lftp sends, do not make another server (RFC 3986 §6.2.3)."""
    assert destination({"HTTP_DESTINATION": value, "HTTP_HOST": host}) == ("inbox", "x")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("", 400),
        ("inbox/x", 400),
        ("http://[::1", 400),
        ("/inbox/../x", 400),
        ("/inbox/%2e%2e/x", 400),
        ("/inbox/%ff", 400),
        ("http://other/inbox/x", 502),
        ("//other/inbox/x", 502),
        ("http://host:8043/inbox/x", 502),
        ("http://host@other/inbox/x", 502),
        ("http://host.other/inbox/x", 502),
    ],
)
def test_no_destination(value: str, status: int) -> None:
    """A missing or malformed destination, or one on another server, is refused."""
    with pytest.raises(HttpError) as caught:
        destination({"HTTP_DESTINATION": value, "HTTP_HOST": "host"})
    assert caught.value.value == status


def test_behind_a_proxy() -> None:
    """The external name of a proxy counts as the own one."""
    asked = {"HTTP_DESTINATION": "https://drive.example/inbox/x", "HTTP_HOST": "localhost:8043"}
    assert destination({**asked, "HTTP_X_FORWARDED_HOST": "drive.example"}) == ("inbox", "x")


@pytest.mark.parametrize(
    "value",
    [
        "(<opaquelocktoken:1>)",
        "(<opaquelocktoken:1>) (Not <DAV:no-lock>)",
        '(<opaquelocktoken:1> ["etag"]) ([W/"weak"])',
        "<http://host/inbox/x> (<opaquelocktoken:1>)",
        "<http://host/a> (<t:1>) <http://host/b> (not <t:2>)  ",
    ],
)
def test_conditions(value: str) -> None:
    """Conditions of RFC 4918 §10.4 pass."""
    check_headers({"HTTP_IF": value})


@pytest.mark.parametrize(
    "value", ["", "()", "(<t:1>", "<t:1>)", "((<t:1>))", "<t:1>", "Not (<t:1>)", "(x)", "(<t:1>) x"]
)
def test_no_conditions(value: str) -> None:
    """A malformed condition is refused."""
    with pytest.raises(HttpError):
        check_headers({"HTTP_IF": value})


@given(st.text())
def test_any_condition(value: str) -> None:
    """Any text is a condition, or refused."""
    try:
        check_headers({"HTTP_IF": value})
    except HttpError as refusal:
        assert refusal.value == 400  # noqa: PT017  most texts are refused, not all
