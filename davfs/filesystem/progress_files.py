"""Text files in the inbox that show the progress of the import of the ZIP beside them.

They exist in memory only. An uploaded file of the same name takes precedence.
"""

from contextlib import nullcontext
from datetime import UTC, datetime

from davfs.entry import Entry, EntryKind, Opened, Path
from davfs.imports.progress import SUFFIX, Progress, RunningImports

_TEXT = "text/plain"


class ProgressFiles:
    """The progress files by their paths in the inbox.

    Args:
        running: The ZIPs that they tell about.
    """

    def __init__(self, running: RunningImports) -> None:
        self._running = running

    def find(self, path: Path) -> Opened | None:
        """Open the file at a path; None if there is none, for example because the import began just now."""
        progress = self._running.find(path)
        return _file(path[-1], progress) if progress else None

    def in_folder(self, folder: Path, taken: set[str]) -> list[Entry]:
        """Return the entries of the files in a folder, except those whose names uploaded files have."""
        names = (name for name in self._running.names(folder) if name not in taken)
        found = (self.find((*folder, name)) for name in names)
        return [file.entry for file in found if file]

    def hide(self, path: Path) -> bool:
        """Hide a file, which changes nothing in the import; return True if there was one."""
        return self._running.hide(path)


def _file(name: str, progress: Progress) -> Opened:
    text = memoryview(progress.text(name.removesuffix(SUFFIX)))
    now = datetime.now(UTC).replace(microsecond=0)
    etag = f"progress-{progress.imported}-{progress.refused}-{progress.ignored}-{progress.seconds}"
    return Opened(Entry(name, EntryKind.FILE, now, len(text), etag=etag, media_type=_TEXT), nullcontext(text))
