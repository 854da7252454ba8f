"""Images that Orthanc deletes as soon as it has stored them, as an Orthanc does that only routes them.

Such an upload is a success. The client that made it looks for the file then, and takes it for lost where it is not
listed with its size: so its receipt stays listed for a while, although nothing can be read there any more.
"""

import math
import time
from collections.abc import Callable
from datetime import datetime

LISTED = 60.0
"""Seconds for which the receipt of an image that was handed on is listed."""


REMEMBERED = 600.0
"""Seconds for which it is remembered that an image was handed on."""


class ForwardedImages:
    """Knows whether this Orthanc hands images on.

    Args:
        expected: Its configuration has scripts, which may do so; otherwise it is known after it has happened.
        now: Clock, in seconds since the epoch.
    """

    def __init__(self, *, expected: bool = False, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._until = math.inf if expected else 0.0

    def note(self) -> None:
        """Remember that an image was gone when its upload ended."""
        self._until = max(self._until, self._now() + REMEMBERED)

    def lists(self, uploaded: datetime) -> bool:
        """Return True if the receipt of an image that is gone is listed, given when it was uploaded."""
        now = self._now()
        return now < self._until and now - uploaded.timestamp() < LISTED
