"""A layout's file is replaced: how long until the new tree is listed?"""

import json
import re
import time
from pathlib import Path

from bench.connection import Connection, WrongAnswer, question
from bench.sampling import entries_of
from davfs.layout.loader import shipped, shipped_names

SECONDS = 1.0
"""What it may take."""
_TITLE = "changing"
_OF_FILE = re.compile(r'^title = ".*"$', re.MULTILINE)
_RELOAD = "/davfs-api/reload"
_ROUNDS = 3
_LONGEST = 600.0
"""Seconds after which a layout that is not complete is wrong."""


def put(file: Path, title: str) -> None:
    """Write a shipped layout into a layout file, under a title of its own."""
    source = shipped(title)
    assert source is not None
    file.write_text(_OF_FILE.sub(f'title = "{_TITLE}"', source.read_text("utf-8")), "utf-8")


def measure(drive: Connection, mount: str, second: Connection, file: Path) -> dict[str, list[float]]:
    """Put each shipped layout in the place of another one, more than once.

    Args:
        drive: A connection to the drive's first door.
        mount: Path of the drive there, with a slash at its end.
        second: A connection to its second door, which is asked to read the files again.
        file: A file that `put` wrote, with the last of the shipped layouts.

    Returns:
        Seconds from the request to read the files until the complete root of the layout was listed.

    Raises:
        WrongAnswer: It was not read, or does not show what the shipped layout shows.
    """
    titles = shipped_names()
    found: dict[str, list[float]] = {title: [] for title in titles}
    for number in range(_ROUNDS):
        print(f"measuring: changes of a layout, {number + 1} of {_ROUNDS}", flush=True)
        for title in titles:
            expected = _names(drive, mount + title)
            put(file, title)
            began = time.perf_counter()
            reread = _reread(second)
            while _names(drive, mount + _TITLE) != expected:  # its former version, or its progress
                if time.perf_counter() - began > _LONGEST:
                    raise WrongAnswer(f"{title} under another title does not show the same as {title}")
                reread = time.perf_counter() - began
            found[title].append(reread + drive.ask(question("PROPFIND", mount + _TITLE, depth=1, status=207)))
    return found


def _reread(second: Connection) -> float:
    """Have the files read again; return the seconds."""
    seconds = second.ask(question("POST", _RELOAD))
    if errors := json.loads(second.body)["errors"]:
        raise WrongAnswer(f"a layout was not read again: {errors}")
    return seconds


def _names(drive: Connection, root: str) -> list[str]:
    return [each.name for each in entries_of(drive, root)]
