"""Hides extra files that a client has deleted, for a minute.

Extra files are derived, so they cannot be deleted. But a client that deletes a folder by deleting what is in it, as
Finder and ``rm -r`` do, must find it empty in the end.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from davfs.catalog.catalog import Catalog
from davfs.filesystem.tree_node import TreeNode

_SECONDS = 60.0
"""Seconds after which a hidden file is shown again if its folder still exists."""


@dataclass(frozen=True, slots=True)
class _HiddenFile:
    """The folder of a hidden file, the time when it was hidden (UTC), and when it is shown again (by `now`)."""

    owner: TreeNode
    hidden: datetime
    until: float


class HiddenFiles:
    """The hidden extra files of one layout, by their ids.

    Args:
        catalog: The index.
        now: Clock, in seconds.
    """

    def __init__(self, catalog: Catalog, now: Callable[[], float] = time.monotonic) -> None:
        self._catalog = catalog
        self._now = now
        self._files: dict[str, _HiddenFile] = {}

    def hide(self, owner: TreeNode, file: str) -> None:
        """Hide an extra file of a folder."""
        now = self._now()
        left = {one: each for one, each in self._files.items() if each.until > now}
        self._files = left | {file: _HiddenFile(owner, datetime.now(UTC), now + _SECONDS)}

    def is_hidden(self, owner: TreeNode, file: str) -> bool:
        """Return True if an extra file is hidden; nothing else gets its name meanwhile."""
        hidden = self._files.get(file)
        if hidden is None or hidden.until <= self._now():
            return False
        return owner.entry.modified <= hidden.hidden  # otherwise the folder has been created again

    def show_orphans(self) -> None:
        """Forget the hidden files of folders that have been deleted: the folders can be created again."""
        self._files = {one: each for one, each in self._files.items() if self._exists(each.owner)}

    def _exists(self, folder: TreeNode) -> bool:
        return bool(folder.level and folder.id and self._catalog.exists(folder.level, folder.id))
