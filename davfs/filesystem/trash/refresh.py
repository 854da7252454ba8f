"""Takes note of all marks before the trash is looked at, so that nothing in it is missing."""

import time
from collections.abc import Callable

from davfs.errors import Unavailable
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Level
from davfs.trash.known_marks import KnownMarks

_FEW = 1000
"""Studies whose marks are read at once: that takes a second."""
_PAUSE, _PAUSES = 0.1, 20
"""Seconds between two looks at an index that is being built, and their number."""


class TrashRefresh:
    """Reads Orthanc's log of changes; while not all marks are known, reads those of a small archive at once.

    Args:
        refresh: Reads the log.
        known: The marks.
        orthanc: Has all studies.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        refresh: Callable[[], None],
        known: KnownMarks,
        orthanc: ResourceIndex,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._refresh = refresh
        self._known = known
        self._orthanc = orthanc
        self._sleep = sleep

    def __call__(self) -> None:
        """Take note of all marks that were written before.

        Raises:
            Unavailable: Those of a large archive are not known yet.
        """
        self._refresh()
        if self._known.is_complete:
            return
        studies = self._orthanc.ids(Level.STUDY)
        if len(studies) <= _FEW:
            self._known.of(studies)
            return
        for _ in range(_PAUSES):
            if self._known.is_complete:
                return
            self._sleep(_PAUSE)
        raise Unavailable("what is in the trash is not known yet, for the index is being built: try again")
