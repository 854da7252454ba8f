"""Limits the size of files at Orthanc's own port, whose WebDAV engine holds each file in memory.

GET and HEAD take twice its size: joined in Python, and copied by the core (`WebDavCollection::GetFileContent`). A
PROPFIND on the file itself takes it once: the core copies zeros to count them. A listing of its folder takes nothing.

An instance may be as large as Orthanc can send: Orthanc has it in memory for any request, stored or anonymised.
"""

import logging
import time
from collections.abc import Callable

from davfs.cache import LruSet
from davfs.entry import DICOM, Entry, Path
from davfs.errors import TooLarge

LARGEST = 512 << 20
"""Bytes of a file that is joined in Python and copied by the core."""

LARGEST_IMAGE = (1 << 32) - 1
"""Bytes of an instance that the core passes to plugins: it counts them in 32 bits."""

QUIET_SECONDS = 60.0
"""Seconds until the same message is logged again: clients retry."""

_log = logging.getLogger(__name__)


class MemoryLimit:
    """Refuses files that would take too much of Orthanc's memory.

    Args:
        largest: Bytes of a file that may be read. A file of twice as many may be asked for its size, which takes as
            much memory: clients do so after each upload.
        image: Bytes of an instance that may be read, which the core can send.
        now: Clock, in seconds.
    """

    def __init__(
        self, largest: int = LARGEST, *, image: int = LARGEST_IMAGE, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._shown, self._image = largest, 2 * largest, image
        self._warned = LruSet[type[TooLarge]](1, lifetime=QUIET_SECONDS, now=now)

    def check_read(self, path: Path, entry: Entry) -> None:
        """Check a file that is to be read.

        Raises:
            TooLarge: It would take too much memory, or cannot be sent.
        """
        self._check(path, entry, self._image if _is_image(entry) else self._read)

    def check_shown(self, path: Path, entry: Entry) -> None:
        """Check a file whose size is requested, for which the core counts its bytes.

        Raises:
            TooLarge: It would take too much memory.
        """
        self._check(path, entry, LARGEST_IMAGE if _is_image(entry) else self._shown)

    def _check(self, path: Path, entry: Entry, largest: int) -> None:
        if entry.size <= largest:
            return
        if TooLarge not in self._warned:
            self._warned.add(TooLarge)
            _log.warning(
                "a file of %d bytes is too large for Orthanc's own WebDAV engine; "
                "the drive's own server (Davfs.Server) streams it",
                entry.size,
            )
        raise TooLarge(path, "the file is too large for Orthanc's own WebDAV engine; the drive's own server streams it")


def _is_image(entry: Entry) -> bool:
    return entry.media_type == DICOM and entry.resource != ""
