"""Takes images out of the trash that are uploaded again: a success means that the image is there to see."""

import time
from collections.abc import Callable
from functools import partial

from davfs.errors import Unavailable, UnknownResource
from davfs.filesystem.trash import changes
from davfs.orthanc import StudyMetadata
from davfs.orthanc.model import OrthancId
from davfs.trash.mark import StudyMark
from davfs.trash.marks import Marks

_PAUSE, _PAUSES = 0.1, 100
"""Seconds between two looks at an image that is being deleted for good, and their number."""


class UploadedImages:
    """Makes sure that what was uploaded is not in the trash.

    Args:
        marks: The marks.
        orthanc: Has the studies.
        sleep: Waits for some seconds.
    """

    def __init__(self, marks: Marks, orthanc: StudyMetadata, sleep: Callable[[float], object] = time.sleep) -> None:
        self._marks = marks
        self._orthanc = orthanc
        self._sleep = sleep

    def show(self, instance: OrthancId, was_there: bool) -> bool:  # noqa: FBT001  as `Importer` calls it
        """Take an image out of the trash.

        Args:
            instance: The image.
            was_there: Whether Orthanc had it before. If not, a mark can list its id all the same: it was deleted in
                Orthanc while it was in the trash, or is being deleted for good.

        Returns:
            False if it was being deleted for good: it has to be stored again.

        Raises:
            Unavailable: It is still being deleted for good.
        """
        if not was_there and not self._marks.all():
            return True
        for attempt in range(_PAUSES):
            if self._is_shown(instance):
                return attempt == 0
            self._sleep(_PAUSE)
        raise Unavailable("the image is being deleted for good: try again")

    def _is_shown(self, instance: OrthancId) -> bool:
        """Return False if an image is being deleted for good; take it out of the trash."""
        try:
            for study in self._orthanc.studies_of([instance]):
                mark = self._marks.read(study)
                if mark and _lists(mark, instance):
                    mark = self._marks.change(study, partial(changes.uploaded, {instance}))
                return not (mark and _lists(mark, instance))
        except UnknownResource:
            pass
        return True  # it is gone: the importer knows what that means


def _lists(mark: StudyMark, instance: OrthancId) -> bool:
    return any(instance in ids for each in mark.deletions for ids in each.instances.values())
