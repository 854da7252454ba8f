"""Attaches a file to a study: makes a DICOM instance of it, and stores that in Orthanc.

The identifiers depend on the study and the bytes alone: what is attached once is not attached again. They are
compared with those of the study before anything is stored, so that nothing comes under another person's name.

The drive writes the DICOM file itself where it can keep the bytes as they are, and Orthanc decodes what has to be
decoded (``/tools/create-dicom``): PNG, and progressive JPEG.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from davfs.attachments import attributes, part10
from davfs.attachments.attributes import Dropped
from davfs.attachments.identifiers import attachment_uid, is_in_study, orthanc_id
from davfs.attachments.jpeg import read_jpeg
from davfs.attachments.kinds import AttachmentKind
from davfs.attachments.pdf import check_pdf
from davfs.attachments.png import read_png
from davfs.attachments.stl import check_stl
from davfs.attachments.text import text_to_pdf
from davfs.errors import Refused, Unavailable, UnknownResource
from davfs.orthanc import AttachmentTarget, Level, OrthancId, Resource, ResourceIndex, StoreResult, StoreStatus

LARGEST: Final = 512 << 20
"""Bytes of the largest file that is attached: it is in memory twice for a moment."""

_DECODED_PIXELS: Final = 64_000_000
_SHOWN_PIXELS: Final = 150_000_000
"""Pixels of the largest JPEG that Orthanc stores decoded, or decodes whenever it is shown."""
_HIGHEST: Final = 1_000_000
"""A SeriesNumber from which on nothing is counted: programs use such numbers for their own purposes."""
_REASONS: Final = {
    StoreStatus.FILTERED_OUT: "A filter of this Orthanc refused it.",
    StoreStatus.FAILURE: "Orthanc failed to store it.",
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to be attached.

    Attributes:
        name: Its name.
        content: Its bytes.
        kind: What it is.
        user: Who attaches it; empty if that is not known.
    """

    name: str
    content: memoryview
    kind: AttachmentKind
    user: str = ""


class Attacher:
    """Attaches files to studies; thread-safe.

    Args:
        archive: Has the studies, as far as they are shown.
        orthanc: Stores the instances.
        now: Clock; returns the local time with its time zone.
        storing: Runs a job that stores an instance; see `davfs.imports.importer.Importer.store_past_filter`.
    """

    def __init__(
        self,
        archive: ResourceIndex,
        orthanc: AttachmentTarget,
        now: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone(),
        storing: Callable[[Callable[[], StoreResult]], StoreResult] = lambda job: job(),
    ) -> None:
        self._archive = archive
        self._orthanc = orthanc
        self._now = now
        self._storing = storing

    def attach(self, study: OrthancId, attachment: Attachment) -> OrthancId:
        """Attach a file; return Orthanc's id of the instance, which exists then.

        Raises:
            Refused: It cannot be attached, or Orthanc does not want it.
            UnknownResource: The study does not exist any more.
            StorageFull, Unavailable: As for `davfs.orthanc.ImportTarget.store`.
        """
        dropped, instance = self._dropped(study, attachment)
        if self._archive.exists(Level.INSTANCE, instance):
            return instance
        stored = self._storing(lambda: self._store(dropped, attachment))
        if stored.status in _REASONS:
            raise Refused(_REASONS[stored.status])
        if stored.id != instance:
            raise Unavailable("Orthanc stored an attachment under other identifiers than it was given")
        if stored.status is StoreStatus.ALREADY_STORED and not self._archive.exists(Level.INSTANCE, instance):
            raise Refused("The same file was attached before, and is in the trash: restore it there.")
        return instance

    def _dropped(self, study: OrthancId, attachment: Attachment) -> tuple[Dropped, OrthancId]:
        digest = hashlib.sha256(attachment.content).hexdigest()
        found = self._archive.with_children(Level.STUDY, study)
        patient, uid = found.resource.patient.get("PatientID", ""), found.resource.tags.get("StudyInstanceUID", "")
        if not is_in_study(study, (patient, uid)):
            raise Refused("Orthanc does not know by which identifiers this study could be found again.")
        series_uid, instance_uid = (attachment_uid(part, study, digest) for part in ("series", "instance"))
        number = 1 + max(map(_number, self._archive.resources(found.children)), default=0)
        title = attachment.name.rpartition(".")[0] or attachment.name
        dropped = Dropped(found.resource, title, attachment.user, self._now(), series_uid, instance_uid, number)
        return dropped, orthanc_id(patient, uid, series_uid, instance_uid)

    def _store(self, dropped: Dropped, attachment: Attachment) -> StoreResult:
        content = attachment.content
        match attachment.kind:
            case AttachmentKind.PDF:
                check_pdf(content)
                return self._orthanc.store(part10.with_document(dropped.pdf(len(content)), content))
            case AttachmentKind.TEXT:
                made = memoryview(text_to_pdf(content))
                return self._orthanc.store(part10.with_document(dropped.pdf(len(made)), made))
            case AttachmentKind.STL:
                check_stl(content)
                place = attachment_uid("frame of reference", dropped.study.id, dropped.instance_uid)
                return self._orthanc.store(part10.with_document(dropped.stl(len(content), place), content))
            case AttachmentKind.JPEG:
                return self._store_jpeg(dropped, content)
        read_png(content)
        return self._decode(dropped.image(), "image/png", content)

    def _store_jpeg(self, dropped: Dropped, content: memoryview) -> StoreResult:
        image = read_jpeg(content)
        whole = content[: image.length]
        if image.rows * image.columns > (_SHOWN_PIXELS if image.syntax else _DECODED_PIXELS):
            raise Refused("The JPEG has too many pixels.")
        if image.syntax:
            return self._orthanc.store(
                part10.with_jpeg(dropped.image() | attributes.of_jpeg(image), whole, image.syntax)
            )
        return self._decode(dropped.image() | attributes.lossy(), "image/jpeg", whole)

    def _decode(self, values: attributes.Attributes, media_type: str, content: memoryview) -> StoreResult:
        uri = f"data:{media_type};base64,{b64encode(content).decode('ascii')}"
        return self._orthanc.create_dicom(attributes.as_tags(values), uri)


def study_of(archive: ResourceIndex, level: Level, resource: OrthancId) -> Resource:
    """Return the study of a study's or series' folder.

    Raises:
        UnknownResource: It does not exist any more.
    """
    found = archive.with_children(level, resource).resource
    if level is Level.STUDY:
        return found
    if found.parent is None:
        raise UnknownResource("it has been deleted")
    return study_of(archive, Level.STUDY, found.parent)


def _number(series: Resource) -> int:
    """Return the number of a series, 0 if it is none that DICOM can count on from."""
    try:
        number = int(series.tags.get("SeriesNumber", ""))
    except ValueError:
        return 0
    return number if 0 < number < _HIGHEST else 0
