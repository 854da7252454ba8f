"""Makes the entity tags of files in the inbox: they change whenever the file changes, and reveal nothing about it.

A tag is a keyed hash of the file's date, size and inode. Unhashed, they would reveal to the nanosecond when a file was
uploaded, and how many files followed it.
"""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path as DiskPath

from davfs.spool.descriptors import open_file

_LENGTH = 32
_DIGEST = 16


class EntityTags:
    """Makes entity tags, which stay the same over restarts.

    Args:
        file: Holds the key; made if it is missing. If that is not possible, tags last until the next start.
    """

    def __init__(self, file: DiskPath) -> None:
        self._keyed = hashlib.blake2b(key=_read(file) or _made(file), digest_size=_DIGEST)

    def of(self, status: os.stat_result, instance: str = "") -> str:
        """Return the tag of a file, or of a receipt for an instance of Orthanc."""
        tag = self._keyed.copy()  # half of the time of a new one
        tag.update(b"%d %d %d %b" % (status.st_mtime_ns, status.st_size, status.st_ino, instance.encode()))
        return tag.hexdigest()


def _read(file: DiskPath) -> bytes:
    with suppress(OSError), open_file(None, str(file)) as opened:  # neither a link nor a pipe
        key = opened.read(_LENGTH + 1)
        return key if len(key) == _LENGTH else b""
    return b""


def _made(file: DiskPath) -> bytes:
    key = secrets.token_bytes(_LENGTH)
    unfinished = file.with_suffix(".new")
    with suppress(OSError):
        unfinished.unlink(missing_ok=True)
        with open(unfinished, "xb", opener=_private) as new:
            new.write(key)
        unfinished.replace(file)
    return key


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
