"""The position in Orthanc's log of changes, as the index's file has it, and the test that the index is not stale."""

import sqlite3
from collections.abc import Sequence

from davfs.catalog import change_log
from davfs.catalog.change_log import LogPosition
from davfs.catalog.database import Database, retry_if_moved
from davfs.catalog.schema import read_state, write_state
from davfs.orthanc.model import Change


class FollowedLog:
    """The log that the index follows.

    Args:
        database: The index's file.

    Attributes:
        position: The position up to which the index has all changes of the log.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.position = LogPosition()
        self._replacements = self._compared_after = 0

    def load(self, db: sqlite3.Connection) -> None:
        """Load everything from the file, which was opened."""
        self.position = LogPosition(int(read_state(db, "seen") or 0), change_log.load(db))
        self._replacements = int(read_state(db, "doubts") or 0)
        self._compared_after = int(read_state(db, "trusted") or 0)

    @retry_if_moved
    def advance(self, entries: Sequence[Change]) -> None:
        """Record that the index has the changes of these entries of the log."""
        with self._database.writing:
            old, new = self.position, self.position.after(entries)
            if new is old:
                return
            with self._database.write() as db:
                change_log.append(db, (entry for entry in entries if entry.seq > old.seen), new.entries[0].seq)
                write_state(db, "seen", str(new.seen))
            self.position = new

    @retry_if_moved
    def shorten(self, old: LogPosition, new: LogPosition) -> None:
        """Record that entries were deleted from the log, unless another thread has read on meanwhile."""
        with self._database.writing:
            if self.position is old:
                with self._database.write() as db:
                    change_log.save(db, new.entries)
                self.position = new

    @retry_if_moved
    def replace(self, old: LogPosition, new: LogPosition) -> bool:
        """Follow another log, which is read up to ``new``; the index is stale until `set_compared`.

        Returns:
            False if another thread has read on from ``old`` meanwhile, or has replaced the log.
        """
        with self._database.writing:
            if self.position is not old:
                return False
            with self._database.write() as db:
                write_state(db, "doubts", str(self._replacements + 1))
                save_position(db, new)
            self._replacements += 1
            self.position = new
        return True

    @property
    def staleness(self) -> int:
        """0, or while the index is stale the number of times that the log was replaced; a restart keeps it."""
        return self._replacements if self._replacements > self._compared_after else 0

    @retry_if_moved
    def set_compared(self, staleness: int) -> None:
        """Record that everything was compared with Orthanc since `staleness` had this value."""
        if not staleness:
            return
        with self._database.writing:
            with self._database.write() as db:
                write_state(db, "trusted", str(staleness))
            self._compared_after = staleness


def save_position(db: sqlite3.Connection, position: LogPosition) -> None:
    """Replace the position in the file."""
    write_state(db, "seen", str(position.seen))
    change_log.save(db, position.entries)
