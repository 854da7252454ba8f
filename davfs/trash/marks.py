"""Reads and changes the marks of studies in Orthanc.

A change reads the mark, computes another, and writes it unless the mark has changed meanwhile: then it begins anew.
Orthanc compares and writes in one transaction (`davfs.orthanc.metadata`). With several Orthancs on one PostgreSQL
database, two such transactions may overlap; a lock that holds between them comes from outside (``locked``).
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Protocol

from davfs.errors import OrthancError, ValueChanged
from davfs.orthanc import MetadataValue, StudyMetadata
from davfs.orthanc.model import OrthancId
from davfs.trash.mark import PREFIX, StudyMark

DEFAULT_NUMBER = 4242
"""Number of the metadata. Orthanc itself uses those below 1024, its plugin for whole-slide imaging 4200 (a comment in
Orthanc's configuration says so); all others are the administrator's (``UserMetadata``)."""
_ATTEMPTS = 50
"""Times that a change is tried while others change the same mark."""

_LONG = 60_000
"""Bytes of the shortest mark that is read again: MySQL's TEXT, in which its plugin keeps metadata, has 65,535."""

_log = logging.getLogger(__name__)


class Marks(Protocol):
    """The marks of all studies."""

    def read(self, study: OrthancId) -> StudyMark | None:
        """Return the mark of a study as it is now in Orthanc, None if it has none.

        Raises:
            UnknownResource: There is no such study.
        """

    def change(self, study: OrthancId, function: Callable[[StudyMark], StudyMark]) -> StudyMark | None:
        """Change the mark of a study in one step, which happens as a whole or not at all.

        Args:
            study: The study.
            function: Returns the new mark for the present one, which is empty if the study has none. It may be called
                several times. A mark without deletions is deleted.

        Returns:
            The new mark, None for none.

        Raises:
            UnknownResource: There is no such study.
            UnreadableMark: The present mark cannot be read; it is not touched.
            OrthancError: Orthanc refuses it.
        """

    def all(self) -> Mapping[OrthancId, StudyMark]:
        """Return the marks of all studies, as far as Orthanc's log of changes was read."""


class OrthancMarks:
    """`Marks` in Orthanc's metadata.

    Args:
        orthanc: Has the studies.
        known: Returns the marks of all studies, for `all`.
        changed: Called with the study after each change.
        number: Number of the metadata.
        locked: Returns a lock on the mark of a study between all programs that change it.
    """

    def __init__(
        self,
        orthanc: StudyMetadata,
        known: Callable[[], Mapping[OrthancId, StudyMark]] = dict,
        changed: Callable[[OrthancId], object] = lambda _study: None,
        number: int = DEFAULT_NUMBER,
        locked: Callable[[OrthancId], AbstractContextManager[object]] = lambda _study: nullcontext(),
    ) -> None:
        self._orthanc = orthanc
        self._known = known
        self._changed = changed
        self._number = number
        self._locked = locked

    def read(self, study: OrthancId) -> StudyMark | None:
        """See `Marks`."""
        found = self._orthanc.metadata(study, self._number)
        return StudyMark.decode(found.value) if found else None

    def change(self, study: OrthancId, function: Callable[[StudyMark], StudyMark]) -> StudyMark | None:
        """See `Marks`."""
        with self._locked(study):
            for attempt in range(_ATTEMPTS):
                try:
                    mark = self._try(study, function)
                except ValueChanged:
                    if attempt == _ATTEMPTS - 1:
                        raise
                else:
                    with suppress(OrthancError):  # the next request reads it from Orthanc's log
                        self._changed(study)
                    return mark
        raise AssertionError

    def _try(self, study: OrthancId, function: Callable[[StudyMark], StudyMark]) -> StudyMark | None:
        found = self._orthanc.metadata(study, self._number)
        before = StudyMark.decode(found.value) if found else StudyMark()
        after = function(before)
        if not after.deletions:
            if found:
                self._orthanc.delete_metadata(study, self._number, found)
            return None
        if after != before:
            self._write(study, after, found)
        return after

    def _write(self, study: OrthancId, mark: StudyMark, found: MetadataValue | None) -> None:
        """Write a mark, and check a long one: a database that cuts off what is too long would hide the whole study."""
        value = mark.encode()
        self._orthanc.set_metadata(study, self._number, value, found)
        if len(value) < _LONG:
            return
        written = self._orthanc.metadata(study, self._number)
        if written and written.value != value and value.startswith(written.value):
            if found:
                self._orthanc.set_metadata(study, self._number, found.value, written)
            else:
                self._orthanc.delete_metadata(study, self._number, written)
            raise OrthancError("the database of this Orthanc cannot keep so long a mark: delete fewer images at once")

    def all(self) -> Mapping[OrthancId, StudyMark]:
        """See `Marks`."""
        return self._known()


def decode(study: OrthancId, value: bytes) -> StudyMark:
    """Return the mark of a study, and log one that cannot be read."""
    mark = StudyMark.decode(value)
    if not mark.is_readable:
        what = "is damaged or of a newer version" if value.startswith(PREFIX.encode()) else "is none of this drive's"
        _log.error("study %s is not shown: its mark in the trash %s", study, what)
    return mark
