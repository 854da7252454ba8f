"""An inbox of an Orthanc in memory: fixtures, sample files and shorthands for tests."""

from collections.abc import Iterator
from pathlib import Path as DiskPath

import pydicom.data
import pytest

from davfs.entry import Path
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.spool.spool import Spool
from tests.support.memory_orthanc import MemoryOrthanc

TEST_FILES = DiskPath(str(pydicom.data.get_testdata_file("CT_small.dcm"))).parent
CT = (TEST_FILES / "CT_small.dcm").read_bytes()
MR = (TEST_FILES / "MR_small.dcm").read_bytes()
NO_PREAMBLE = CT[336:]  # the data set alone
BROKEN = CT[:132] + b"garbage" * 20
CHANGED = CT[:-1000] + bytes([CT[-1000] ^ 1]) + CT[-999:]  # another pixel


@pytest.fixture
def orthanc() -> MemoryOrthanc:
    """An empty Orthanc."""
    return MemoryOrthanc()


@pytest.fixture
def spool(tmp_path: DiskPath) -> Spool:
    """A spool of a megabyte."""
    return Spool(tmp_path, maximum_size=1 << 20, maximum_age=86400)


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    """Lanes of one worker each, which lose their patience soon."""
    lanes = Lanes(workers=1, patience=0.5)
    yield lanes
    assert lanes.stop(10)


@pytest.fixture
def inbox(orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes) -> Inbox:
    """An inbox that takes uploads."""
    return Inbox(orthanc, spool, lanes, Importer(orthanc))


def names(inbox: Inbox, path: Path = ()) -> list[str]:
    """List a folder."""
    return [entry.name for entry in inbox.list(path)]


def content(inbox: Inbox, path: Path, start: int = 0, stop: int | None = None) -> bytes:
    """Read a file, and check that its entry tells its size."""
    with inbox.read(path) as opened:
        assert opened.entry.size == sum(map(len, opened.buffers()))
        return b"".join(opened.buffers(start, stop))
