"""Entity tags of the files in the inbox: they change whenever a file does, and tell nothing else of it.

What changes with a file is its date, its size and its number on the disk (inode). As they are, they tell to the
nanosecond when it came, and how many others came after it; so they go through a keyed hash.
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
        file: Holds the key; made where it is missing. Where that is not possible, tags last until the next start.
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
