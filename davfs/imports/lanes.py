"""The queues of the drive, one for each kind of work: what takes long never makes what is short wait.

An upload waits only for uploads of its own kind. The kinds go by what a file can cost Orthanc, whose parser takes up to
half a second for a megabyte of hostile content, and milliseconds for all of an ordinary image:

- ``small``: DICOM files of up to `SMALL` bytes;
- ``large``: larger ones;
- ``complex``: those of very many data elements, or of nobody knows how many, and those whose many pixels have to be
  decoded, to be compared with the ones that Orthanc has;
- ``zips``: ZIPs, each of which can be thousands of files;
- ``deletions``: of single files, and of patients with thousands of them.
"""

from time import monotonic

from davfs.elements.files import is_deflated
from davfs.elements.walk import Walk
from davfs.imports.queue import ImportQueue

SMALL = 4 << 20
"""Bytes of the largest DICOM file in the lane of small ones: the images of CT and MR are smaller."""

_UNCOUNTED = 128 << 10
"""Bytes up to which a file is parsed so soon that its elements need not be counted."""
_COMPLEX = 30_000
"""Data elements of a file for which Orthanc's parser takes half a second; an ordinary image has a few hundred."""
_WAITING = 4
"""Jobs that may wait in the lanes where each takes long: who waits keeps one of the door's threads."""


class Lanes:
    """The queues of imports and deletions.

    Args:
        workers: Threads of each lane; fewer of those where a single job is thousands of files.
        patience: Seconds in which a job has to be started.

    Attributes:
        small: Imports small DICOM files.
        large: Imports large DICOM files.
        complex: Imports DICOM files that are hard to parse, or to compare.
        zips: Imports ZIPs.
        deletions: Deletes resources of Orthanc.
    """

    def __init__(self, *, workers: int = 4, patience: float = 30.0) -> None:
        few = (workers + 1) // 2
        self.small = ImportQueue("import", workers=workers, patience=patience)
        self.large = ImportQueue("import-large", workers=workers, patience=patience)
        self.complex, self.zips = (
            ImportQueue(name, workers=few, capacity=_WAITING, patience=patience, waits_for_room=False)
            for name in ("import-complex", "import-zip")
        )
        self.deletions = ImportQueue("delete", workers=workers, patience=patience)

    def of_dicom(self, content: memoryview, walk: Walk) -> ImportQueue:
        """Return the lane for a DICOM file; one that is deflated can be of any size when Orthanc unpacks it.

        Args:
            content: The file.
            walk: A walk through it, which begins here.
        """
        size = len(content)
        if is_deflated(content) or (size > _UNCOUNTED and walk.count(_COMPLEX) == _COMPLEX):
            return self.complex
        return self.small if size <= SMALL else self.large

    def refuse(self) -> None:
        """Refuse new jobs, and have those that take long end early."""
        for lane in self._all:
            lane.refuse()

    def stop(self, timeout: float) -> bool:
        """Stop all lanes, see `ImportQueue.stop`; return whether all threads ended within ``timeout`` seconds."""
        deadline = monotonic() + timeout
        self.refuse()
        ended = [lane.stop(max(0.0, deadline - monotonic())) for lane in self._all]
        return all(ended)

    @property
    def _all(self) -> tuple[ImportQueue, ...]:
        return self.small, self.large, self.complex, self.zips, self.deletions
