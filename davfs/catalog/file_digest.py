"""A digest beside the index's file, which shows whether the file was changed while it was closed.

SQLite finds damage in the structure of its file, but not in the values: a name with another letter is a name. So the
file's size and a SHA-1 of all its bytes are written when it is closed. They are removed when it is opened again: a file
without a digest was not closed in order.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from davfs.private import make_private

_CHUNK = 1 << 20
_TIME_LIMIT = 1.5
"""Seconds that a digest may take while Orthanc is being started or stopped: about 1 GB. A larger file gets none."""


class DigestCheck(Enum):
    """Result of comparing a file with its digest."""

    SAME = auto()
    DIFFERENT = auto()
    MISSING = auto()


def write(file: Path, now: Callable[[], float] = time.monotonic) -> None:
    """Write the digest of a closed file, unless that takes too long or fails.

    Args:
        file: The file.
        now: Clock, in seconds.
    """
    ends = now() + _TIME_LIMIT
    with suppress(OSError, TimeoutError):
        digest = _digest(file, lambda: now() < ends)
        make_private(_digest_file(file))
        _digest_file(file).write_text(digest)


def check(file: Path, now: Callable[[], float] = time.monotonic) -> DigestCheck:
    """Compare a file with its digest, and remove the digest; one that takes too long to compare counts as missing.

    Args:
        file: The file.
        now: Clock, in seconds.
    """
    digest_file = _digest_file(file)
    try:
        expected = digest_file.read_text(errors="replace")
    except FileNotFoundError:
        return DigestCheck.MISSING
    digest_file.unlink()
    if not file.exists() or file.with_name(f"{file.name}-wal").exists():  # it was opened after all
        return DigestCheck.MISSING
    ends = now() + _TIME_LIMIT
    try:
        return DigestCheck.SAME if _digest(file, lambda: now() < ends) == expected else DigestCheck.DIFFERENT
    except TimeoutError:
        return DigestCheck.MISSING


def _digest_file(file: Path) -> Path:
    return file.with_name(f"{file.name}-digest")


def _digest(file: Path, may_continue: Callable[[], bool]) -> str:
    digest, chunk = hashlib.sha1(usedforsecurity=False), bytearray(_CHUNK)
    with file.open("rb", buffering=0) as content:
        while read := content.readinto(chunk):
            digest.update(memoryview(chunk)[:read])
            if not may_continue():
                raise TimeoutError
    return f"{file.stat().st_size} {digest.hexdigest()}"
