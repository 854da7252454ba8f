"""Remembers that Orthanc forwards images: that it deletes them as soon as they are stored, as a DICOM router does.

Such an upload is a success. The client then looks for the file, and reports an error if the file is not listed with its
size. So the receipt stays listed for a minute, although the file cannot be read any more.
"""

import math
import time
from collections.abc import Callable
from datetime import datetime

LISTED_SECONDS = 60.0
"""Seconds for which the receipt of a forwarded image is listed."""
REMEMBERED_SECONDS = 600.0
"""Seconds for which it is remembered that an image was forwarded."""


class ForwardedImages:
    """Decides if the receipts of images that have been deleted are listed.

    Args:
        expected: True if Orthanc's configuration has scripts, which may forward images; otherwise it is known after the
            first forwarded image.
        now: Clock, in seconds since the epoch.
    """

    def __init__(self, *, expected: bool = False, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._until = math.inf if expected else 0.0

    def add(self) -> None:
        """Remember that an image was deleted before its upload ended."""
        self._until = max(self._until, self._now() + REMEMBERED_SECONDS)

    def is_listed(self, uploaded: datetime) -> bool:
        """Return True if the receipt of a deleted image is listed, by the time of its upload."""
        now = self._now()
        return now < self._until and now - uploaded.timestamp() < LISTED_SECONDS
