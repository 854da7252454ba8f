"""Prints what an administrator reads while a drive runs: in colour at a terminal, as plain lines in a log or journal.

All of it goes to standard error, as the log does, so that the two do not overwrite each other.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console as RichConsole
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_EVERY = 10.0
"""Seconds between two lines about the first index, in a log."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The message that the drive has been opened.

    Attributes:
        orthanc: Name, version and URL of Orthanc.
        layouts: The folders of the layouts.
        writing: The changes that are allowed.
        url: The URL to mount.
        mount: The command that mounts it on this system.
    """

    orthanc: str
    layouts: str
    writing: str
    url: str
    mount: str


class Console:
    """Prints what an administrator reads, and sets up logging.

    Args:
        environment: Shows whether standard error is a systemd journal.
        verbose: Log more.
    """

    def __init__(self, environment: Mapping[str, str], *, verbose: bool) -> None:
        self._terminal = RichConsole(stderr=True)
        self._progress: Progress | None = None
        self._next_line = 0.0
        self._log = logging.getLogger("davfs")
        handler = self._handler(environment)
        self._log.handlers[:] = [handler]
        self._log.setLevel(logging.DEBUG if verbose else logging.INFO)
        self._log.propagate = False

    def announce(self, drive: Announcement) -> None:
        """Print that the drive has been opened."""
        if not self._terminal.is_terminal:
            self._log.info("Orthanc %s; folders: %s; %s", drive.orthanc, drive.layouts, drive.writing)
            self._log.info("the drive is at %s; mount it here with: %s", drive.url, drive.mount)
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        table.add_row("Orthanc", Text(drive.orthanc))
        table.add_row("Folders", Text(drive.layouts))
        table.add_row("Writing", Text(drive.writing))
        table.add_row("Drive", Text(drive.url, "bold"))
        table.add_row("Mount it", Text(drive.mount, "bold green"))
        table.add_row("", Text(f"davfs mount-help --url {drive.url}  has all steps, also for other systems"))
        table.add_row("Stop it", "Ctrl-C")
        self._terminal.print(table, soft_wrap=True)

    def indexing(self, done: int, total: int, now: float) -> None:
        """Print the progress of the first index.

        Args:
            done: Number of resources in the index.
            total: Number of all resources; 0 while unknown.
            now: Monotonic time in seconds.
        """
        if self._terminal.is_terminal:
            self._bar().update(self._bar().task_ids[0], completed=done, total=total or None)
        elif total and now >= self._next_line:
            self._next_line = now + _EVERY
            self._log.info("the first index is being built: %d of %d resources", done, total)

    def quiet(self) -> None:
        """Remove the progress bar from the terminal."""
        if self._progress:
            self._progress.stop()
            self._progress = None

    def _bar(self) -> Progress:
        if self._progress is None:
            columns = (
                SpinnerColumn(),
                TextColumn("building the first index"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._progress = Progress(*columns, console=self._terminal, transient=True)
            self._progress.add_task("", total=None)
            self._progress.start()
        return self._progress

    def _handler(self, environment: Mapping[str, str]) -> logging.Handler:
        if self._terminal.is_terminal:
            return RichHandler(console=self._terminal, show_path=False, markup=False, highlighter=None)
        handler = logging.StreamHandler()
        handler.setFormatter(_Lines(journal="JOURNAL_STREAM" in environment))
        return handler


class _Lines(logging.Formatter):
    """Formats each record as one line, with its date; for a journal, which adds the date, with its priority.

    Source: sd-daemon(3) for the priorities.
    """

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = " ".join(super().format(record).splitlines())  # a line of its own would look like another record
        if self._journal:
            return f"<{_PRIORITIES.get(record.levelno, 6)}>{text}"
        date = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{date} {record.levelname:7} {text}"
