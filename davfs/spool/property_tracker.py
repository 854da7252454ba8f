"""Moves and removes dead properties together with their files.

A folder can be renamed while a request has it open. So properties are changed at the path that the folder has now, and
not at the one by which it was opened (`davfs.spool.descriptors.current_path`).

All methods are called under the lock under which names change.
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
    """Changes dead properties when names change.

    Args:
        files: The folder that paths are relative to.
        properties: The dead properties.
    """

    def __init__(self, files: DiskPath, properties: DeadProperties) -> None:
        self._files = files
        self._properties = properties

    def set(self, location: Location, name: str, value: bytes, user: str) -> None:
        """Set a property for a user; a location without a folder is the inbox itself.

        Raises:
            NotFound: The file does not exist any more.
            NoSpace: It cannot be written.
        """
        path = self._current(location) if location[0] is not None else ()
        if path is None:
            raise NotFound(location[1], REASONS[NotFound])
        self._properties.set(path, name, value, user)

    def gone(self, parent: int | None, name: str) -> None:
        """Forget the properties of a name in an open folder."""
        if self._properties.size and (path := self._current((parent, (name,)))):
            self._properties.forget(path)

    def moved(self, source: Location, target: Location) -> None:
        """Move the properties of the source, which was renamed, to the target."""
        if self._properties.size:
            old, new = self._current(source), self._current(target)
            if old and new:
                self._properties.move(old, new)
            elif path := old or new:
                self._properties.forget(path)

    def copied(self, source: Path, target: Location, *, deep: bool) -> None:
        """Copy the properties of the source to the target; ``deep`` with all below it that was copied."""
        if self._properties.size and (path := self._current(target)):
            self._properties.copy(source, path, deep=deep)
            if deep:
                self.clean_up(path)

    def clean_up(self, below: Path = ()) -> None:
        """Remove the properties of files that do not exist."""
        self._properties.forget_absent(lambda path: os.path.lexists(self._files / path), below)

    def _current(self, location: Location) -> Path | None:
        parent, path = location
        return None if parent is None else current_path(self._files, parent, path[-1])
