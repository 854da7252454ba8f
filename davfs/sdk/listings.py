"""Listings on their way to the core, which takes them entry by entry.

1. The first callback of a PROPFIND asks whether there is a folder. Where its content is wanted too, it is listed then.
2. `PackedListings` keeps the entries in the form in which they are handed over, and packs them anew where a listing
   differs from the last one of that folder.
3. native/handover.c keeps them for the second callback, which gives them to the core: Python is asked once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from davfs import media_types
from davfs.cache import LruCache
from davfs.entry import DICOM, Entry, Path

_MOST = 64
"""Folders whose entries are kept packed."""
_ROOM = 16 << 20
"""Bytes of all of them."""
_LARGEST_STEADY = (1 << 31) - 1
"""Bytes of a file that native/recent.c may answer with."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder held.

    Attributes:
        path: The folder.
        since: Generation of native/recent.c before it was listed.
        entries: What is in it, in any order.
    """

    path: Path
    since: int
    entries: Sequence[Entry]


@dataclass(slots=True)
class Packed:
    """Entries as native/ takes them.

    Attributes:
        entries: The entries, in the order that they were listed in.
        rows: All of them by name, for ``davfs_add_entries``.
        files: Those that are steady DICOM files, for ``davfs_remember_recent``.
        remembered: The generation of native/recent.c that the files were given to; 0 for none.
    """

    entries: Sequence[Entry]
    rows: bytes
    files: bytes
    remembered: int = 0


class PackedListings:
    """The entries of the folders that were listed last.

    Args:
        most: Number of folders.
        room: Bytes of all of them.
    """

    def __init__(self, most: int = _MOST, room: int = _ROOM) -> None:
        self._kept: LruCache[Path, Packed] = LruCache(most, room)

    def of(self, listing: Listing) -> Packed:
        """Return a listing's entries, packed: the same object while they are the same.

        All of them are compared. Those of a folder where nothing happens are the same objects, so that this takes less
        than a hundredth of what the core takes to write them.
        """
        kept = self._kept.get(listing.path)
        if kept is not None and kept.entries == listing.entries:
            return kept
        packed = Packed(listing.entries, pack_entries(listing.entries), pack_files(listing.entries))
        self._kept.put(listing.path, packed, len(packed.rows) + len(packed.files))
        return packed


def pack_entries(entries: Iterable[Entry]) -> bytes:
    """Return entries, by name, as ``davfs_add_entries`` in native/davfs.h takes them."""
    return "".join(_packed(entry) for entry in sorted(entries, key=lambda entry: entry.name)).encode()


def _packed(entry: Entry) -> str:
    if entry.is_folder:
        return f"D{entry.name}\0{date(entry.modified)}\0"
    return f"F{entry.name}\0{date(entry.modified)}\0{entry.size}\0{mime(entry)}\0"


def pack_files(entries: Iterable[Entry]) -> bytes:
    """Return those of the entries that native/recent.c may answer for, as ``davfs_remember_recent`` takes them.

    It sends the DICOM file as stored, whatever the drive would show at that path; a large one, for which the door has a
    limit, is left to the door.
    """
    steady = (one for one in entries if one.steady and one.media_type == DICOM and one.size <= _LARGEST_STEADY)
    rows = (f"{one.name}\0{one.resource}\0{date(one.modified)}\0" for one in steady)
    return "".join(rows).encode("utf-8", "surrogateescape")


def date(moment: datetime) -> str:
    """Return a date, in UTC as all dates of the drive are, in the core's form."""
    return f"{moment:%Y%m%dT%H%M%S}"


def mime(entry: Entry) -> str:
    """Return the type that the core is told of a file: always one, or it would go by the name of the request."""
    return media_types.safe_media_type(entry.media_type)
