"""Text files of the inbox that are on no disk: each tells how far the import of the ZIP beside it is.

A file that somebody has really put there goes before them.
"""

from contextlib import nullcontext
from datetime import UTC, datetime

from davfs.entry import Entry, EntryKind, Opened, Path
from davfs.imports.progress import SUFFIX, Progress, RunningImports

_TEXT = "text/plain"


class ProgressFiles:
    """The files, by their paths in the inbox.

    Args:
        running: The ZIPs that they tell about.
    """

    def __init__(self, running: RunningImports) -> None:
        self._running = running

    def find(self, path: Path) -> Opened | None:
        """Return the file at a path, open; None where there is none, or the import has not taken long so far."""
        progress = self._running.find(path)
        return _file(path[-1], progress) if progress else None

    def in_folder(self, folder: Path, taken: set[str]) -> list[Entry]:
        """Return the files in a folder.

        Args:
            folder: Which one.
            taken: Names of what is really there.
        """
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
