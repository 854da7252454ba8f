"""An Orthanc in memory, with the answers of a real one to uploads: for tests of what imports and serves files."""

import hashlib
import io
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pydicom
from pydicom.errors import InvalidDicomError

from davfs.errors import BadFile, OrthancError, UnknownResource
from davfs.orthanc import Buffer, Changes, Instance, Level, OrthancId, Resource, Stored, StoreStatus


@dataclass
class MemoryOrthanc:
    """Keeps DICOM files by the id that Orthanc gives them.

    Attributes:
        files: What it holds.
        failure: Raised by every upload, where set.
        answer: Status of every upload, where set.
        transcoded: What it stores in place of every upload, where set.
        gate: Uploads wait until it is set.
        keeps_md5: False as with ``"StoreMD5ForAttachments": false``.
        uploads: Number of uploads that were tried.
    """

    files: dict[OrthancId, bytes] = field(default_factory=dict)
    failure: OrthancError | None = None
    answer: StoreStatus | None = None
    transcoded: bytes | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    keeps_md5: bool = True
    uploads: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def store(self, content: Buffer) -> Stored:
        """See `Orthanc`."""
        self.uploads += 1
        assert self.gate.wait(10)
        if self.failure:
            raise self.failure
        identifier = identify(bytes(content))
        if self.answer:
            return Stored(identifier, self.answer)
        if identifier in self.files:
            return Stored(identifier, StoreStatus.ALREADY_STORED)
        self.files[identifier] = self.transcoded or bytes(content)
        return Stored(identifier, StoreStatus.SUCCESS)

    def instance_size(self, instance: OrthancId) -> int:
        """See `Orthanc`."""
        return len(self._file(instance))

    def instance_md5(self, instance: OrthancId) -> str:
        """See `Orthanc`."""
        if not self.keeps_md5:
            raise UnknownResource("no MD5", 404)
        return hashlib.md5(self._file(instance), usedforsecurity=False).hexdigest()

    @contextmanager
    def instance_file(self, instance: OrthancId) -> Iterator[memoryview]:
        """See `Orthanc`."""
        yield memoryview(self._file(instance))

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """See `Orthanc`."""
        found = [each for each in ids if each in self.files]
        return [Instance(each, OrthancId(""), {}, len(self.files[each]), None, "") for each in found]

    def ids(self, level: Level) -> list[OrthancId]:
        """See `Orthanc`."""
        return list(self.files) if level is Level.INSTANCE else []

    def delete(self, level: Level, resource: OrthancId) -> None:
        """See `Orthanc`."""
        if level is not Level.INSTANCE or self.files.pop(resource, None) is None:
            raise UnknownResource("unknown resource", 404)

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """See `Orthanc`."""
        return level is Level.INSTANCE and resource in self.files

    def last_change(self) -> int:
        """See `Orthanc`."""
        return 0

    def changes(self, since: int, limit: int = 1000) -> Changes:
        """See `Orthanc`."""
        del limit
        return Changes((), since, done=True)

    def children(self, level: Level, resource: OrthancId) -> list[OrthancId]:
        """See `Orthanc`."""
        raise UnknownResource(f"no {level.value} {resource}", 404)

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `Orthanc`."""
        del ids
        return []

    def _file(self, instance: OrthancId) -> bytes:
        try:
            return self.files[instance]
        except KeyError:
            raise UnknownResource("unknown resource", 404) from None


def identify(content: bytes) -> OrthancId:
    """Return the id that Orthanc derives from the four identifiers of an instance."""
    try:
        # Without a preamble DCMTK goes by the first bytes; pydicom would read anything.
        force = content[:2] in (b"\x08\x00", b"\x02\x00", b"\x00\x08") and b"1.2.840." in content
        data = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, force=force)
        identifiers = (data.PatientID, data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID)
    except (InvalidDicomError, AttributeError, EOFError):
        raise BadFile("Bad file format", 15) from None
    digest = hashlib.sha1("|".join(identifiers).encode(), usedforsecurity=False).hexdigest()
    return OrthancId("-".join(digest[start : start + 8] for start in range(0, 40, 8)))
