"""Imports DICOM files into Orthanc, and distinguishes a success from a refusal."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from davfs.elements.walk import Walk
from davfs.errors import BadFile, Refused, Unavailable, UnknownResource
from davfs.imports.hazards import check_hazards
from davfs.imports.same_image import SameImage
from davfs.orthanc import Buffer, ImportTarget, OrthancId, StoreResult, StoreStatus

UNREADABLE = "Orthanc cannot read it as a DICOM file."
"""The reason that users see for `BadFile`."""

LARGEST_FILE = (1 << 32) - 1
"""Bytes of the largest file that plugins and Orthanc can exchange: the SDK counts them in 32 bits."""

T = TypeVar("T")

_ATTEMPTS = 3
_REASONS = {
    StoreStatus.FILTERED_OUT: "A filter of this Orthanc refused it.",
    StoreStatus.FAILURE: "Orthanc failed to store it.",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """A DICOM file that was imported.

    Attributes:
        id: Orthanc's identifier of the instance.
        size: Bytes of the file as Orthanc stores and serves it.
        altered: Orthanc stores other bytes than it was given.
        uuid: Orthanc's name of the stored file, if it is known; empty otherwise.
        study: Orthanc's identifier of its study, if it is known; empty otherwise.
    """

    id: OrthancId
    size: int
    altered: bool = False
    uuid: str = ""
    study: str = ""


class ImportFilter(Protocol):
    """Decides which imports get into the archive; `davfs.quarantine.inside.InsideQuarantine` does so."""

    def judged(self, job: Callable[[], T], *, accepted: bool) -> T:
        """Run an import on this thread; what an administrator has accepted passes.

        Raises:
            Held: Its patient contradicts the archive, and it was not imported.
            Unavailable: That cannot be known yet; it was not imported.
        """


class NoFilter:
    """An `ImportFilter` that lets everything in."""

    def judged(self, job: Callable[[], T], *, accepted: bool) -> T:  # noqa: ARG002  as `ImportFilter` has it
        """See `ImportFilter`."""
        return job()


class Importer:
    """Imports complete DICOM files; thread-safe.

    Args:
        orthanc: The Orthanc that imports them.
        same_image: Compares files with images in Orthanc; None for one that decodes what Orthanc decodes.
        may_alter: Whether Orthanc can store other bytes of the same size.
        import_filter: Decides what gets into the archive; None to let everything in.
        shown: Makes sure that an image which Orthanc had, or has stored (False), can be seen on the drive; returns
            False if it has to be stored again.
    """

    def __init__(
        self,
        orthanc: ImportTarget,
        same_image: SameImage | None = None,
        *,
        may_alter: bool = True,
        import_filter: ImportFilter | None = None,
        shown: Callable[[OrthancId, bool], bool] = lambda _instance, _was_there: True,
    ) -> None:
        self._may_alter = may_alter
        self._filter: ImportFilter = import_filter or NoFilter()
        self._shown = shown
        self._orthanc = orthanc
        self._same_image = same_image or SameImage(orthanc)

    def import_dicom(
        self, content: Buffer, walk: Walk | None = None, *, quick: bool = False, accepted: bool = False
    ) -> Imported:
        """Import one DICOM file; importing the same image again is a success.

        Args:
            content: All of the file.
            walk: A walk through its elements that has begun; None for a new one.
            quick: Whether to give up if large images have to be compared; see `SlowComparison`.
            accepted: Whether it is imported whatever its patient contradicts; see `ImportFilter`.

        Raises:
            SlowComparison: It was given up.
            Refused: Orthanc does not want it, or its parser would not survive it.
            Held: Its patient contradicts the archive.
            Contradiction: Orthanc holds another image with the same SOPInstanceUID, or cannot read the one it holds.
            BadFile: Orthanc cannot read it.
            StorageFull: Orthanc has no room for it.
            Unavailable: The result is not known; the caller may try again.
        """
        if len(content) > LARGEST_FILE:
            raise Refused(f"It is larger than {LARGEST_FILE:,} bytes, which is more than Orthanc can take.")
        check_hazards(memoryview(content), walk)
        for _ in range(_ATTEMPTS):
            stored = self._filter.judged(lambda: self._orthanc.store(content), accepted=accepted)
            if stored.status in _REASONS:
                raise Refused(_REASONS[stored.status])
            try:
                imported = self._imported(content, stored, quick=quick)
                if self._shown(stored.id, stored.status is StoreStatus.ALREADY_STORED):
                    return imported
            except UnknownResource:
                if stored.status is StoreStatus.SUCCESS:  # a router deletes what it has stored
                    return Imported(stored.id, len(content), study=stored.study)
            # Orthanc declined our copy in favour of one that was deleted meanwhile: it holds neither now.
        raise Unavailable("the instance was deleted again and again during its import")

    def store_past_filter(self, job: Callable[[], StoreResult]) -> StoreResult:
        """Run a job that stores an attachment, on this thread: it is of its study's patient by its making.

        One that is in the trash is taken out of it.
        """
        for _ in range(_ATTEMPTS):
            stored = self._filter.judged(job, accepted=True)
            if stored.status in _REASONS or self._shown(stored.id, stored.status is StoreStatus.ALREADY_STORED):
                return stored
        raise Unavailable("the instance was deleted again and again while it was attached")

    def import_if_readable(
        self, content: Buffer, walk: Walk | None = None, *, quick: bool = False, accepted: bool = False
    ) -> Imported | None:
        """Import a file that is probably not DICOM, as `import_dicom` does; return None if Orthanc cannot read it."""
        walk = walk or Walk(memoryview(content))
        try:
            check_hazards(memoryview(content), walk)
        except Refused:
            return None
        try:
            return self.import_dicom(content, walk, quick=quick, accepted=accepted)
        except BadFile:
            return None

    def _imported(self, content: Buffer, stored: StoreResult, *, quick: bool) -> Imported:
        is_copy = self._is_copy(content, stored, quick=quick)
        if is_copy:
            return Imported(stored.id, len(content), study=stored.study)
        held = self._orthanc.instance(stored.id)
        altered = is_copy is False or held.size != len(content)
        return Imported(stored.id, held.size, altered, held.uuid, stored.study)

    def _is_copy(self, content: Buffer, stored: StoreResult, *, quick: bool) -> bool | None:
        """Return True if Orthanc holds the bytes that it was given; None if only the size needs to be compared.

        The MD5 takes a tenth of an upload's time.
        """
        if stored.status is StoreStatus.ALREADY_STORED:
            return self._same_image.check(content, stored.id, quick=quick)
        if self._may_alter:
            with suppress(UnknownResource):  # gone, or Orthanc keeps no MD5
                return self._same_image.is_copy(content, stored.id)
        return None
