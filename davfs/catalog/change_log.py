"""The position up to which Orthanc's log of changes (``/changes``) was read, and the test that it is still that log.

Orthanc's database may be restored from a backup. Then its log continues with sequence numbers that were used before,
and its last number can be lower than the one that was read last, equal, or higher. So the entries read last are kept. A
log is the same one if it contains the newest of them, or if the missing ones were deleted together with their
resources, as Orthanc does. Each page that is read begins with an entry that is known, so this test costs no additional
request.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Change, Changes, Level, OrthancId

_KEPT = 5000
"""Entries that are kept: so many may be deleted at once before everything has to be compared."""
_SEARCHED = (10, 100, 1000, _KEPT)
"""Numbers of entries that are searched for, one after the other, if the newest one is missing."""
_INITIALLY_KEPT = 100
"""Entries that are kept of a log that has not been read, since everything is compared."""


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A position in the log.

    Attributes:
        seen: Sequence number up to which everything has been read.
        entries: The entries read last, oldest first, without gaps except for deleted ones.
    """

    seen: int = 0
    entries: tuple[Change, ...] = ()

    @property
    def since(self) -> int:
        """Sequence number to read from: the page then begins with the newest known entry."""
        return self.entries[-1].seq - 1 if self.entries else self.seen

    def unread(self, page: Changes) -> Sequence[Change] | None:
        """Return the new entries of a page that was read from `since`; None if the page does not continue from here."""
        known = self.entries[-1:]
        new = page.entries[len(known) :]
        if page.entries[: len(known)] != known or (new and new[0].seq <= self.seen):
            return None
        if not known and (new[0].seq != self.seen + 1 if new else page.last != self.seen):
            return None  # the log was emptied, and its entries are not known; or it is another one
        return new

    def after(self, entries: Sequence[Change]) -> "LogPosition":
        """Return the position after entries; another thread may have read some of them."""
        new = tuple(entry for entry in entries if entry.seq > self.seen)
        return LogPosition(new[-1].seq, (*self.entries, *new)[-_KEPT:]) if new else self


def end_of_log(orthanc: ResourceIndex) -> LogPosition:
    """Return the position after the last entry of the log."""
    last = orthanc.last_change()
    page = orthanc.changes(max(0, last - _INITIALLY_KEPT))
    return LogPosition(max(last, page.last), page.entries)


def without_deleted_entries(
    orthanc: ResourceIndex, position: LogPosition, existing: Callable[[Sequence[OrthancId]], set[OrthancId]]
) -> LogPosition | None:
    """Return the same position without the entries that were deleted with their resources.

    Args:
        orthanc: Sends the entries before the position, further and further back, until one of them is known.
        position: A position whose newest entry is missing.
        existing: Returns those of some resources that Orthanc has, also in the trash.

    Returns:
        None if this is another log, or was emptied, or if that cannot be excluded.
    """
    for size in _SEARCHED:
        known = position.entries[-size:]
        if not known:
            return None
        page = orthanc.changes(known[0].seq - 1, size + 1000)
        there = {entry.seq: entry for entry in page.entries}
        left = [entry for entry in known if there.get(entry.seq) == entry]
        if {seq for seq in there if seq <= position.seen} != {entry.seq for entry in left}:
            return None
        if left:
            gone = {entry.id for entry in known if entry.seq not in there}
            again = {entry.id for entry in page.entries if entry.seq > position.seen}
            explained = existing(sorted(gone)) <= again
            return LogPosition(position.seen, (*position.entries[:-size], *left)) if explained else None
    return None


def load(db: sqlite3.Connection) -> tuple[Change, ...]:
    """Load the entries from the index's file."""
    found = db.execute("SELECT seq, kind, level, id, date FROM entry ORDER BY seq")
    return tuple(Change(seq, kind, Level(level), OrthancId(one), date) for seq, kind, level, one, date in found)


def save(db: sqlite3.Connection, entries: Sequence[Change]) -> None:
    """Replace the entries in the index's file."""
    db.execute("DELETE FROM entry")
    _insert(db, entries)


def append(db: sqlite3.Connection, entries: Iterable[Change], oldest: int) -> None:
    """Add entries to the index's file, and delete those before a sequence number."""
    _insert(db, entries)
    db.execute("DELETE FROM entry WHERE seq < ?", (oldest,))


def _insert(db: sqlite3.Connection, entries: Iterable[Change]) -> None:
    rows = ((entry.seq, entry.kind, entry.level.value, entry.id, entry.date) for entry in entries)
    db.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)", rows)
