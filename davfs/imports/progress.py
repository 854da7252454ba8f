"""Progress of the import of a ZIP: shown to users, and checked between two members so that a stopping drive ends it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from davfs.entry import Path
from davfs.errors import Unavailable
from davfs.spool.items import is_name

SUFFIX = ".progress.txt"
"""Follows the name of a ZIP in the name of the file that tells how far it is."""

_QUICK = 1.0
"""Seconds in which an import is over so soon that nobody needs to be told."""
_STRETCH, _PAUSE = 16, 1e-4
"""Members after which there is a pause, and its seconds: other threads need the interpreter for a moment only."""
_SIZE = 600
"""Bytes of the text, whatever it says: clients read as many as a listing told."""


class Progress:
    """How far the import of one ZIP is.

    Args:
        stopping: Whether the drive is stopping.
        now: Clock, in seconds since the epoch.

    Attributes:
        total: Members of the ZIP, those of ZIPs in it included; 0 as long as nobody has looked into it.
        imported: Members that Orthanc has.
        refused: Members that it did not take.
        ignored: Members that are no DICOM.
    """

    def __init__(self, stopping: Callable[[], bool] = lambda: False, now: Callable[[], float] = time.time) -> None:
        self._stopping = stopping
        self._now = now
        self._started = now()
        self._checks = 0
        self.total = 0
        self.imported = 0
        self.refused = 0
        self.ignored = 0

    def check(self) -> None:
        """Go on, unless the drive is stopping; to be asked between two members, and now and then inside a large one.

        Raises:
            Unavailable: It is; what was imported stays so, and a client that sends the ZIP again loses nothing.
        """
        self._checks += 1
        if not self._checks % _STRETCH:
            time.sleep(_PAUSE)
        if self._stopping():
            raise Unavailable(
                f"The drive is stopping: {self.imported} of the ZIP's {self.total} files were imported. Send it again."
            )

    @property
    def is_long(self) -> bool:
        """Whether it takes so long that people want to know."""
        return self._now() - self._started > _QUICK

    @property
    def seconds(self) -> int:
        """Seconds since it began."""
        return int(self._now() - self._started)

    def text(self, name: str) -> bytes:
        """Return the text of the progress file; it has the same length for all ZIPs.

        Args:
            name: How the ZIP is called.
        """
        began = datetime.fromtimestamp(self._started, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
        lines = [
            *self._told(),
            f"It began at {began} UTC, {self.seconds} seconds ago.",
            "",
            "This file goes when the import has ended.",
        ]
        told = "\n".join(lines).encode()
        heading = f"{name} is being imported."
        shown = heading.encode()[: _SIZE - len(told) - 3].decode(errors="ignore")
        return f"{shown}\n\n".encode() + told.ljust(_SIZE - len(shown.encode()) - 3) + b"\n"

    def _told(self) -> list[str]:
        if not self.total:
            return ["It waits for others, or is being looked through."]
        done = self.imported + self.refused + self.ignored
        return [
            f"{done:,} of {self.total:,} files are done:",
            f"{self.imported:,} are imported, {self.refused:,} are refused, {self.ignored:,} are no DICOM.",
        ]


class RunningImports:
    """The ZIPs that are being imported, by the paths that they will have."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[Path, Progress] = {}

    @contextmanager
    def entered(self, path: Path, progress: Progress) -> Iterator[None]:
        """Show a ZIP until the end of the context, or until another upload to this path."""
        shown = (*path[:-1], f"{path[-1]}{SUFFIX}")
        if not is_name(shown[-1]):
            yield
            return
        with self._lock:
            self._all[shown] = progress
        try:
            yield
        finally:
            with self._lock:
                if self._all.get(shown) is progress:
                    del self._all[shown]

    def find(self, path: Path) -> Progress | None:
        """Return what a path of such a file tells about; None for nothing that takes long."""
        found = self._all.get(path)
        return found if found is not None and found.is_long else None

    def names(self, folder: Path) -> list[str]:
        """Return the names of such files in a folder."""
        with self._lock:
            paths = [path for path in self._all if path[:-1] == folder]
        return sorted(path[-1] for path in paths if self.find(path))

    def hide(self, path: Path) -> bool:
        """Show a ZIP no more, which is imported all the same; return whether it was shown."""
        with self._lock:
            found = self._all.get(path)
            if found is None or not found.is_long:
                return False
            del self._all[path]
        return True
