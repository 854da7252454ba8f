"""Puts the trash together."""

import hashlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from davfs.derived.files import DerivedFiles
from davfs.filesystem.trash.area import TrashArea
from davfs.filesystem.trash.entry_trees import EntryTrees
from davfs.filesystem.trash.refresh import TrashRefresh
from davfs.filesystem.trash.retention import Retention
from davfs.filesystem.trash.sent_again import SentAgain, SentAgainQueue, ShownAgain
from davfs.filesystem.trash.trash import Trash
from davfs.filesystem.trash.uploads import UploadedImages
from davfs.orthanc import Orthanc
from davfs.orthanc.ranges import RangeCache
from davfs.running.hiding import Hiding
from davfs.settings.configuration import Configuration
from davfs.settings.setup import Setup

_SENT_AGAIN = "sent-again.json"
"""File beside the catalog with images that were sent again and not looked up yet when the drive ended."""
_LONGEST = 36_500
"""Days of the longest retention: a date that is later cannot be written."""


@dataclass(frozen=True, slots=True)
class TrashParts:
    """The parts of the trash.

    Attributes:
        trash: The trash.
        area: Its area of the drive.
        uploads: Takes images out of it that are uploaded again.
        retention: Its background thread.
        sent_again: The thread that takes images out of it that are sent to Orthanc again; none outside Orthanc.
        closed: Called to close its files.
    """

    trash: Trash
    area: TrashArea
    uploads: UploadedImages
    retention: Retention
    sent_again: tuple[SentAgain, ...]
    closed: tuple[Callable[[], object], ...]

    def close(self) -> None:
        """Close files, and delete indices."""
        for close in self.closed:
            close()


def make_trash(  # noqa: PLR0913  what it is made of
    checked: Setup,
    orthanc: Orthanc,
    hiding: Hiding,
    *,
    refresh: Callable[[], None],
    run: Callable[[Callable[[], None]], None],
    scratch: Path,
    since: datetime,
    queue: SentAgainQueue | None,
) -> TrashParts:
    """Make the trash, without starting its threads.

    Args:
        checked: The configuration.
        orthanc: Has all images, also those in the trash.
        hiding: The marks of the studies.
        refresh: Reads Orthanc's log of changes.
        run: Runs a deletion on a worker thread, and waits for it.
        scratch: Folder for temporary files, which only the drive can read.
        since: Date of the folder, in UTC.
        queue: Has what is sent to Orthanc again; None outside Orthanc.
    """
    settings, marks, known = checked.settings, hiding.marks, hiding.known
    noted = TrashRefresh(refresh, known, orthanc)
    retention = retention_of(settings)
    trash = Trash(marks, orthanc, _node(settings.catalog), retention, lambda: known.version)
    files, derived_files = RangeCache(orthanc, open_files=1), DerivedFiles(orthanc)
    trees = EntryTrees(
        orthanc,
        files,
        derived_files,
        lambda: checked.layout_files.loaded.layouts,
        trash.images,
        scratch,
    )
    area = TrashArea(trash, trees, lambda: checked.layout_files.loaded.layouts, noted, run, since)
    closed = (area.close, derived_files.close, files.close)
    sent_again: tuple[SentAgain, ...] = ()
    if queue:
        shown = ShownAgain(noted, known, marks, orthanc)
        sent_again = (SentAgain(queue, shown.show, settings.catalog.with_name(_SENT_AGAIN)),)
        trash.spare(sent_again[0], shown.note_deleted)
    return TrashParts(trash, area, UploadedImages(marks, orthanc), Retention(trash, noted), sent_again, closed)


def retention_of(settings: Configuration) -> timedelta:
    """Return for how long deleted images are kept; 0 for ever."""
    return timedelta(days=min(settings.trash_retention, _LONGEST))


def _node(catalog: Path) -> str:
    """Return an id of this drive, which is the same after a restart: no two drives can use one index."""
    return hashlib.sha256(f"{socket.gethostname()}\0{catalog.resolve()}".encode()).hexdigest()[:16]
