"""The deletion of resources in Orthanc, as far as the administrator allows it."""

from collections.abc import Callable
from dataclasses import dataclass

from davfs.orthanc import ResourceDeleter


@dataclass(frozen=True, slots=True)
class Deletions:
    """Deletes resources of Orthanc.

    Attributes:
        orthanc: Deletes them.
        run: Runs a deletion on a worker thread, and waits for it.
    """

    orthanc: ResourceDeleter
    run: Callable[[Callable[[], None]], None]
