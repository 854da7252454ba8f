"""Joins deletions: what one client deletes in one study or patient folder, one after the other, is one entry.

``rm -r``, Explorer and Finder delete a folder by deleting all that is in it. So deletions of the same user, address and
door in one study or patient folder join the same entry, if each comes at most `SECONDS` after the one before. The entry
is then that of the folder that has all of them; when the client deletes that folder itself, which is empty by then, or
a folder above it, the entry is that of this folder. So the trash is the same as after one deletion of the folder.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from davfs.audit.record import Client
from davfs.entry import Path
from davfs.trash.mark import Deletion, EntryId

SECONDS = 120.0
"""Seconds between two deletions that join."""
_TITLE = " \N{EN DASH} "
_LONGEST = 1000
"""Characters of a title: longer than any name that is shown."""


@dataclass(frozen=True, slots=True)
class DeletedFolder:
    """What a client deletes: a folder, or a file, of a layout.

    Attributes:
        layout: Title of the layout.
        path: The folder in it.
        top: Number of segments of the path up to the patient folder; or the study, where the layout has none.
    """

    layout: str
    path: Path
    top: int

    def joins(self, other: Deletion, by: Client, time: datetime) -> bool:
        """Return True if this deletion joins an earlier one."""
        return (
            same_client(other, by)
            and other.layout == self.layout
            and other.path[: self.top] == self.path[: self.top]
            and is_recent(other, time)
        )

    def has(self, other: Deletion) -> bool:
        """Return True if a deletion is one of this folder, or of something in it."""
        return other.path[: len(self.path)] == self.path

    def is_near(self, other: Deletion, by: Client, time: datetime) -> bool:
        """Return True if the same client has just deleted something in this folder, or in one above it."""
        is_below = self.path[: len(other.path)] == other.path
        return (is_below or self.has(other)) and self.joins(other, by, time)


def same_client(deletion: Deletion, by: Client) -> bool:
    """Return True if this client has made a deletion."""
    return (deletion.user, deletion.address, deletion.door) == (by.user, by.address, by.door or "")


def is_recent(deletion: Deletion, time: datetime) -> bool:
    """Return True if what is deleted now can join a deletion; the clocks of two nodes may differ a little."""
    return abs(time - deletion.time) <= timedelta(seconds=SECONDS)


def common(some: Path, other: Path) -> Path:
    """Return the folder that has both: the longer of two paths begins with it, or both do."""
    depth = 0
    while depth < min(len(some), len(other)) and some[depth] == other[depth]:
        depth += 1
    return some[:depth]


def title_of(path: Path) -> str:
    """Return the title of a deleted folder: the names in its path."""
    return _TITLE.join(path)[:_LONGEST]


def newest(deletions: Iterable[Deletion]) -> EntryId | None:
    """Return the entry of the newest deletion; None if there are none."""
    found = max(deletions, key=lambda each: each.time, default=None)
    return found.id if found else None
