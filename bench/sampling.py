"""Some folders of each layout, and the same folders for a static plugin."""

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import unquote

from bench.connection import Connection, WrongAnswer, question
from tests.support.webdav import Listed, parse

_RANDOM = 3
"""Folders of each depth that are chosen besides the largest."""
_ALL, _SOME = 1600, 200
"""Folders of one depth that are all looked at, and how many of them are where there are more."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A folder of a layout.

    Attributes:
        href: Its path on the drive, percent-encoded.
        depth: Levels above what is in it; 0 for the layout's root.
        entries: How many there are.
    """

    href: str
    depth: int
    entries: int


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder and the folders in it."""

    sampled: Sampled
    below: Sequence[str]


def sample(connection: Connection, root: str, marks: Collection[str]) -> list[Sampled]:
    """Choose folders of each depth of a layout: the largest, and a few at random, the same ones in each run.

    Args:
        connection: Asks the drive.
        root: The layout's root.
        marks: Folders with one of these in their path are always looked at.

    Raises:
        WrongAnswer: A folder cannot be listed.
    """
    chance, found, hrefs = random.Random(root), list[Sampled](), [root]  # noqa: S311 - no secret
    for depth in count():
        folders = [_folder(connection, href, depth) for href in hrefs]
        found += _choose(folders, chance)
        hrefs = [href for folder in folders for href in folder.below]
        if len(hrefs) > _ALL:
            marked = {href for href in hrefs if any(mark in href for mark in marks)}
            hrefs = sorted(marked.union(chance.sample(hrefs, _SOME)))
        if not hrefs:
            break
    return found


def _folder(connection: Connection, href: str, depth: int) -> _Folder:
    entries = entries_of(connection, href)
    return _Folder(Sampled(href, depth, len(entries)), [each.href for each in entries if each.is_folder])


def _choose(folders: Iterable[_Folder], chance: random.Random) -> list[Sampled]:
    largest, *others = sorted((folder.sampled for folder in folders), key=lambda one: (-one.entries, one.href))
    return [largest, *chance.sample(others, min(_RANDOM, len(others)))]


def entries_of(connection: Connection, folder: str) -> list[Listed]:
    """Return what is in a folder, in the order of the answer, whose first entry is the folder itself.

    Raises:
        WrongAnswer: It cannot be listed.
    """
    connection.ask(question("PROPFIND", folder, depth=1, status=207))
    own, *entries = parse(connection.body)
    if own.href.rstrip("/") != folder:
        raise WrongAnswer(f"PROPFIND of {folder} does not begin with the folder itself")
    return entries


def write_tree(file: Path, connection: Connection, mount: str, folders: Iterable[Sampled]) -> None:
    """Write what ``static.c`` reads, with the folders as the drive lists them now.

    Args:
        file: The file.
        connection: Asks the drive.
        mount: Path of the drive, with a slash at its end.
        folders: All that the static plugin shall have.

    Raises:
        WrongAnswer: A folder cannot be listed.
    """
    packed = {
        unquote(each.href.removeprefix(mount)).encode(): b"".join(_packed(entries_of(connection, each.href)))
        for each in folders
    }
    file.write_bytes(b"".join(b"%b\0%d\0%b" % (path, len(packed[path]), packed[path]) for path in sorted(packed)))


def _packed(entries: Iterable[Listed]) -> Iterator[bytes]:
    for each in entries:
        date = "".join(letter for letter in each.text("getlastmodified") or "" if letter not in "-:Z")
        if each.is_folder:
            yield f"D{each.name}\0{date}\0".encode()
        else:
            yield f"F{each.name}\0{date}\0{each.size}\0{each.text('getcontenttype')}\0".encode()
