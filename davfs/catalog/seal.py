"""A digest beside a file that was closed in order: a disk or copy that changed it meanwhile is noticed.

SQLite finds damage in the structure of its file, but not in the values: a name with another letter is a name. Its size
and a digest of all its bytes tell. They are written when the file is closed, and taken away when it is opened again, so
that a file without them is one that was not closed in order.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from davfs.private import make_private

_CHUNK = 1 << 20
_LONGEST = 1.5
"""Seconds that a digest may take while Orthanc is being stopped: about 1 GB. A larger file goes without."""


class Seal(Enum):
    """What the digest beside a file tells."""

    WHOLE = auto()
    BROKEN = auto()
    MISSING = auto()


def put(file: Path, now: Callable[[], float] = time.monotonic) -> None:
    """Write the digest of a file that nobody changes any more, unless that takes too long or cannot be done.

    Args:
        file: The file.
        now: Clock, in seconds.
    """
    ends = now() + _LONGEST
    with suppress(OSError, TimeoutError):
        digest = _digest(file, lambda: now() < ends)
        make_private(_beside(file))
        _beside(file).write_text(digest)


def take(file: Path) -> Seal:
    """Compare a file with its digest, and remove that."""
    seal = _beside(file)
    try:
        expected = seal.read_text(errors="replace")
    except FileNotFoundError:
        return Seal.MISSING
    seal.unlink()
    if not file.exists() or file.with_name(f"{file.name}-wal").exists():  # it was opened after all
        return Seal.MISSING
    return Seal.WHOLE if _digest(file, lambda: True) == expected else Seal.BROKEN


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}-digest")


def _digest(file: Path, may_go_on: Callable[[], bool]) -> str:
    digest, chunk = hashlib.sha1(usedforsecurity=False), bytearray(_CHUNK)
    with file.open("rb", buffering=0) as content:
        while read := content.readinto(chunk):
            digest.update(memoryview(chunk)[:read])
            if not may_go_on():
                raise TimeoutError
    return f"{file.stat().st_size} {digest.hexdigest()}"
