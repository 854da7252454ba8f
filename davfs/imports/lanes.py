"""The lanes: queues for imports and deletions, each with its threads, so that short jobs never wait for long ones.

An upload waits only for uploads of its own kind. The kinds are those of the time that a file can take
Orthanc's parser: up to half a second for a megabyte of hostile content, milliseconds for an ordinary image.

- ``small``: DICOM files of up to `SMALL` bytes;
- ``large``: larger ones;
- ``complex``: files with very many data elements, or an unknown number of them, and those whose many pixels have to be
  decoded and compared with Orthanc's;
- ``zips``: ZIPs, each of which can be thousands of files;
- ``deletions``: of single files, and of patients with thousands of them.
"""

from time import monotonic

from davfs.elements.files import is_deflated
from davfs.elements.walk import Walk
from davfs.imports.queue import ImportQueue

SMALL = 4 << 20
"""Bytes of the largest DICOM file in the lane ``small``: images of CT and MR are smaller."""

_UNCOUNTED = 128 << 10
"""Bytes up to which a file is parsed so fast that its elements need not be counted."""
_COMPLEX = 30_000
"""Data elements of a file for which Orthanc's parser takes half a second; an ordinary image has a few hundred."""
_WAITING = 4
"""Jobs that may wait in the lanes of long jobs: each waiting request occupies a thread of its door."""


class Lanes:
    """The queues of imports and deletions.

    Args:
        workers: Threads of each lane; half as many for ``complex`` and ``zips``.
        patience: Seconds within which a job has to be started.

    Attributes:
        small: Imports small DICOM files.
        large: Imports large DICOM files.
        complex: Imports DICOM files that take long to parse or to compare.
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
        """Return the lane for a DICOM file; a deflated one can unpack to any size.

        Args:
            content: The file.
            walk: A walk through its elements, which begins here.
        """
        size = len(content)
        if is_deflated(content) or (size > _UNCOUNTED and walk.count(_COMPLEX) == _COMPLEX):
            return self.complex
        return self.small if size <= SMALL else self.large

    def refuse(self) -> None:
        """Refuse new jobs, and make long ones end early."""
        for lane in self._all:
            lane.refuse()

    def stop(self, timeout: float) -> bool:
        """Stop all lanes, see `ImportQueue.stop`; return True if all threads ended within ``timeout`` seconds."""
        deadline = monotonic() + timeout
        self.refuse()
        ended = [lane.stop(max(0.0, deadline - monotonic())) for lane in self._all]
        return all(ended)

    @property
    def _all(self) -> tuple[ImportQueue, ...]:
        return self.small, self.large, self.complex, self.zips, self.deletions
