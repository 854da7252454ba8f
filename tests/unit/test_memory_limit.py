"""Tests of the size limit of files at Orthanc's own port (`davfs.doors.collection.memory_limit`)."""

import logging
from datetime import UTC, datetime

import pytest

from davfs.doors.collection.memory_limit import MemoryLimit
from davfs.entry import DICOM, Entry, EntryKind
from davfs.errors import TooLarge
from tests.support import clocks
from tests.support.clocks import Clock

# pytest finds fixtures by the names in a module.
clock = clocks.clock

SINCE = datetime(2024, 2, 29, 12, tzinfo=UTC)
PATH = ("by-patient", "Doe", "study.zip")


@pytest.fixture
def limit(clock: Clock) -> MemoryLimit:
    """A limit of 100 bytes."""
    return MemoryLimit(100, image=1 << 31, now=clock)


def entry(size: int, media_type: str = "application/zip", resource: str = "a study") -> Entry:
    """Return a file."""
    return Entry("study.zip", EntryKind.FILE, SINCE, size, media_type=media_type, resource=resource)


def test_bytes_and_sizes_take_the_same_memory(limit: MemoryLimit) -> None:
    """Reading takes twice a file's size of memory, counting its bytes takes it once."""
    limit.check_read(PATH, entry(100))
    limit.check_shown(PATH, entry(200))
    with pytest.raises(TooLarge):
        limit.check_read(PATH, entry(101))
    with pytest.raises(TooLarge) as caught:
        limit.check_shown(PATH, entry(201))
    assert caught.value.path == PATH
    assert "server" in caught.value.reason


def test_images_have_the_core_s_own_limit(limit: MemoryLimit) -> None:
    """An instance may be as large as Orthanc can send; a file that only has the media type of one may not."""
    limit.check_read(PATH, entry(1 << 31, DICOM))
    limit.check_shown(PATH, entry((1 << 32) - 1, DICOM))
    for size, resource in (((1 << 31) + 1, "an instance"), (101, "")):
        with pytest.raises(TooLarge):
            limit.check_read(PATH, entry(size, DICOM, resource))
    with pytest.raises(TooLarge):
        limit.check_shown(PATH, entry(1 << 32, DICOM))


def test_warnings_are_logged_once_a_minute(limit: MemoryLimit, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The warning states the size, and no name."""
    for clock.now in (0, 1, 59, 60, 61, 119, 121):
        with caplog.at_level(logging.WARNING), pytest.raises(TooLarge):
            limit.check_read(PATH, entry(1000 + int(clock.now)))
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition("a file of ")[2].split()[0] for line in lines] == ["1000", "1060", "1121"]
    assert all("Davfs.Server" in line and "Doe" not in line and "study" not in line for line in lines)
