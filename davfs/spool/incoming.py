"""Folders for uploads and imports under way, without a spool: of a node whose inbox is in a database."""

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as DiskPath

from davfs.spool.descriptors import closing, empty, open_folder


class IncomingFolders:
    """The folders ``incoming`` and ``scratch``, which are emptied at every start. No other process may use them.

    Args:
        root: Where they are; made if it is missing.

    Raises:
        OSError: They cannot be made.
    """

    def __init__(self, root: DiskPath) -> None:
        self.incoming = root / "incoming"
        self.scratch = root / "scratch"
        for folder in (self.incoming, self.scratch):
            _make(folder)
            empty(folder)

    @contextmanager
    def temporary(self) -> Iterator[DiskPath]:
        """Yield a path for a new file, which is removed at the end."""
        if not os.access(self.incoming, os.F_OK):  # another program has removed it
            _make(self.incoming)
        path = self.incoming / uuid.uuid4().hex
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def free(self) -> int:
        """Return how many bytes the disk has room for."""
        found = os.statvfs(self.incoming.parent)
        return found.f_bavail * found.f_frsize


def _make(folder: DiskPath) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(open_folder(folder)) as descriptor:  # never of a folder that a link leads to
        os.fchmod(descriptor, stat.S_IRWXU)
