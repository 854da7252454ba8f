"""Keeps what contradicts the identities in the archive in ``inbox/quarantine/``, each beside a text that says how."""

import logging
from contextlib import suppress
from datetime import UTC, datetime

from davfs import names
from davfs.entry import Path, read_all
from davfs.errors import AlreadyExists, Held, NotFound, PathError
from davfs.imports.complete_file import CompleteBytes, CompleteFile
from davfs.imports.rejected import numbered
from davfs.quarantine.identity import Quarantined
from davfs.spool.files import InboxFiles

QUARANTINE = "quarantine"
"""The folder of the inbox that holds it, with a folder for each PatientID."""
ACCEPTED = "accepted"
"""The folder of the inbox from which files are imported past the filter."""

_MOST = 9
"""Different files of one name that are kept: a sender that tries again and again must not fill the inbox."""

_LOG = logging.getLogger(__name__)


class QuarantineFolder:
    """The folder ``quarantine/`` of a spool."""

    def __init__(self, spool: InboxFiles) -> None:
        self._spool = spool

    def keep_upload(self, error: Held, name: str, file: CompleteFile) -> bool:
        """Keep an upload that was held; return False if there is no room, and no file like it is there."""
        return self._keep(error.patient, name, file, error.details)

    def keep_arrival(self, held: Quarantined, content: memoryview) -> bool:
        """Keep an instance that was sent to Orthanc; return False as `keep_upload`.

        These take the half of the inbox at most: a sender has what it was refused, and users need the other half.
        """
        used, available = self._spool.used, self._spool.available
        if not content or used + len(content) > available:
            return False
        name = names.safe_file(held.instance, ".dcm")
        return self._keep(held.patient, name, CompleteBytes(self._spool, content), held.lines())

    def _keep(self, patient: str, name: str, file: CompleteFile, lines: tuple[str, ...]) -> bool:
        folder = (QUARANTINE, names.safe(patient))
        try:
            for level in (folder[:1], folder):
                with suppress(AlreadyExists):
                    self._spool.make_folder(level)
            return self._write(folder, name, file, lines)
        except (PathError, OSError) as error:
            _LOG.warning("a file could not be kept in the quarantine: %s", type(error).__name__)
            return False

    def _write(self, folder: Path, name: str, file: CompleteFile, lines: tuple[str, ...]) -> bool:
        when = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        for number in range(1, _MOST + 1):
            path = (*folder, numbered(name, number))
            if self._is_there(path, file.view()):
                return True
            with suppress(AlreadyExists):
                file.keep(path, replace=False)
                text = "\n".join((path[-1], f"was not let into the archive on {when}.", "", *lines, ""))
                self._spool.write(text_beside(path), text.encode("utf-8", "replace"))
                return True
        return False

    def _is_there(self, path: Path, content: memoryview) -> bool:
        try:
            item = self._spool.stat(path)
            if item.receipt is not None or item.entry.size != len(content):
                return False
            with self._spool.open(path) as kept:
                return read_all(kept) == content
        except NotFound:
            return False


def text_beside(path: Path) -> Path:
    """Return the path of the text beside a file in quarantine."""
    return (*path[:-1], f"{path[-1]}.txt")
