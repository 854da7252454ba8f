"""The spool's folders on the disk; they are made again if another process removes them.

::

    root/files/      what the inbox shows, under the same names
    root/incoming/   files that are being written; emptied at every start
    root/scratch/    temporary files of imports; emptied at every start
    root/sent/       receipts of originals (davfs.spool.originals)
    root/properties.sqlite   (davfs.spool.dead_properties)
    root/tags.key    (davfs.spool.entity_tags)

No link is followed: every path below ``files`` is opened segment by segment, through descriptors.
"""

import logging
import os
import stat
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path as DiskPath

from davfs.entry import Path
from davfs.errors import PathError
from davfs.spool.descriptors import closing, open_below, open_folder, walk
from davfs.spool.disk_errors import REASONS, missing
from davfs.spool.items import DEEPEST, is_name

_log = logging.getLogger(__name__)


class SpoolFolders:
    """The folders of a spool. No other process may use them.

    Args:
        root: Where they are; made if it is missing.

    Attributes:
        files: Holds what the inbox shows.
        scratch: Holds temporary files of imports.
        lock: Held while names in the folders change.

    Raises:
        OSError: They cannot be made.
    """

    def __init__(self, root: DiskPath) -> None:
        self.files = root.resolve() / "files"
        self.scratch = root / "scratch"
        self.incoming = root / "incoming"
        self.sent = root / "sent"
        self.lock = threading.Lock()
        self._folders = self.files, self.scratch, self.incoming, self.sent
        self._paths = tuple(map(str, self._folders))
        self._make_folders()

    def restore(self) -> None:
        """Make folders again that another process removed."""
        if self._exist(self._paths):
            return
        with self.lock:
            if self._exist(self._paths):  # another thread was faster
                return
            _log.warning("a folder of the spool was removed by another program, and is created again")
            self._make_folders()
            self.recount()

    def recount(self) -> None:
        """Count all files again; called after the folders were made again."""

    def status(self) -> os.stat_result:
        """Return the status of the folder ``files``."""
        self.restore()
        return self.files.stat()

    def free(self) -> int:
        """Return how many bytes the disk has room for."""
        self.restore()
        found = os.statvfs(self.files)
        return found.f_bavail * found.f_frsize

    @contextmanager
    def folder(self, path: Path, error: type[PathError]) -> Iterator[int]:
        """Open a folder below ``files``; raises ``error`` if that is not possible."""
        if not self._exist(self._paths[:1]):
            self.restore()
        with missing(path, error):
            descriptor = open_below(self.files, path)
        with closing(descriptor):
            yield descriptor

    @contextmanager
    def parent(self, path: Path, error: type[PathError]) -> Iterator[int]:
        """Open the folder that holds a path. In the context, each segment of the path is a valid name."""
        if not path or len(path) > DEEPEST or not all(map(is_name, path)):
            raise error(path, REASONS[error])
        with self.folder(path[:-1], error) as parent:
            yield parent

    def walk(self) -> Iterator[tuple[int, Path, os.stat_result]]:
        """Yield all files and folders, as `davfs.spool.descriptors.walk` does."""
        self.restore()
        with closing(open_folder(self.files)) as files:
            yield from walk(files)

    def temporary_path(self) -> DiskPath:
        """Return an unused path in ``incoming``."""
        self.restore()
        return self.incoming / uuid.uuid4().hex

    @staticmethod
    def _exist(folders: Iterable[str]) -> bool:
        return all(os.access(folder, os.F_OK) for folder in folders)  # a fifth of pathlib's time

    def _make_folders(self) -> None:
        self.files.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in self._folders:
            folder.mkdir(mode=0o700, exist_ok=True)
            with closing(open_folder(folder)) as descriptor:  # never of a folder that a link leads to
                os.fchmod(descriptor, stat.S_IRWXU)
