"""The part of Orthanc's REST API that the drive uses, as Protocols: each room depends on the smallest that it needs.

- `ChangeLog`: the log of changes.
- `ResourceIndex`: all resources, and their DICOM tags. For `davfs.catalog`.
- `InstanceFiles`: DICOM files. For `davfs.filesystem`.
- `DerivedContent`: files, and what Orthanc renders. For `davfs.derived`.
- `ChecksumLookup`: the checksums that Orthanc keeps.
- `ImportTarget`: upload and comparison. For `davfs.imports`.
- `StudyMetadata`: values attached to studies. For `davfs.trash`.
- `AttachmentTarget`: the upload of what the drive makes DICOM of. For `davfs.attachments`.
- `Orthanc`: all of it. `davfs.orthanc.rest.RestOrthanc` is one.

Every method raises `UnknownResource` if a resource named by its id does not exist (any more), `Unavailable` if Orthanc
cannot answer, and `OrthancError` for any other failure. None may be called on a change callback's thread.

Source: https://orthanc.uclouvain.be/api/ and, for each method, the route named in its docstring.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, runtime_checkable

from davfs.entry import Readable
from davfs.orthanc.model import (
    Change,
    Changes,
    Counts,
    Instance,
    Level,
    MetadataValue,
    OrthancId,
    Resource,
    StoreResult,
    StoreStatus,
    WithChildren,
)

__all__ = [
    "AttachmentTarget",
    "Buffer",
    "Change",
    "ChangeLog",
    "Changes",
    "ChecksumLookup",
    "Counts",
    "DerivedContent",
    "HasStorageFolder",
    "ImportTarget",
    "Instance",
    "InstanceFiles",
    "Level",
    "MetadataValue",
    "Orthanc",
    "OrthancId",
    "ReadableOrthanc",
    "Resource",
    "ResourceDeleter",
    "ResourceIndex",
    "StoreResult",
    "StoreStatus",
    "StudyMetadata",
    "WithChildren",
]

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes that are handed to Orthanc without a copy."""


class ChangeLog(Protocol):
    """Orthanc's log of changes. Deletions are in no log: they show in the counts."""

    def last_change(self) -> int:
        """Return the newest sequence number of the log of changes (``GET /changes?last``)."""

    def changes(self, since: int, limit: int = 1000) -> Changes:
        """Return the changes after sequence number ``since`` (``GET /changes?since=&limit=``)."""

    def counts(self) -> Counts:
        """Return how many resources there are (``GET /statistics``): slow, since Orthanc counts its rows."""


class _InstanceLookup(Protocol):
    def instance(self, instance: OrthancId) -> Instance:
        """Return an instance, without its reception and its SOPClassUID (``GET /instances/{id}``)."""

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """Return those of the named instances that exist (``POST /tools/bulk-content``)."""


class ResourceIndex(ChangeLog, _InstanceLookup, Protocol):
    """The patients, studies, series and instances that Orthanc stores."""

    def ids(self, level: Level) -> Sequence[OrthancId]:
        """Return the ids of all resources of a level, in no particular order (``GET /patients`` …)."""

    def id_page(self, level: Level, since: int, limit: int) -> Sequence[OrthancId]:
        """Return the ids of at most ``limit`` patients, studies or series behind the first ``since`` of them.

        What is deleted between two calls moves the others, so that some may be missed (``GET /{level}?since=&limit=``).
        """

    def has_count(self, level: Level, count: int) -> bool:
        """Return True if there are exactly so many patients, studies or series (``GET /{level}?since=&limit=``).

        Takes far less time than `ids`.
        """

    def with_children(self, level: Level, resource: OrthancId) -> WithChildren:
        """Return a patient, study or series with the ids right below it, in one response (``GET /{level}/{id}``)."""

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """Return True if a patient, study, series or instance exists now (``GET /{level}/{id}/metadata``)."""

    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """Return those of the named resources, of any level, that exist now (``POST /tools/bulk-content``)."""

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """Return those of the named patients, studies and series that exist (``POST /tools/bulk-content``)."""

    def page(self, level: Level, since: int, limit: int) -> Sequence[Resource]:
        """Return a page of all patients, studies or series (``GET /{level}?expand&since=&limit=``).

        In newer Orthancs, each resource takes far less time than one that is requested by its id.

        Args:
            level: Their level.
            since: Number of resources to skip, in an order that is stable while nothing is added or deleted.
            limit: Size of the page; a shorter page is the last one.
        """


class InstanceFiles(_InstanceLookup, Protocol):
    """The stored DICOM files."""

    def instance_size(self, instance: OrthancId) -> int:
        """Return the size in bytes of an instance's DICOM file (``…/attachments/dicom/size``)."""

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[Readable]:
        """Open the DICOM file of an instance, however large it is (``/instances/{id}/file``).

        Reading may raise `Unavailable` too: the bytes never end early without an error. Inside Orthanc they are one
        buffer, the core's own.

        Args:
            instance: Its id; a missing instance raises when the context is entered.
            start: Offset of the first read, in bytes; any other offset can be read as well, at a higher cost.
        """


@runtime_checkable
class HasStorageFolder(Protocol):
    """Access to Orthanc's storage folder, where that is readable beside this process."""

    def open_stored(self, instance: OrthancId, uuid: str, size: int) -> AbstractContextManager[Readable] | None:
        """Open the stored file of an instance by its name; None if Orthanc has to be asked for it.

        Args:
            instance: Its id.
            uuid: Name of its stored file.
            size: Its size in bytes.

        Raises:
            UnknownResource: There is no such instance any more.
        """


class ChecksumLookup(_InstanceLookup, Protocol):
    """The checksums of the stored DICOM files."""

    def instance_md5(self, instance: OrthancId) -> str:
        """Return the MD5 of an instance's DICOM file, in hexadecimal (``…/attachments/dicom/md5``).

        It is that of the file as Orthanc serves it, also where its storage is compressed.

        Raises:
            UnknownResource: There is no such instance, or Orthanc keeps no MD5 (``StoreMD5ForAttachments``).
        """


class DerivedContent(InstanceFiles, ChecksumLookup, Protocol):
    """What Orthanc renders or describes, and the files from which the drive makes others."""

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `ResourceIndex`."""

    def description(self, level: Level, resource: OrthancId) -> bytes:
        """Return Orthanc's own JSON about a patient, study or series, unchanged (``GET /{level}/{id}``)."""

    def picture(self, instance: OrthancId) -> bytes | None:
        """Return an instance's first frame as a PNG, None if it cannot be rendered (``…/preview``)."""

    def report(self, instance: OrthancId) -> bytes | None:
        """Return the PDF that an instance encapsulates, None if it has none (``…/pdf``)."""

    def all_tags(self, instance: OrthancId) -> Mapping[str, Any]:
        """Return the DICOM tags of an instance (``…/tags?short``).

        Returns:
            By ``gggg,eeee`` in lower case: a text, or None for a long or binary value, which Orthanc omits; a list of
            such mappings for a sequence.
        """


class ImportTarget(InstanceFiles, ChecksumLookup, Protocol):
    """The upload of DICOM files, and their comparison with the stored ones."""

    def store(self, content: Buffer) -> StoreResult:
        """Upload one DICOM file (``POST /instances``).

        Raises:
            BadFile: Orthanc cannot read it as DICOM.
            StorageFull: Orthanc has no space left for it.
        """

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """See `ResourceIndex`."""

    def is_intact(self, instance: OrthancId) -> bool:
        """Return True if the stored file of an instance can be read and has its MD5 (``…/dicom/verify-md5``).

        It is False, too, if Orthanc keeps no MD5.
        """

    def uncompressed(self, content: Buffer, instance: OrthancId | None) -> bytes:
        """Return a DICOM file with its pixels decompressed (``OrthancPluginTranscodeDicomInstance``).

        Args:
            content: The file.
            instance: The instance that has this file (``POST …/modify``); None if Orthanc does not store it.

        Raises:
            OrthancError: Orthanc cannot decode them; or, over HTTP, does not store the file.
        """


class AttachmentTarget(Protocol):
    """The upload of instances that are made of other files."""

    def store(self, content: Buffer) -> StoreResult:
        """See `ImportTarget`."""

    def create_dicom(self, tags: Mapping[str, str], content: str) -> StoreResult:
        """Make and store an instance of a picture, which Orthanc decodes (``POST /tools/create-dicom``).

        Args:
            tags: All attributes but those of the pixels, by keyword: the identifiers too.
            content: The picture as a data URI (RFC 2397).

        Raises:
            BadFile: Orthanc cannot decode it.
            StorageFull: Orthanc has no space left for it.
        """


class ResourceDeleter(Protocol):
    """The deletion of resources."""

    def delete(self, level: Level, resource: OrthancId) -> None:
        """Delete a resource and everything below it (``DELETE /{level}/{id}``)."""

    def delete_instances(self, instances: Sequence[OrthancId]) -> None:
        """Delete those of the instances that exist, one after the other (``POST /tools/bulk-delete``)."""


class StudyMetadata(Protocol):
    """Values that programs attach to studies, and the parts of studies.

    Orthanc notes each change of a value in its log (``UpdatedMetadata``).
    """

    def metadata(self, study: OrthancId, number: int) -> MetadataValue | None:
        """Return a value; None if the study has none (``GET /studies/{id}/metadata/{number}``)."""

    def set_metadata(self, study: OrthancId, number: int, value: bytes, expected: MetadataValue | None) -> None:
        """Replace a value, in one transaction (``PUT …`` with ``If-Match``).

        Args:
            study: The study.
            number: Number of the value, 1024 at least.
            value: The new value, in ASCII.
            expected: The present value; None if there is none.

        Raises:
            ValueChanged: It is another one by now.
        """

    def delete_metadata(self, study: OrthancId, number: int, expected: MetadataValue) -> None:
        """Delete a value, in one transaction (``DELETE …`` with ``If-Match``).

        Raises:
            ValueChanged: It is another one by now, or was deleted.
        """

    def metadata_of(self, studies: Sequence[OrthancId], number: int, prefix: str) -> Mapping[OrthancId, bytes | None]:
        """Return the value of each of the studies that exist, None for none (``GET /studies/{id}/metadata?expand``).

        Args:
            studies: The studies.
            number: Number of the value.
            prefix: Its first characters, by which it is known where the administrator gave a name to the number
                (``UserMetadata``).
        """

    def studies_with_metadata(self, number: int) -> frozenset[OrthancId] | None:
        """Return all studies that have a value; None if Orthanc cannot find them.

        Source: ``POST /tools/find`` with ``MetadataQuery``, since 1.12.5 where the database has ``ExtendedFind``.
        """

    def studies_of(self, ids: Sequence[OrthancId]) -> Sequence[OrthancId]:
        """Return the studies above those of the series and instances that exist, each once.

        Source: ``POST /tools/bulk-content`` with ``Level``.
        """

    def series_of(self, studies: Sequence[OrthancId]) -> Sequence[WithChildren]:
        """Return all series of those of the studies that exist, with the ids of their instances.

        Source: ``POST /tools/bulk-content`` with ``Level``.
        """


class ReadableOrthanc(ResourceIndex, DerivedContent, Protocol):
    """An archive that is only read: an Orthanc, or a folder of DICOM files."""


class Orthanc(ReadableOrthanc, ImportTarget, AttachmentTarget, ResourceDeleter, StudyMetadata, Protocol):
    """An Orthanc server."""
