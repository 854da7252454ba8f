"""Reads one name of the spool's folder: a folder, an ordinary file, or a receipt for a file that Orthanc holds.

A receipt is a dangling symbolic link in the file's place: its target names an instance of Orthanc and a size. So
listing, renaming and deleting need no database, and replacing a file by its receipt is one atomic rename.
"""

import io
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from davfs import media_types
from davfs.entry import DICOM, Entry, EntryKind
from davfs.orthanc import OrthancId
from davfs.spool.entity_tags import EntityTags

LONGEST_NAME = 255
"""Bytes of UTF-8 that a name may have, as on Linux."""

DEEPEST = 64
"""Segments that a path may have."""

_BLOCK = 1 << 20
_RECEIPT = re.compile(r"orthanc-instance:([0-9a-f]{8}(?:-[0-9a-f]{8}){4})\?size=(0|[1-9][0-9]{0,18})")
# Separators, control characters, and characters that XML 1.0 §2.2 does not allow.
_ILLEGAL = re.compile("[\x00-\x1f\x7f-\x9f/\\\\\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Stands for a file that Orthanc holds.

    Attributes:
        instance: Orthanc's identifier of the instance.
        size: Bytes of the file that Orthanc serves.
    """

    instance: OrthancId
    size: int

    @property
    def target(self) -> str:
        """The receipt as the target of a link."""
        return f"orthanc-instance:{self.instance}?size={self.size}"


@dataclass(frozen=True, slots=True)
class Item:
    """A folder, an ordinary file, or a receipt.

    Attributes:
        entry: Its entry.
        receipt: The receipt, if it is one.
        has_original: The receipt has the uploaded file itself.
        uuid: Orthanc's name of the imported file, if it was imported just now; empty otherwise.
    """

    entry: Entry
    receipt: Receipt | None = None
    has_original: bool = False
    uuid: str = ""


class OpenFile:
    """An ordinary file, open for reading: `davfs.entry.Content`.

    Args:
        entry: Its entry.
        file: The file, which is closed at the end.
        counted: Entered and left with it: counts it in the quota while it is read.
    """

    def __init__(self, entry: Entry, file: io.FileIO, counted: AbstractContextManager[None]) -> None:
        self._file = file
        self._counted = counted
        self.entry = entry

    def __enter__(self) -> Self:
        self._counted.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._counted.__exit__(None, None, None)

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Yield the bytes in blocks. The file is not mapped: truncating it on the disk would end the process."""
        stop = self.entry.size if stop is None else min(stop, self.entry.size)
        while start < stop:
            block = os.pread(self._file.fileno(), min(_BLOCK, stop - start), start)
            if not block:
                return
            yield memoryview(block)
            start += len(block)


def is_name(name: str) -> bool:
    """Return True if a name can be kept on the disk and shown by WebDAV.

    Names do not end with a dot: Orthanc's core strips dots from requests, so such a file could never be requested.
    """
    return (
        not name.endswith(".")
        and name != ""
        and not _ILLEGAL.search(name)
        and len(name.encode()) <= LONGEST_NAME
        and unicodedata.is_normalized("NFC", name)
    )


def folder_item(name: str, status: os.stat_result) -> Item:
    """Return the item of a folder."""
    return Item(Entry(name, EntryKind.FOLDER, _modified(status)))


def file_item(name: str, status: os.stat_result, tags: EntityTags) -> Item:
    """Return the item of an ordinary file."""
    media_type = media_types.of_name(name)
    return Item(Entry(name, EntryKind.FILE, _modified(status), status.st_size, tags.of(status), media_type))


def receipt_item(name: str, receipt: Receipt, status: os.stat_result, tags: EntityTags) -> Item:
    """Return the item of a receipt, which looks like the imported file."""
    # With the receipt's date: Orthanc's "OverwriteInstances" may put another content under the same id.
    instance = receipt.instance
    etag = tags.of(status, instance)
    return Item(Entry(name, EntryKind.FILE, _modified(status), receipt.size, etag, DICOM, resource=instance), receipt)


def original_item(item: Item, receipt: Receipt) -> Item:
    """Return the item of an original: of a file that has a receipt."""
    return Item(item.entry._replace(media_type=DICOM, resource=receipt.instance), receipt, has_original=True)


def read_item(parent: int, name: str, status: os.stat_result, tags: EntityTags) -> Item | None:
    """Return the item of a name in an open folder; None if it is neither a folder, a regular file nor a receipt."""
    if stat.S_ISDIR(status.st_mode):
        return folder_item(name, status)
    if stat.S_ISREG(status.st_mode):
        return file_item(name, status, tags)
    receipt = read_receipt(parent, name)
    return receipt_item(name, receipt, status, tags) if receipt else None


def read_receipt(parent: int, name: str) -> Receipt | None:
    """Return the receipt of this name in an open folder; None if there is none."""
    try:
        return parse_receipt(os.readlink(name, dir_fd=parent))
    except OSError:  # no link (any more)
        return None


def parse_receipt(target: str) -> Receipt | None:
    """Parse the target of a link; return None if it is no receipt."""
    parsed = _RECEIPT.fullmatch(target)
    return Receipt(OrthancId(parsed[1]), int(parsed[2])) if parsed else None


def _modified(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)
