"""Lets dead properties follow the names on the disk.

A folder can be moved while somebody has it open. So what is done through a descriptor is done at the path that the
folder has now, and not at the one by which it was opened: `davfs.spool.descriptors.current_path`.

All is to be called under the lock under which names change.
"""

import os
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.errors import NotFound
from davfs.spool.dead_properties import DeadProperties
from davfs.spool.descriptors import current_path
from davfs.spool.disk_errors import REASONS
from davfs.spool.renaming import Location


class PropertyTracker:
    """Changes dead properties as names change.

    Args:
        files: The folder that paths are relative to.
        properties: What is changed.
    """

    def __init__(self, files: DiskPath, properties: DeadProperties) -> None:
        self._files = files
        self._properties = properties

    def set(self, spot: Location, name: str, value: bytes, user: str) -> None:
        """Keep a property of what is there, which a user sets; without a folder it is the inbox itself.

        Raises:
            NotFound: It is nowhere any more.
            NoSpace: It cannot be written.
        """
        path = self._now(spot) if spot[0] is not None else ()
        if path is None:
            raise NotFound(spot[1], REASONS[NotFound])
        self._properties.set(path, name, value, user)

    def gone(self, parent: int | None, name: str) -> None:
        """Forget the properties of a name in an open folder."""
        if self._properties.size and (path := self._now((parent, (name,)))):
            self._properties.forget(path)

    def moved(self, source: Location, target: Location) -> None:
        """Give the target the properties of the source, which has got its name; none where that had none."""
        if self._properties.size:
            old, new = self._now(source), self._now(target)
            if old and new:
                self._properties.move(old, new)
            elif path := old or new:
                self._properties.forget(path)

    def copied(self, source: Path, target: Location, *, deep: bool) -> None:
        """Give the target the properties of what it is a copy of, as far as that was copied."""
        if self._properties.size and (path := self._now(target)):
            self._properties.copy(source, path, deep=deep)
            if deep:
                self.clean_up(path)

    def clean_up(self, below: Path = ()) -> None:
        """Forget the properties of what is not there."""
        self._properties.forget_absent(lambda path: os.path.lexists(self._files / path), below)

    def _now(self, spot: Location) -> Path | None:
        parent, path = spot
        return None if parent is None else current_path(self._files, parent, path[-1])
