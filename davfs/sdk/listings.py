"""Packs the entries of folders into the form in which native/send.cc passes them to Orthanc, and caches the result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

from davfs import media_types
from davfs.cache import LruCache
from davfs.dates import basic_date
from davfs.entry import DICOM, Entry, Path

_MAX_FOLDERS = 64
_MAX_BYTES = 16 << 20
_LARGEST_RECENT = (1 << 31) - 1
"""Bytes of a file that native/recent_files.c may send."""
_EARLIEST = datetime(1400, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class PackedListing:
    """The entries of a folder, packed.

    Attributes:
        source: The entries, in the order that they were listed in.
        entries: All of them by name, for ``davfs_add_entries``.
        files: The DICOM files among them that native/recent_files.c may send, for ``davfs_add_recent``.
        generation: The generation of native/recent_files.c that the files were added to; 0 for none.
    """

    source: Sequence[Entry]
    entries: bytes
    files: bytes
    generation: int = 0


class ListingCache:
    """Caches the packed entries of the folders that were listed most recently.

    Args:
        max_folders: Number of folders.
        max_bytes: Bytes of all of them.
    """

    def __init__(self, max_folders: int = _MAX_FOLDERS, max_bytes: int = _MAX_BYTES) -> None:
        self._cache: LruCache[Path, PackedListing] = LruCache(max_folders, max_bytes)

    def packed(self, path: Path, entries: Sequence[Entry]) -> PackedListing:
        """Return a folder's entries, packed: the cached ones if they are made of the same entries.

        All entries are compared. Those of an unchanged folder are the same objects, so that this takes less than a
        hundredth of the time in which Orthanc writes them.
        """
        cached = self._cache.get(path)
        if cached is not None and cached.source == entries:
            return cached
        packed = PackedListing(entries, pack_entries(entries), pack_files(entries))
        self._cache.put(path, packed, len(packed.entries) + len(packed.files))
        return packed


def pack_entries(entries: Iterable[Entry]) -> bytes:
    """Pack entries, by name, as ``davfs_add_entries`` in native/davfs.h takes them."""
    return "".join(_packed(entry) for entry in sorted(entries, key=attrgetter("name"))).encode()


def _packed(entry: Entry) -> str:
    if entry.is_folder:
        return f"D{entry.name}\0{core_date(entry.modified)}\0"
    return f"F{entry.name}\0{core_date(entry.modified)}\0{entry.size}\0{core_media_type(entry)}\0"


def pack_files(entries: Iterable[Entry]) -> bytes:
    """Pack the files that native/recent_files.c may send, as ``davfs_add_recent`` takes them.

    It sends the DICOM file as stored, whatever the drive would show at that path. Large files, which are limited by the
    collection, are not among them.
    """
    steady = (one for one in entries if one.steady and one.media_type == DICOM and one.size <= _LARGEST_RECENT)
    rows = (f"{one.name}\0{one.resource}\0{core_date(one.modified)}\0" for one in steady)
    return "".join(rows).encode("utf-8", "surrogateescape")


def core_date(moment: datetime) -> str:
    """Format a date, in UTC like all dates of the drive, for Orthanc's core.

    A date before 1400, where the calendar of the core's Boost library begins, becomes that of its first day: the core
    leaves out what has a date that it cannot read.
    """
    return basic_date(max(moment, _EARLIEST))


def core_media_type(entry: Entry) -> str:
    """Return a file's media type for Orthanc's core, which derives an empty one from the name in the request."""
    return media_types.safe_media_type(entry.media_type)
