"""The progress of ZIP imports, which a text file in the inbox shows; it also ends an import when the drive stops."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from davfs.entry import Path
from davfs.errors import Unavailable
from davfs.spool.items import is_name

SUFFIX = ".progress.txt"
"""Suffix of a progress file, behind the name of the ZIP."""

_QUICK = 1.0
"""Seconds before a progress file is shown."""
_STRETCH, _PAUSE = 16, 1e-4
"""Members between two pauses, and the seconds of a pause, in which other threads get the interpreter."""
_SIZE = 600
"""Bytes of every text: clients read as many as a listing showed before."""


class Progress:
    """The progress of the import of one ZIP.

    Args:
        stopping: Whether the drive is stopping.
        now: Clock, in seconds since the epoch.

    Attributes:
        total: Members of the ZIP, those of ZIPs in it included; 0 until its directory was read.
        imported: Members that were imported.
        refused: Members that Orthanc refused.
        ignored: Members that are not DICOM.
        studies: Orthanc's ids of the studies of imported members.
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
        self.studies: dict[str, None] = {}

    def check(self) -> None:
        """Check that the drive is not stopping; called between two members, and from time to time in a large one.

        Raises:
            Unavailable: It is. Imported members stay imported; the client can send the ZIP again.
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
        """True once it has taken so long that a progress file is shown."""
        return self._now() - self._started > _QUICK

    @property
    def seconds(self) -> int:
        """Seconds since it began."""
        return int(self._now() - self._started)

    def text(self, name: str) -> bytes:
        """Return the text of the progress file of a ZIP of this name; all texts have the same length."""
        began = datetime.fromtimestamp(self._started, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
        lines = [
            *self._counts(),
            f"It began at {began} UTC, {self.seconds} seconds ago.",
            "",
            "This file goes when the import has ended.",
        ]
        text = "\n".join(lines).encode()
        heading = f"{name} is being imported."
        shown = heading.encode()[: _SIZE - len(text) - 3].decode(errors="ignore")
        return f"{shown}\n\n".encode() + text.ljust(_SIZE - len(shown.encode()) - 3) + b"\n"

    def _counts(self) -> list[str]:
        if not self.total:
            return ["It waits for others, or is being looked through."]
        done = self.imported + self.refused + self.ignored
        return [
            f"{done:,} of {self.total:,} files are done:",
            f"{self.imported:,} are imported, {self.refused:,} are refused, {self.ignored:,} are no DICOM.",
        ]


class RunningImports:
    """The ZIPs that are being imported, by the paths of their progress files."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[Path, Progress] = {}

    @contextmanager
    def show(self, path: Path, progress: Progress) -> Iterator[None]:
        """Show the progress of a ZIP until the end of the context, or until another upload to this path."""
        file = (*path[:-1], f"{path[-1]}{SUFFIX}")
        if not is_name(file[-1]):
            yield
            return
        with self._lock:
            self._all[file] = progress
        try:
            yield
        finally:
            with self._lock:
                if self._all.get(file) is progress:
                    del self._all[file]

    def find(self, path: Path) -> Progress | None:
        """Return the progress that the file at a path shows; None if there is none, or none yet."""
        found = self._all.get(path)
        return found if found is not None and found.is_long else None

    def names(self, folder: Path) -> list[str]:
        """Return the names of the progress files in a folder."""
        with self._lock:
            paths = [path for path in self._all if path[:-1] == folder]
        return sorted(path[-1] for path in paths if self.find(path))

    def hide(self, path: Path) -> bool:
        """Hide a progress file, which changes nothing in the import; return True if it was there."""
        with self._lock:
            found = self._all.get(path)
            if found is None or not found.is_long:
                return False
            del self._all[path]
        return True
