"""Tests of packed listings (`davfs.sdk.listings`): packed once, and again whenever an entry differs."""

from datetime import UTC, datetime, timedelta

import pytest

from davfs.entry import DICOM, Entry, EntryKind
from davfs.sdk.listings import ListingCache, PackedListing, pack_entries, pack_files

DATE = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
FOLDER = Entry("b", EntryKind.FOLDER, DATE, resource="p")
FILE = Entry("a.dcm", EntryKind.FILE, DATE, 7, "1", DICOM, "i", steady=True)
TEXT = Entry("c.txt", EntryKind.FILE, DATE, 3, "", "text/plain")
ENTRIES = [FOLDER, FILE, TEXT]


def packed_in(cache: ListingCache, *entries: Entry, path: str = "x") -> PackedListing:
    """Pack a listing of new objects, as if the folder was read again."""
    return cache.packed((path,), [entry._replace() for entry in entries])


def test_packed() -> None:
    """Entries are sorted by name; only steady DICOM files go to native/recent_files.c."""
    assert pack_entries(ENTRIES) == (
        b"Fa.dcm\x0020240229T123000\x007\x00application/dicom\x00"
        b"Db\x0020240229T123000\x00"
        b"Fc.txt\x0020240229T123000\x003\x00text/plain\x00"
    )
    assert pack_files(ENTRIES) == b"a.dcm\x00i\x0020240229T123000\x00"
    assert pack_files([FILE._replace(steady=False), FILE._replace(media_type="application/zip")]) == b""


def test_packed_once() -> None:
    """The same entries are packed once, for each of the folders that they are in."""
    listings = ListingCache()
    packed = packed_in(listings, *ENTRIES)
    assert (packed.entries, packed.files) == (pack_entries(ENTRIES), pack_files(ENTRIES))
    other = packed_in(listings, FOLDER, path="y")
    assert packed_in(listings, *ENTRIES) is packed
    assert packed_in(listings, FOLDER, path="y") is other


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [FOLDER, FILE],
        [*ENTRIES, FOLDER._replace(name="d")],
        [FOLDER._replace(name="c"), FILE, TEXT],
        [FOLDER._replace(modified=DATE + timedelta(seconds=1)), FILE, TEXT],
        [FOLDER, FILE._replace(size=8), TEXT],
        [FOLDER, FILE._replace(resource="j"), TEXT],
        [FOLDER, FILE._replace(steady=False), TEXT],
        [FOLDER, FILE, TEXT._replace(kind=EntryKind.FOLDER)],
    ],
)
def test_stale_packing(entries: list[Entry]) -> None:
    """If any entry differs, the folder is packed again, and its files go to native/recent_files.c again."""
    listings = ListingCache()
    packed_in(listings, *ENTRIES).generation = 1
    packed = packed_in(listings, *entries)
    assert (packed.entries, packed.files, packed.generation) == (pack_entries(entries), pack_files(entries), 0)


def test_bounds() -> None:
    """The folders listed least recently, and folders too large for the cache, are packed again."""
    few = ListingCache(max_folders=2)
    first = packed_in(few, FOLDER, path="1")
    assert packed_in(few, FOLDER, path="1") is first
    for path in "23":
        packed_in(few, FOLDER, path=path)
    assert packed_in(few, FOLDER, path="1") is not first
    small = ListingCache(max_bytes=len(first.entries))
    assert packed_in(small, FOLDER) is packed_in(small, FOLDER)
    assert packed_in(small, *ENTRIES) is not packed_in(small, *ENTRIES)
