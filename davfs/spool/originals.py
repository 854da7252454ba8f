"""Keeps uploaded files that Orthanc stored in another form, so that clients read back the bytes that they sent.

Orthanc transcodes, a plugin changes images, or Orthanc had the image in another form. Then the uploaded file stays in
the inbox, and has a receipt. It uses the quota until another upload needs the bytes: then a plain receipt takes its
place.

A file is identified by its date and inode, under all of its names. Its receipt is the target of a link in ``sent/``,
which leads nowhere.
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
"""A file's date in nanoseconds, and its inode: keys sort by age."""

_NAME = re.compile(r"([0-9a-f]+)-([0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class Original:
    """The receipt of an uploaded file, and the file's bytes."""

    receipt: Receipt
    size: int


def original_key(status: os.stat_result) -> FileKey:
    """Return the key of a file."""
    return status.st_mtime_ns, status.st_ino


class Originals:
    """The originals of a spool; thread-safe.

    Args:
        folder: Holds the links, in a folder of the spool.
    """

    def __init__(self, folder: DiskPath) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._all: dict[FileKey, Original] = {}

    @property
    def size(self) -> int:
        """Bytes of all originals."""
        with self._lock:
            return sum(each.size for each in self._all.values())

    def load(self, files: Collection[os.stat_result]) -> None:
        """Read the links, and remove those whose files are gone.

        Args:
            files: The status of each file of the spool.
        """
        sizes = {original_key(status): status.st_size for status in files}
        found: dict[FileKey, Original] = {}
        for link in self._folder.iterdir():
            parsed = _NAME.fullmatch(link.name)
            file = (int(parsed[1], 16), int(parsed[2], 16)) if parsed else None
            receipt = parse_receipt(str(link.readlink())) if link.is_symlink() else None
            if file in sizes and receipt:
                found[file] = Original(receipt, sizes[file])
            else:
                self._remove(link)
        with self._lock:
            self._all = found

    def add(self, status: os.stat_result, receipt: Receipt) -> None:
        """Keep the receipt of a file.

        Raises:
            OSError: The link cannot be made.
        """
        link = self._link(original_key(status))
        self._remove(link)  # of a file that had this inode and date before
        link.symlink_to(receipt.target)
        with self._lock:
            self._all[original_key(status)] = Original(receipt, status.st_size)

    def find(self, status: os.stat_result) -> Receipt | None:
        """Return the receipt of a file; None if it is no original."""
        original = self._all.get(original_key(status))
        return original.receipt if original else None

    def forget(self, status: os.stat_result) -> None:
        """Forget a file that is gone."""
        with self._lock:
            original = self._all.pop(original_key(status), None)
        if original:
            self._remove(self._link(original_key(status)))

    def oldest(self, size: int) -> frozenset[FileKey]:
        """Return the oldest files that have so many bytes together."""
        chosen: list[FileKey] = []
        with self._lock:
            for file, original in sorted(self._all.items()):
                if size <= 0:
                    break
                chosen.append(file)
                size -= original.size
        return frozenset(chosen)

    def _link(self, file: FileKey) -> DiskPath:
        return self._folder / f"{file[0]:x}-{file[1]:x}"

    @staticmethod
    def _remove(link: DiskPath) -> None:
        with suppress(OSError):
            link.unlink()
