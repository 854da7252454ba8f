"""Hands DICOM files to Orthanc, and distinguishes a success from a refusal."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from davfs.errors import BadFile, Contradiction, Refused, Unavailable, UnknownResource
from davfs.orthanc import Buffer, Orthanc, OrthancId, Stored, StoreStatus

UNREADABLE = "Orthanc cannot read it as a DICOM file."
"""What `BadFile` means to a user."""

_REASONS = {
    StoreStatus.FILTERED_OUT: "A filter of this Orthanc refused it.",
    StoreStatus.FAILURE: "Orthanc failed to store it.",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """One DICOM file that Orthanc holds.

    Attributes:
        id: Orthanc's identifier of the instance.
        size: Bytes of the file as Orthanc stores it, which is what it will serve.
    """

    id: OrthancId
    size: int


class Importer:
    """Imports complete DICOM files into one Orthanc; every method may be called from several threads at once.

    Args:
        orthanc: Where to.
        transcodes: Orthanc's ``IngestTranscoding`` is on: what it stores differs from what it was given.
    """

    def __init__(self, orthanc: Orthanc, *, transcodes: bool = False) -> None:
        self._orthanc = orthanc
        self._transcodes = transcodes

    def import_dicom(self, content: Buffer) -> Imported:
        """Import one DICOM file; importing the same file again is a success.

        Raises:
            Refused: Orthanc does not want it.
            Contradiction: Orthanc holds another file with the same SOPInstanceUID.
            BadFile: Orthanc cannot read it.
            StorageFull: Orthanc has no room for it.
            Unavailable: Nothing is known; the caller may try again.
        """
        stored = self._orthanc.store(content)
        if stored.status in _REASONS:
            raise Refused(_REASONS[stored.status])
        try:
            if stored.status is StoreStatus.ALREADY_STORED:
                self._check_same(stored, content)
            return Imported(stored.id, self._orthanc.instance_size(stored.id))
        except UnknownResource as error:
            if stored.status is StoreStatus.SUCCESS:
                return Imported(stored.id, len(content))
            # Orthanc declined our copy in favour of one that was deleted meanwhile: it holds neither now.
            raise Unavailable("the instance was deleted during its import") from error

    def import_maybe(self, content: Buffer) -> Imported | None:
        """Import what may be DICOM, as `import_dicom` does; None where Orthanc cannot read it."""
        try:
            return self.import_dicom(content)
        except BadFile:
            return None

    def _check_same(self, stored: Stored, content: Buffer) -> None:
        if not self._transcodes and _md5([content]) != self._held_md5(stored.id):
            raise Contradiction(
                "Orthanc already holds a different file with this SOP instance UID: nothing was changed."
            )

    def _held_md5(self, instance: OrthancId) -> str:
        try:
            return self._orthanc.instance_md5(instance).lower()
        except UnknownResource:  # gone, or merely not kept: "StoreMD5ForAttachments" may be off
            with self._orthanc.open_instance(instance) as held:
                return _md5(held.buffers())


def _md5(blocks: Iterable[Buffer]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()
