"""How large a file may be for Orthanc's own WebDAV engine, which wants all of it in memory.

GET and HEAD take twice its size: joined in Python, and copied by the core (`WebDavCollection::GetFileContent`). A
PROPFIND on the file itself takes it once: the core copies zeros to count them. A listing of its folder takes nothing.

An instance has no limit. Orthanc has it in memory for whoever asks for it, by whichever way, stored or anonymised.
"""

import logging
import threading
import time
from collections.abc import Callable

from davfs.entry import DICOM, Entry, Path
from davfs.errors import TooLarge

LARGEST = 512 << 20
"""Bytes of a file that is joined in Python and copied by the core."""

_QUIET = 60.0
"""Seconds between two lines in the log: clients ask again and again."""

_log = logging.getLogger(__name__)


class Limit:
    """Refuses what would take too much of Orthanc's memory.

    Args:
        largest: Bytes of a file that may be read. A file of twice as many may be asked for its size, which takes as
            much memory: clients do so after each upload.
        now: Clock, in seconds.
    """

    def __init__(self, largest: int = LARGEST, now: Callable[[], float] = time.monotonic) -> None:
        self._read, self._shown = largest, 2 * largest
        self._now = now
        self._lock = threading.Lock()
        self._quiet_until = -float("inf")

    def check_read(self, path: Path, entry: Entry) -> None:
        """Check a file whose bytes are asked for.

        Raises:
            TooLarge: It would take too much memory.
        """
        self._check(path, entry, self._read)

    def check_shown(self, path: Path, entry: Entry) -> None:
        """Check a file whose size is asked for, which the core counts.

        Raises:
            TooLarge: It would take too much memory.
        """
        self._check(path, entry, self._shown)

    def _check(self, path: Path, entry: Entry, largest: int) -> None:
        if entry.size <= largest or _is_image(entry):
            return
        if self._may_log():
            _log.warning(
                "a file of %d bytes is too large for Orthanc's own WebDAV engine; "
                "the drive's own server (Davfs.Server) streams it",
                entry.size,
            )
        raise TooLarge(path, "the file is too large for Orthanc's own WebDAV engine; the drive's own server streams it")

    def _may_log(self) -> bool:
        with self._lock:
            now = self._now()
            if now < self._quiet_until:
                return False
            self._quiet_until = now + _QUIET
            return True


def _is_image(entry: Entry) -> bool:
    return entry.media_type == DICOM and entry.resource != ""
