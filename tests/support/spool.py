"""A small spool with its own clock: fixtures and shorthands for tests."""

import time
from collections.abc import Callable
from pathlib import Path as DiskPath

import pytest

from davfs.entry import Path
from davfs.orthanc import OrthancId
from davfs.spool.files import InboxFiles
from davfs.spool.items import Receipt
from davfs.spool.spool import Spool

RECEIPT = Receipt(OrthancId("01234567-89abcdef-01234567-89abcdef-01234567"), 39206)
DAY = 86400.0

Act = Callable[[Path], object]
"""An operation on a path."""


class Clock:
    """The real time, put forward by some seconds."""

    ahead = 0.0

    def __call__(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    """A clock that can be put forward."""
    return Clock()


@pytest.fixture
def spool(tmp_path: DiskPath, clock: Clock) -> Spool:
    """A spool of 1000 bytes and one day."""
    return Spool(tmp_path, maximum_size=1000, maximum_age=DAY, now=clock)


def names(spool: Spool, path: Path = ()) -> list[str]:
    """List a folder."""
    return [item.entry.name for item in spool.list(path)]


def content(spool: InboxFiles, path: Path, start: int = 0, stop: int | None = None) -> bytes:
    """Read a file."""
    with spool.open(path) as opened:
        return b"".join(opened.buffers(start, stop))


def incoming(spool: Spool) -> list[DiskPath]:
    """List unfinished uploads."""
    return list(spool._disk.incoming.iterdir())
