"""Listings between the door and Orthanc's core: used once, and packed anew whenever they differ."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from davfs.entry import DICOM, Entry, EntryKind
from davfs.sdk.listings import Listing, PackedListings, pack_entries, pack_files

DATE = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
FOLDER = Entry("b", EntryKind.FOLDER, DATE, resource="p")
FILE = Entry("a.dcm", EntryKind.FILE, DATE, 7, "1", DICOM, "i", steady=True)
TEXT = Entry("c.txt", EntryKind.FILE, DATE, 3, "", "text/plain")
ENTRIES = [FOLDER, FILE, TEXT]


def listing(*entries: Entry, path: str = "x") -> Listing:
    """Return a listing of new objects, as a folder has it that was read again."""
    return Listing((path,), 1, [replace(entry) for entry in entries])


def test_packed() -> None:
    """Entries come by name; the files that native/recent.c may answer for are those that are steady."""
    assert pack_entries(ENTRIES) == (
        b"Fa.dcm\x0020240229T123000\x007\x00application/dicom\x00"
        b"Db\x0020240229T123000\x00"
        b"Fc.txt\x0020240229T123000\x003\x00text/plain\x00"
    )
    assert pack_files(ENTRIES) == b"a.dcm\x00i\x0020240229T123000\x00"
    assert pack_files([replace(FILE, steady=False), replace(FILE, media_type="application/zip")]) == b""


def test_packed_once() -> None:
    """The same entries are packed once, for each of the folders that they are in."""
    listings = PackedListings()
    packed = listings.of(listing(*ENTRIES))
    assert (packed.rows, packed.files) == (pack_entries(ENTRIES), pack_files(ENTRIES))
    other = listings.of(listing(FOLDER, path="y"))
    assert listings.of(listing(*ENTRIES)) is packed
    assert listings.of(listing(FOLDER, path="y")) is other


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [FOLDER, FILE],
        [*ENTRIES, replace(FOLDER, name="d")],
        [replace(FOLDER, name="c"), FILE, TEXT],
        [replace(FOLDER, modified=DATE + timedelta(seconds=1)), FILE, TEXT],
        [FOLDER, replace(FILE, size=8), TEXT],
        [FOLDER, replace(FILE, resource="j"), TEXT],
        [FOLDER, replace(FILE, steady=False), TEXT],
        [FOLDER, FILE, replace(TEXT, kind=EntryKind.FOLDER)],
    ],
)
def test_stale_packing(entries: list[Entry]) -> None:
    """Whatever differs, the folder is packed anew, and its files are given to native/recent.c again."""
    listings = PackedListings()
    listings.of(listing(*ENTRIES)).remembered = 1
    packed = listings.of(listing(*entries))
    assert (packed.rows, packed.files, packed.remembered) == (pack_entries(entries), pack_files(entries), 0)


def test_bounds() -> None:
    """Folders that were not listed for the longest, and folders too large to be kept, are packed anew."""
    few = PackedListings(most=2)
    first = few.of(listing(FOLDER, path="1"))
    assert few.of(listing(FOLDER, path="1")) is first
    for path in "23":
        few.of(listing(FOLDER, path=path))
    assert few.of(listing(FOLDER, path="1")) is not first
    small = PackedListings(room=len(first.rows))
    assert small.of(listing(FOLDER)) is small.of(listing(FOLDER))
    assert small.of(listing(*ENTRIES)) is not small.of(listing(*ENTRIES))
