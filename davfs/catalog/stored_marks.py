"""The marks of studies in the trash (`davfs.trash`) in the index's file, so that a restart reads no more than the log.

They are as Orthanc sent them last. A study that has none here has none in Orthanc, as far as the log of changes was
read, once the first index is complete: each study's mark was read when the study was fetched.
"""

import itertools
import sqlite3
from collections.abc import Callable, Mapping

from davfs.cache import LruCache
from davfs.catalog.database import Database, retry_if_moved
from davfs.catalog.packing import pack, unpack
from davfs.catalog.schema import read_state, write_state
from davfs.orthanc.model import OrthancId

_SAVED = 10_000
"""Studies of which it is known which response was saved last: more than are read during one request to Orthanc."""


class StoredMarks:
    """`davfs.trash.known_marks.MarkStorage` in the index's file.

    Args:
        database: The index's file.
        is_complete: Returns True if all studies were fetched, and none of them is outdated.
        number: Number of the metadata that has the marks; with another one, the index is built again.

    Attributes:
        values: The marks, by study.
        version: Number of changes so far.
        epoch: Number of times that all marks had to be read again.
    """

    def __init__(self, database: Database, is_complete: Callable[[], bool], number: int) -> None:
        self._database = database
        self._is_complete = is_complete
        self._number = str(number)
        self._tickets = itertools.count(1)
        self._saved: LruCache[OrthancId, int] = LruCache(_SAVED)
        self.values: dict[OrthancId, bytes] = {}
        self.version = self.epoch = 0

    @property
    def is_complete(self) -> bool:
        """See the argument."""
        return self._is_complete()

    def load(self, db: sqlite3.Connection) -> None:
        """Load everything from the file, which was opened or emptied.

        Raises:
            sqlite3.DatabaseError: It has the marks of another number.
        """
        if (read_state(db, "marks") or self._number) != self._number:
            raise sqlite3.DatabaseError("another TrashMetadata is set")
        write_state(db, "marks", self._number)
        self.values = {OrthancId(unpack(study)): value for study, value in db.execute("SELECT study, value FROM mark")}
        self.version += 1
        self.epoch += 1

    def outdate(self) -> None:
        """Record that all marks have to be read again."""
        self.epoch += 1

    def next_ticket(self) -> int:
        """Return a number that tells an older response from a newer one: to be read before Orthanc is asked."""
        return next(self._tickets)

    @retry_if_moved
    def save(self, found: Mapping[OrthancId, bytes | None], ticket: int) -> None:
        """Save the marks of studies, None for those that have none, unless newer ones were saved meanwhile.

        Args:
            found: The marks.
            ticket: `next_ticket` before Orthanc was asked.
        """
        with self._database.writing:
            newest = {study: value for study, value in found.items() if (self._saved.get(study) or 0) < ticket}
            changed = {study: value for study, value in newest.items() if self.values.get(study) != value}
            if changed:
                with self._database.write() as db:
                    _write(db, changed)
            for study in newest:
                self._saved.put(study, ticket)
            for study, value in changed.items():
                if value is None:
                    self.values.pop(study, None)
                else:
                    self.values[study] = value
            self.version += bool(changed)


def _write(db: sqlite3.Connection, changed: Mapping[OrthancId, bytes | None]) -> None:
    for study, value in changed.items():
        db.execute("DELETE FROM mark WHERE study = ?", (pack(study),))
        if value is not None:
            db.execute("INSERT INTO mark VALUES (?, ?)", (pack(study), value))
