"""Dead properties: kept across restarts, carried with their files, and bounded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from davfs.doors.webdav.properties import Properties
from davfs.doors.webdav.refusals import Refusal

NAME = "{urn:x}colour"
VALUE = b'<x:colour xmlns:x="urn:x">blue</x:colour>'


@pytest.fixture
def properties(tmp_path: Path) -> Iterator[Properties]:
    """An empty store."""
    kept = Properties(tmp_path / "properties.sqlite")
    yield kept
    kept.close()


def test_restart(tmp_path: Path) -> None:
    """What was kept is there after a restart."""
    for _ in range(2):
        kept = Properties(tmp_path / "properties.sqlite")
        kept.write_property("/inbox/a", NAME, VALUE)
        kept.close()
    kept = Properties(tmp_path / "properties.sqlite")
    assert kept.get_properties("/inbox/a") == [NAME]
    assert kept.get_property("/inbox/a", NAME) == VALUE
    kept.close()


def test_dry_run(properties: Properties) -> None:
    """A trial changes nothing."""
    properties.write_property("/inbox/a", NAME, VALUE, dry_run=True)
    assert properties.get_property("/inbox/a", NAME) is None
    properties.write_property("/inbox/a", NAME, VALUE)
    properties.remove_property("/inbox/a", NAME, dry_run=True)
    assert properties.get_property("/inbox/a", NAME) == VALUE
    properties.remove_property("/inbox/a", NAME)
    assert properties.get_properties("/inbox/a") == []


@pytest.mark.parametrize("move", [True, False])
def test_carried(properties: Properties, *, move: bool) -> None:
    """A folder's properties and those below it go with it, those of the replaced target and of neighbours do not."""
    for url in ("/inbox/a/", "/inbox/a/file", "/inbox/ab", "/inbox/a%20b/", "/inbox/b/", "/inbox/b/old", "/inbox/bc"):
        properties.write_property(url, NAME, url.encode())
    properties.carry("/inbox/a/", "/inbox/b/", move=move, deep=True)
    assert properties.get_property("/inbox/b/", NAME) == b"/inbox/a/"
    assert properties.get_property("/inbox/b/file", NAME) == b"/inbox/a/file"
    assert properties.get_property("/inbox/b/old", NAME) is None
    assert properties.get_property("/inbox/a/file", NAME) == (None if move else b"/inbox/a/file")
    for neighbour in ("/inbox/ab", "/inbox/a%20b/", "/inbox/bc"):
        assert properties.get_property(neighbour, NAME) == neighbour.encode()


def test_shallow_copy(properties: Properties) -> None:
    """A folder that is copied without what is in it takes its own properties along, and no others."""
    properties.write_property("/inbox/a/", NAME, VALUE)
    properties.write_property("/inbox/a/file", NAME, VALUE)
    properties.carry("/inbox/a/", "/inbox/b/", move=False, deep=False)
    assert properties.get_property("/inbox/b/", NAME) == VALUE
    assert properties.get_property("/inbox/b/file", NAME) is None


def test_removed(properties: Properties) -> None:
    """With a folder go the properties of all below it."""
    for url in ("/inbox/a/", "/inbox/a/x/y", "/inbox/a0"):
        properties.write_property(url, NAME, VALUE)
    properties.remove_below("/inbox/a/")
    assert not properties.any_below("/inbox/a/")
    assert properties.any_below("/inbox/")
    assert properties.get_property("/inbox/a0", NAME) == VALUE


def test_bounds(properties: Properties) -> None:
    """A property has a largest size, and a file so many of them; replacing one is always possible."""
    with pytest.raises(Refusal) as caught:
        properties.write_property("/inbox/a", NAME, b"x" * 70_000)
    assert caught.value.value == 507
    for number in range(200):
        properties.write_property("/inbox/a", f"{{urn:x}}p{number}", VALUE)
    with pytest.raises(Refusal):
        properties.write_property("/inbox/a", NAME, VALUE, dry_run=True)
    properties.write_property("/inbox/a", "{urn:x}p7", b"<new/>")
    assert properties.get_property("/inbox/a", "{urn:x}p7") == b"<new/>"
