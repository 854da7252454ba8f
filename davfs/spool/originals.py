"""Keeps uploaded files whose bytes Orthanc stored in another form.

Where Orthanc stores other bytes than it was given (it transcodes, a plugin changes what comes in, or it had the image
in another form), clients that look for what they uploaded would find another file. So it stays, and is read back as it
was sent. It takes room, and gives it back when something else needs it: a receipt takes its place then.

A file is known by its inode and its date, under each of its names. What it stands for is kept in a folder of its own,
as a link that leads nowhere and has a receipt for its text.
"""

import os
import re
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path as DiskPath
from typing import TypeAlias

from davfs.spool.items import Receipt, parse_receipt

FileKey: TypeAlias = tuple[int, int]
"""A file's date in nanoseconds, and its inode: so that keys sort by age."""

_NAME = re.compile(r"([0-9a-f]+)-([0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class Original:
    receipt: Receipt
    size: int


def key(status: os.stat_result) -> FileKey:
    """Return what a file is known by."""
    return status.st_mtime_ns, status.st_ino


class Originals:
    """The files that were kept as they were sent; its methods may be called from several threads at once.

    Args:
        folder: Holds the links, in a folder of the spool.
    """

    def __init__(self, folder: DiskPath) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: dict[FileKey, Original] = {}

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        with self._lock:
            return sum(each.size for each in self._kept.values())

    def load(self, files: Collection[os.stat_result]) -> None:
        """Read the links, and remove those whose files are gone.

        Args:
            files: The status of each file of the spool.
        """
        sizes = {key(status): status.st_size for status in files}
        found: dict[FileKey, Original] = {}
        for link in self._folder.iterdir():
            parsed = _NAME.fullmatch(link.name)
            known = (int(parsed[1], 16), int(parsed[2], 16)) if parsed else None
            receipt = parse_receipt(str(link.readlink())) if link.is_symlink() else None
            if known in sizes and receipt:
                found[known] = Original(receipt, sizes[known])
            else:
                self._remove(link)
        with self._lock:
            self._kept = found

    def note(self, status: os.stat_result, receipt: Receipt) -> None:
        """Remember what a file stands for.

        Raises:
            OSError: It cannot be written down.
        """
        link = self._link(key(status))
        self._remove(link)  # of a file that had this inode and date before
        link.symlink_to(receipt.target)
        with self._lock:
            self._kept[key(status)] = Original(receipt, status.st_size)

    def find(self, status: os.stat_result) -> Receipt | None:
        """Return what a file stands for, None for nothing."""
        kept = self._kept.get(key(status))
        return kept.receipt if kept else None

    def forget(self, status: os.stat_result) -> None:
        """Forget a file that is gone."""
        with self._lock:
            kept = self._kept.pop(key(status), None)
        if kept:
            self._remove(self._link(key(status)))

    def oldest(self, size: int) -> frozenset[FileKey]:
        """Return the oldest files, as many as have so many bytes together."""
        chosen: list[FileKey] = []
        with self._lock:
            for known, kept in sorted(self._kept.items()):
                if size <= 0:
                    break
                chosen.append(known)
                size -= kept.size
        return frozenset(chosen)

    def _link(self, known: FileKey) -> DiskPath:
        return self._folder / f"{known[0]:x}-{known[1]:x}"

    @staticmethod
    def _remove(link: DiskPath) -> None:
        with suppress(OSError):
            link.unlink()
