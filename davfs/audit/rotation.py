"""Names of audit files that are full: the time of their end (UTC) stands between stem and extension.

``audit.jsonl`` becomes ``audit-20261130T140212Z.jsonl``. So names sort by age, and no name is used twice.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

_STAMP = "%Y%m%dT%H%M%SZ"


def rotated_files(path: Path) -> list[Path]:
    """Return the full files of an audit file, oldest first.

    Raises:
        OSError: Their folder cannot be read.
    """
    name = re.compile(rf"{re.escape(path.stem)}-(\d{{8}}T\d{{6}}Z)(?:-(\d+))?{re.escape(path.suffix)}(?:\.gz)?")
    found = [
        (match[1], int(match[2] or 1), each) for each in path.parent.iterdir() if (match := name.fullmatch(each.name))
    ]
    return [each for *_, each in sorted(found)]


def rotate(path: Path, now: datetime) -> None:
    """Rename an audit file that is full. It is in its folder at any time, under one of both names.

    Args:
        path: The file; the caller has it locked.
        now: The time; if there are later files, since the clock was put back, their time counts.

    Raises:
        OSError: It cannot be renamed.
    """
    stamp = now.astimezone(UTC).strftime(_STAMP)
    later = [
        match[0] for each in rotated_files(path) if (match := re.search(r"\d{8}T\d{6}Z", each.name[len(path.stem) :]))
    ]
    for target in _names(path, max([stamp, *later])):
        if not os.path.lexists(target) and not os.path.lexists(f"{target}.gz"):
            path.rename(target)
            return


def delete_oldest(path: Path, keep: int) -> None:
    """Delete the oldest full files, if there are more than `keep`; 0 keeps all.

    Raises:
        OSError: One cannot be deleted.
    """
    for old in rotated_files(path)[:-keep] if keep else ():
        old.unlink(missing_ok=True)


def _names(path: Path, stamp: str) -> Iterator[Path]:
    yield path.with_name(f"{path.stem}-{stamp}{path.suffix}")
    number = 2
    while True:
        yield path.with_name(f"{path.stem}-{stamp}-{number}{path.suffix}")
        number += 1
