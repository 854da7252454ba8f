"""Makes room in a full spool: replaces originals by receipts, and removes receipts, the oldest first."""

import stat
from collections.abc import Callable
from contextlib import suppress
from heapq import nsmallest

from davfs.errors import NotFound
from davfs.spool.disk import Disk
from davfs.spool.items import read_receipt
from davfs.spool.originals import original_key
from davfs.spool.quota import Shortage, SpoolQuota

_RECEIPTS_AT_ONCE = 1000
"""Receipts that are removed at least when there are too many names: all names are read for it."""
_PAUSE = 60.0
"""Seconds in which receipts are not searched again after none was found: until then there are a few names too many."""


class SpaceMaker:
    """Frees bytes and names: `davfs.spool.quota.FreeSpace`.

    Args:
        disk: Has the files.
        quota: Counts them.
        now: Clock, in seconds since the epoch.
    """

    def __init__(self, disk: Disk, quota: SpoolQuota, now: Callable[[], float]) -> None:
        self._disk = disk
        self._quota = quota
        self._now = now
        self._no_receipts_until = 0.0

    def __call__(self, shortage: Shortage) -> bool:
        """Remove originals or receipts, the oldest first; return False if there are none."""
        return self._remove_receipts(shortage.names) if shortage.names > 0 else self.remove_originals(shortage.bytes)

    def remove_originals(self, size: int) -> bool:
        """Replace the oldest originals by receipts; more than needed, since all names are read for it."""
        chosen = self._disk.originals.oldest(max(size, self._quota.used // 16))
        freed = False
        for parent, path, status in self._disk.walk() if chosen else ():
            receipt = self._disk.originals.find(status) if original_key(status) in chosen else None
            if receipt and self._disk.replace_by_link(receipt.target, (parent, path), status):
                freed = True
        return freed

    def _remove_receipts(self, count: int) -> bool:
        if self._now() < self._no_receipts_until:
            return False
        receipts = (
            (status.st_mtime_ns, path, status)
            for parent, path, status in self._disk.walk()
            if stat.S_ISLNK(status.st_mode) and read_receipt(parent, path[-1])
        )
        removed = False
        for _, path, status in nsmallest(max(count, _RECEIPTS_AT_ONCE), receipts):
            with suppress(NotFound), self._disk.parent(path, NotFound) as parent:
                removed = self._disk.remove(parent, path, status) or removed
        if not removed:
            self._no_receipts_until = self._now() + _PAUSE
        return removed
