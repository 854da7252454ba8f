"""The part of Orthanc's REST API that the drive uses, as a Protocol.

Source: https://orthanc.uclouvain.be/api/ and, for each method, the route named in its docstring.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

from davfs.entry import Readable
from davfs.orthanc.model import (
    Change,
    Changes,
    Counts,
    Instance,
    Level,
    OrthancId,
    Resource,
    StoreResult,
    StoreStatus,
    WithChildren,
)

__all__ = [
    "Buffer",
    "Change",
    "Changes",
    "Counts",
    "Instance",
    "Level",
    "Orthanc",
    "OrthancId",
    "Resource",
    "StoreResult",
    "StoreStatus",
    "WithChildren",
]

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes that are handed to Orthanc without a copy."""


class Orthanc(Protocol):
    """An Orthanc server.

    Every method raises `UnknownResource` where a resource named by its id does not exist (any more), `Unavailable`
    where Orthanc cannot answer, `OrthancError` for any other failure. None may be called on a change callback's thread.
    """

    def last_change(self) -> int:
        """Return the newest sequence number of the log of changes (``GET /changes?last``)."""

    def changes(self, since: int, limit: int = 1000) -> Changes:
        """Return the changes after sequence number ``since`` (``GET /changes?since=&limit=``)."""

    def counts(self) -> Counts:
        """Return how many resources there are (``GET /statistics``): Orthanc counts them, which takes its time."""

    def ids(self, level: Level) -> Sequence[OrthancId]:
        """Return the ids of all resources of a level, in no particular order (``GET /patients`` …)."""

    def children(self, level: Level, resource: OrthancId) -> Sequence[OrthancId]:
        """Return the ids of the resources right below a patient, study or series (``GET /{level}/{id}``)."""

    def with_children(self, level: Level, resource: OrthancId) -> WithChildren:
        """Return a patient, study or series with the ids right below it, in one answer (``GET /{level}/{id}``)."""

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """Return True if a patient, study, series or instance exists now (``GET /{level}/{id}/metadata``)."""

    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """Return those of the named resources, of any level, that exist now (``POST /tools/bulk-content``)."""

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """Return those of the named patients, studies and series that exist (``POST /tools/bulk-content``)."""

    def some(self, level: Level, since: int, limit: int) -> list[Resource]:
        """Return some of all patients, studies or series (``GET /{level}?expand&since=&limit=``).

        Each takes newer Orthancs far less time than one that is named by its id.

        Args:
            level: Their level.
            since: Number of those to leave out, in an order that stays the same while nothing comes or goes.
            limit: Number of those to return; where there are less, these are the last ones.
        """

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """Return those of the named instances that exist (``POST /tools/bulk-content``)."""

    def instance(self, instance: OrthancId) -> Instance:
        """Return an instance, without its reception and its SOPClassUID (``GET /instances/{id}``)."""

    def instance_size(self, instance: OrthancId) -> int:
        """Return the size in bytes of an instance's DICOM file (``…/attachments/dicom/size``)."""

    def instance_md5(self, instance: OrthancId) -> str:
        """Return the MD5 of an instance's DICOM file, in hexadecimal (``…/attachments/dicom/md5``)."""

    def is_intact(self, instance: OrthancId) -> bool:
        """Return True if the stored file of an instance can be read and has its MD5 (``…/dicom/verify-md5``).

        It is False, too, where Orthanc keeps no MD5.
        """

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[Readable]:
        """Open the DICOM file of an instance, however large it is (``/instances/{id}/file``).

        While its bytes are read, `Unavailable` may be raised too: they never end early without an error. Inside
        Orthanc they are one buffer, the core's own.

        Args:
            instance: Which one; that it exists is known when the context is entered.
            start: Where reading is going to begin, in bytes; any other place can be read as well, at a higher cost.
        """

    def instance_file(self, instance: OrthancId) -> AbstractContextManager[memoryview]:
        """Return the whole DICOM file of an instance in one buffer, which lives as long as the context."""

    def description(self, level: Level, resource: OrthancId) -> bytes:
        """Return what Orthanc tells of a patient, study or series: its own JSON, as it is (``GET /{level}/{id}``)."""

    def picture(self, instance: OrthancId) -> bytes | None:
        """Return an instance's first frame as a PNG, None where it cannot be rendered (``…/preview``)."""

    def report(self, instance: OrthancId) -> bytes | None:
        """Return the PDF that an instance encapsulates, None where there is none (``…/pdf``)."""

    def all_tags(self, instance: OrthancId) -> Mapping[str, Any]:
        """Return the DICOM tags of an instance (``…/tags?short``).

        Returns:
            By ``gggg,eeee`` in lower case: a text, or None where Orthanc leaves out a long or binary value; a list of
            such mappings for a sequence.
        """

    def uncompressed(self, content: Buffer, instance: OrthancId | None) -> bytes:
        """Return a DICOM file with pixels that are not compressed (``OrthancPluginTranscodeDicomInstance``).

        Orthanc raises `OrthancError` where it cannot decode them, and over HTTP where it does not hold the file.

        Args:
            content: The file.
            instance: The instance whose file it is (``POST …/modify``); None where Orthanc does not hold it.
        """

    def store(self, content: Buffer) -> StoreResult:
        """Upload one DICOM file (``POST /instances``).

        Raises:
            BadFile: Orthanc cannot read it as DICOM.
            StorageFull: Orthanc has no room for it.
        """

    def delete(self, level: Level, resource: OrthancId) -> None:
        """Delete a resource and all below it (``DELETE /{level}/{id}``)."""
