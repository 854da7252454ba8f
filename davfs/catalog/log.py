"""How far Orthanc's log of changes was read, and whether what Orthanc has now is still that log.

A database that was restored from a backup goes on with numbers that were used before, and its newest number can be
lower than the one that was read last, the same, or higher. So the entries that were read last are kept: a log is the
same one where it has the newest of them, or where those that are missing went with their resources, as Orthanc deletes
them. Reading starts with an entry that is known, so that this costs no further question.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Change, Changes, Level, OrthancId

SCHEMA = """
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, level TEXT NOT NULL, id TEXT NOT NULL, date TEXT NOT NULL
);
"""
_KEPT = 5000
"""Entries that are kept: as many as one may delete at once without everything being compared."""
_LOOKS = (10, 100, 1000, _KEPT)
"""Entries that are looked for where the newest is missing, one number after the other."""
_BEGINNING = 100
"""Entries that are kept at first of a log that was not read, since everything is compared."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log.

    Attributes:
        seen: Everything up to this sequence number has been read.
        entries: Those read last, oldest first, without gaps except for what was deleted.
    """

    seen: int = 0
    entries: tuple[Change, ...] = ()

    @property
    def since(self) -> int:
        """Number to read from: the page begins with the newest entry that is known."""
        return self.entries[-1].seq - 1 if self.entries else self.seen

    def unread(self, page: Changes) -> Sequence[Change] | None:
        """Return what is new in a page that was read from `since`; None where it does not go on from here."""
        known = self.entries[-1:]
        new = page.entries[len(known) :]
        if page.entries[: len(known)] != known or (new and new[0].seq <= self.seen):
            return None
        if not known and (new[0].seq != self.seen + 1 if new else page.last != self.seen):
            return None  # the log was emptied, and what it had then is not known; or it is another one
        return new

    def after(self, entries: Sequence[Change]) -> "Position":
        """Return the place behind entries that were read; another thread may have read some of them."""
        new = tuple(entry for entry in entries if entry.seq > self.seen)
        return Position(new[-1].seq, (*self.entries, *new)[-_KEPT:]) if new else self


def beginning(orthanc: ResourceIndex) -> Position:
    """Return the place behind everything that is in the log now."""
    last = orthanc.last_change()
    page = orthanc.changes(max(0, last - _BEGINNING))
    return Position(max(last, page.last), page.entries)


def found_again(orthanc: ResourceIndex, position: Position) -> Position | None:
    """Return the same place without the entries that were deleted with their resources.

    Args:
        orthanc: Is asked for the entries before the place, further and further back, until one is found.
        position: A place whose newest entry is missing.

    Returns:
        None where this is another log, or was emptied, or where that cannot be excluded.
    """
    for size in _LOOKS:
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
            explained = orthanc.existing(sorted(gone)) <= again
            return Position(position.seen, (*position.entries[:-size], *left)) if explained else None
    return None


def load(db: sqlite3.Connection) -> tuple[Change, ...]:
    """Return the entries that are kept in the catalog's file."""
    found = db.execute("SELECT seq, kind, level, id, date FROM entry ORDER BY seq")
    return tuple(Change(seq, kind, Level(level), OrthancId(one), date) for seq, kind, level, one, date in found)


def save(db: sqlite3.Connection, entries: Sequence[Change]) -> None:
    """Keep these entries in the catalog's file, and no others."""
    db.execute("DELETE FROM entry")
    _insert(db, entries)


def append(db: sqlite3.Connection, entries: Iterable[Change], oldest: int) -> None:
    """Keep further entries in the catalog's file, and drop those before a sequence number."""
    _insert(db, entries)
    db.execute("DELETE FROM entry WHERE seq < ?", (oldest,))


def _insert(db: sqlite3.Connection, entries: Iterable[Change]) -> None:
    rows = ((entry.seq, entry.kind, entry.level.value, entry.id, entry.date) for entry in entries)
    db.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?)", rows)
