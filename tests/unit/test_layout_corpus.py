"""Every layout of ``tests/layouts/`` is refused with the line and the remedy in the first line of its file."""

import re
from pathlib import Path

import pytest

from davfs.errors import LayoutError
from davfs.layout import HashKey, load_layout

CORPUS = sorted((Path(__file__).parents[1] / "layouts").glob("*.toml"))
KEY = HashKey(b"a key for tests")
WITHOUT_KEY = {"anonymised-without-key", "hash-without-key"}
HEAD = re.compile(r"# (?:line (\d+)|no line): (.+)")


def test_there_is_a_corpus() -> None:
    """The files are where they are looked for."""
    assert len(CORPUS) > 100


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_bad_layouts_are_refused(file: Path) -> None:
    """A wrong layout is refused with one line: the file, the line number, the mistake and what is allowed."""
    head = HEAD.fullmatch(file.read_bytes().splitlines()[0].decode())
    assert head
    with pytest.raises(LayoutError) as caught:
        load_layout(file, key=None if file.stem in WITHOUT_KEY else KEY)
    assert head[2] in caught.value.reason
    assert (caught.value.file, caught.value.line) == (str(file), int(head[1]) if head[1] else None)
    assert "\n" not in str(caught.value)
