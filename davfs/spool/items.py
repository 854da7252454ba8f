"""Reads one name of the spool's folder: a folder, an ordinary file, or a receipt for a file that Orthanc holds.

A receipt is a dangling symbolic link at the place of the file: its target names an instance of Orthanc and a size. So
listing, renaming and deleting need no second database, and replacing a file by its receipt is one atomic rename.
"""

import io
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from davfs import media_types
from davfs.entry import DICOM, Entry, EntryKind
from davfs.orthanc import OrthancId
from davfs.spool.entity_tags import EntityTags

LONGEST_NAME = 255
"""Bytes of UTF-8 that a name may have, which is what Linux keeps."""

DEEPEST = 64
"""Segments that a path may have."""

_BLOCK = 1 << 20
_RECEIPT = re.compile(r"orthanc-instance:([0-9a-f]{8}(?:-[0-9a-f]{8}){4})\?size=(0|[1-9][0-9]{0,18})")
# Separators, control characters, and what XML 1.0 §2.2 cannot carry.
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
        entry: What is shown.
        receipt: What it stands for, where it is a receipt.
        has_original: The receipt has a file of its own, with what was sent.
        uuid: Orthanc's name for the file that a receipt stands for, where Orthanc has just told it; empty otherwise.
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
        """Yield the bytes in blocks. Not mapped: a file that is cut off on the disk would end the process."""
        stop = self.entry.size if stop is None else min(stop, self.entry.size)
        while start < stop:
            block = os.pread(self._file.fileno(), min(_BLOCK, stop - start), start)
            if not block:
                return
            yield memoryview(block)
            start += len(block)


def is_name(name: str) -> bool:
    """Return True if a name can be kept on the disk and shown by WebDAV.

    Names end without a dot: Orthanc's core strips those from requests, so such a name could never be asked for.
    """
    return (
        not name.endswith(".")
        and name != ""
        and not _ILLEGAL.search(name)
        and len(name.encode()) <= LONGEST_NAME
        and unicodedata.is_normalized("NFC", name)
    )


def folder_item(name: str, status: os.stat_result) -> Item:
    """Return a folder."""
    return Item(Entry(name, EntryKind.FOLDER, _modified(status)))


def file_item(name: str, status: os.stat_result, tags: EntityTags) -> Item:
    """Return an ordinary file."""
    media_type = media_types.of_name(name)
    return Item(Entry(name, EntryKind.FILE, _modified(status), status.st_size, tags.of(status), media_type))


def receipt_item(name: str, receipt: Receipt, status: os.stat_result, tags: EntityTags) -> Item:
    """Return a receipt, which looks like the file that it stands for."""
    # With the receipt's date: Orthanc's "OverwriteInstances" may put another content under the same id.
    instance = receipt.instance
    etag = tags.of(status, instance)
    return Item(Entry(name, EntryKind.FILE, _modified(status), receipt.size, etag, DICOM, resource=instance), receipt)


def original_item(item: Item, receipt: Receipt) -> Item:
    """Return the item of an original: of a file that has a receipt."""
    return Item(replace(item.entry, media_type=DICOM, resource=receipt.instance), receipt, has_original=True)


def read_item(parent: int, name: str, status: os.stat_result, tags: EntityTags) -> Item | None:
    """Return what a name in an open folder stands for; None for what is neither folder, regular file nor receipt."""
    if stat.S_ISDIR(status.st_mode):
        return folder_item(name, status)
    if stat.S_ISREG(status.st_mode):
        return file_item(name, status, tags)
    receipt = read_receipt(parent, name)
    return receipt_item(name, receipt, status, tags) if receipt else None


def read_receipt(parent: int, name: str) -> Receipt | None:
    """Return the receipt of this name in an open folder, None where there is none."""
    try:
        return parse_receipt(os.readlink(name, dir_fd=parent))
    except OSError:  # no link (any more)
        return None


def parse_receipt(target: str) -> Receipt | None:
    """Return the receipt that the target of a link is, None where it is none."""
    parsed = _RECEIPT.fullmatch(target)
    return Receipt(OrthancId(parsed[1]), int(parsed[2])) if parsed else None


def _modified(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)
