"""The quota of the inbox that several Orthancs share: checked in the transaction that adds something."""

from davfs.entry import Path
from davfs.errors import NoSpace
from davfs.shared.counts import ORIGINALS
from davfs.shared.database import SharedDatabase
from davfs.shared.names import Names
from davfs.spool.quota import BYTES_PER_NAME, FEWEST_NAMES, Reservation, SpoolQuota

_SHARED = -2
"""Stands for all that is in the database, where a file has its inode."""
_RECEIPTS_AT_ONCE = 1000
_TOO_MANY = "The inbox has too many files and folders."


class SharedQuota:
    """Checks the quota, and makes room for new files by removing originals and receipts.

    Unfinished uploads count in their own node, beside what was in the database when it last looked.

    Args:
        database: Has the counts.
        maximum: Bytes of all files together; 0 for no limit, of names either.
    """

    def __init__(self, database: SharedDatabase, maximum: int) -> None:
        self._database = database
        self._maximum = maximum
        self._maximum_names = max(FEWEST_NAMES, maximum // BYTES_PER_NAME)
        self._local = SpoolQuota(maximum)

    @property
    def used(self) -> int:
        """Bytes that are counted now."""
        ((used,),) = self._database.rows("SELECT bytes + properties FROM davfs_usage", {})
        self._local.note(_SHARED, used)
        return self._local.used

    @property
    def available(self) -> int | None:
        """Bytes that may still come, or that originals would free; None for no limit."""
        if not self._maximum:
            return None
        ((originals,),) = self._database.rows(ORIGINALS, {})
        return max(0, self._maximum - self.used) + int(originals)

    def reserve(self, path: Path) -> Reservation:
        """Count an unfinished upload."""
        return self._local.reserve(path, 0)

    def check(self, path: Path, used: int, originals: int, *, size: int, freed: int = 0) -> None:
        """Raise NoSpace if more bytes exceed the quota.

        Args:
            path: Where to, for the error.
            used: Bytes that are used in the database.
            originals: Bytes of them that can be freed.
            size: Bytes that are to be added.
            freed: Bytes that this frees.

        Raises:
            NoSpace: There is no room.
        """
        self._local.note(_SHARED, max(0, used - originals - freed))
        if self._maximum and size > 0 and self._local.used + size > self._maximum:
            raise NoSpace(path, "The inbox is full.")

    def make_room(self, names: Names, path: Path, *, size: int, is_new: bool) -> None:
        """Count what a transaction changed, and remove the oldest originals and receipts if that is too much.

        Args:
            names: The names of the transaction.
            path: What was added; it is not removed itself.
            size: Bytes that were added.
            is_new: Whether there may be more names than before.

        Raises:
            NoSpace: There is no room even then; the transaction has to be rolled back.
        """
        count, used = names.settle()
        while self._maximum and size and used > self._maximum:
            if not names.replace_originals(path, max(used - self._maximum, used // 16)):
                raise NoSpace(path, "The inbox is full.")
            count, used = names.settle()
        while self._maximum and is_new and count > self._maximum_names:
            if not names.remove_receipts(path, max(count - self._maximum_names, _RECEIPTS_AT_ONCE)):
                raise NoSpace(path, _TOO_MANY)
            count, used = names.settle()
