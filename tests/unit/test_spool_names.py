"""Tests of the names that the spool accepts."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.errors import BadName, NotFound
from davfs.spool.items import is_name
from davfs.spool.spool import Spool
from tests.support import spool as spools
from tests.support.spool import content, names

# pytest finds fixtures by the names in a module.
clock, spool = spools.clock, spools.spool


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a\0",
        "a\n",
        "a\x7f",
        "a\x85",
        "\ud800",
        "a\ufffe",
        "\uffff",
        "x" * 256,
        "a.",
        "é" * 128,
        "e\N{COMBINING ACUTE ACCENT}",
        "...",
        "/etc",
    ],
)
def test_names_that_cannot_be_kept_or_shown_are_refused(spool: Spool, name: str) -> None:
    """Writing them raises `BadName`, reading them `NotFound`."""
    assert not is_name(name)
    with pytest.raises(BadName):
        spool.write((name,), b"")
    with pytest.raises(BadName):
        spool.make_folder((name, "b"))
    for read in (spool.stat, spool.list, spool.delete, lambda path: content(spool, path)):
        with pytest.raises(NotFound):
            read((name,))


@pytest.mark.parametrize(
    "name", ["a", ".a", "..a", "x" * 255, "é" * 127, " a", "a ", "山", "\N{GRINNING FACE}", "a:b", "~"]
)
def test_unusual_names_are_kept(spool: Spool, name: str) -> None:
    """Everything else can be written, listed and read."""
    spool.write((name,), b"1")
    assert names(spool) == [name]
    assert content(spool, (name,)) == b"1"


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_a_name_is_fit_for_the_disk_or_refused(name: str) -> None:
    """The check never fails on any text, and never accepts a separator."""
    assert not (
        is_name(name) and (name in ("", ".", "..") or set(name) & set("/\\\0\n") or len(os.fsencode(name)) > 255)
    )


def test_the_deepest_path_is_bounded(spool: Spool) -> None:
    """64 levels can be made, and emptied again."""
    for depth in range(1, 65):
        spool.make_folder(("d",) * depth)
    with pytest.raises(BadName):
        spool.write(("d",) * 65, b"")
    spool.delete(("d",))
