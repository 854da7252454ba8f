"""The folders of the inbox that the drive itself makes: rejected/, quarantine/ and, where there is one, accepted/."""

from contextlib import suppress

from davfs.entry import Path
from davfs.errors import NotFound, PathError
from davfs.imports.quarantined import ACCEPTED, QUARANTINE, text_beside
from davfs.imports.rejected import REJECTED
from davfs.spool.files import InboxFiles

READ_ONLY = frozenset({REJECTED, QUARANTINE})
"""Folders in which only the drive puts files; they are listed while something is in them."""


class OwnFolders:
    """The drive's own folders of a spool.

    Args:
        spool: The spool.
        accepting: Whether there is accepted/.
    """

    def __init__(self, spool: InboxFiles, *, accepting: bool) -> None:
        self._spool = spool
        self._accepting = accepting

    def make(self, path: Path) -> None:
        """Make accepted/, if the path is there, or the inbox itself: it may have expired, or been deleted."""
        if self._accepting and path[:1] in {(), (ACCEPTED,)} and not self._is_there((ACCEPTED,)):
            with suppress(PathError):
                self._spool.make_folder((ACCEPTED,))

    def is_fixed(self, path: Path) -> bool:
        """Return True for one of the folders themselves, which cannot be moved."""
        return len(path) == 1 and (path[0] in READ_ONLY or (self._accepting and path[0] == ACCEPTED))

    def is_hidden(self, path: Path) -> bool:
        """Return True for one of the folders that has nothing in it, and is not listed."""
        if len(path) != 1 or path[0] not in READ_ONLY:
            return False
        try:
            return not self._spool.list(path)
        except PathError:
            return True

    def remove_text(self, path: Path) -> None:
        """Remove the text beside a file that was in quarantine, and its folder with the last file."""
        with suppress(PathError):
            if path[0] == QUARANTINE and len(path) > 2:  # noqa: PLR2004  quarantine/, PatientID, name
                self._spool.delete(text_beside(path))
                if not self._spool.list(path[:-1]):
                    self._spool.delete(path[:-1])

    def accepted_files(self, source: Path, target: Path) -> list[str] | None:
        """Return the names of the files that are let in by moving a folder in quarantine; None for any other move.

        Raises:
            NotFound: Nothing is at the source.
        """
        if not self._accepting or source[0] != QUARANTINE or target[:1] != (ACCEPTED,):
            return None
        if not self._spool.stat(source).entry.is_folder:
            return None
        found = {item.entry.name for item in self._spool.list(source) if not item.entry.is_folder}
        return sorted(name for name in found if not (name.endswith(".txt") and name.removesuffix(".txt") in found))

    def _is_there(self, path: Path) -> bool:
        try:
            self._spool.stat(path)
        except NotFound:
            return False
        return True
