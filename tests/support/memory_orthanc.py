"""An Orthanc in memory, with the answers of a real one: tests/contract holds it to that."""

import copy
import hashlib
import io
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from davfs.commands.preview import dicom_files
from davfs.entry import InMemory
from davfs.errors import OrthancError, UnknownResource, ValueChanged
from davfs.orthanc import (
    Buffer,
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
from davfs.orthanc.description import DATE, described
from tests.support import pictures, renditions
from tests.support.facts import Facts, facts

_KINDS = {
    Level.PATIENT: "NewPatient",
    Level.STUDY: "NewStudy",
    Level.SERIES: "NewSeries",
    Level.INSTANCE: "NewInstance",
}


@dataclass
class MemoryOrthanc:
    """Keeps DICOM files by the id that Orthanc gives them, and the patients, studies and series that they belong to.

    Attributes:
        files: What it holds.
        log: The log of changes, oldest first.
        last: Sequence number of the newest change that ever was.
        failure: Raised by every upload, where set.
        answer: Status of every upload, where set.
        transcoded: What it stores in place of every upload, where set.
        gate: Uploads wait until it is set.
        keeps_md5: False as with ``"StoreMD5ForAttachments": false``.
        uploads: Number of uploads that were tried.
        lost: Instances whose files are gone from its storage.
        finds_metadata: It finds studies by metadata, as newer Orthancs do.
        deletes: It deletes each instance as soon as it is stored, as a router does.
        now: Its clock, in UTC.
    """

    files: dict[OrthancId, bytes] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    last: int = 0
    failure: OrthancError | None = None
    answer: StoreStatus | None = None
    transcoded: bytes | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    keeps_md5: bool = True
    uploads: int = 0
    lost: set[OrthancId] = field(default_factory=set)
    deletes: bool = False
    finds_metadata: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _resources: dict[OrthancId, Resource] = field(default_factory=dict)
    _instances: dict[OrthancId, Instance] = field(default_factory=dict)
    _metadata: dict[tuple[OrthancId, int], MetadataValue] = field(default_factory=dict)
    _uuids: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.gate.set()

    def store(self, content: Buffer) -> StoreResult:
        """See `Orthanc`."""
        self.uploads += 1
        assert self.gate.wait(10)
        if self.failure:
            raise self.failure
        known = facts(bytes(content))
        identifier = known.ids[Level.INSTANCE]
        if self.answer:
            return StoreResult(identifier, self.answer)
        if identifier in self.files:
            return StoreResult(identifier, StoreStatus.ALREADY_STORED)
        self.files[identifier] = self.transcoded or bytes(content)
        self._arrive(known)
        if self.deletes:
            self.delete(Level.INSTANCE, identifier)
        return StoreResult(identifier, StoreStatus.SUCCESS)

    def create_dicom(self, tags: Mapping[str, str], content: str) -> StoreResult:
        """See `Orthanc`; pixels are decoded if they are not filtered."""
        return self.store(pictures.dicom_of(tags, content))

    def retag(self, resource: OrthancId, tags: Mapping[str, str]) -> None:
        """Give a patient, with all studies, a study or a series other tags, as a reconstruction does."""
        self.reconstruct(resource, tags)
        level = self._resources[resource].level
        for changed in self._below(resource) if level is Level.PATIENT else [resource]:
            self._note("UpdatedMetadata", self._resources[changed].level, changed)

    def rename(self, study: OrthancId, patient: Mapping[str, str]) -> None:
        """Give a study other patient attributes than the other studies of its patient have."""
        old = self._resources[study]
        self._resources[study] = replace(old, patient=dict(old.patient) | dict(patient))
        self._note("UpdatedMetadata", Level.STUDY, study)

    def reconstruct(self, resource: OrthancId, tags: Mapping[str, str]) -> None:
        """Give a patient, with all studies, a study or a series other tags, which the log of changes does not tell."""
        old = self._resources[resource]
        self._resources[resource] = replace(old, tags=dict(old.tags) | dict(tags))
        for study in self._below(resource) if old.level is Level.PATIENT else ():
            one = self._resources[study]
            self._resources[study] = replace(one, patient=dict(one.patient) | dict(tags))

    def empty_log(self) -> None:
        """Empty the log of changes, as an administrator can; its numbers go on."""
        self.log = []

    def backup(self) -> dict[str, Any]:
        """Return the whole database as it is now."""
        kept = ("files", "log", "last", "_resources", "_instances", "_metadata")
        return {name: copy.copy(getattr(self, name)) for name in kept}

    def restore(self, backup: Mapping[str, Any]) -> None:
        """Go back to a database as it was."""
        vars(self).update({name: copy.copy(value) for name, value in backup.items()})

    def label(self, resource: OrthancId, *labels: str) -> None:
        """Give a patient, study or series other labels, which the log of changes does not tell."""
        self._resources[resource] = replace(self._resources[resource], labels=labels)

    def date(self, resource: OrthancId, updated: datetime) -> None:
        """Give a patient, study or series another date of its last change."""
        self._resources[resource] = replace(self._resources[resource], updated=updated)
        self._note("UpdatedMetadata", self._resources[resource].level, resource)

    def instance(self, instance: OrthancId) -> Instance:
        """See `Orthanc`."""
        self._file(instance)
        return replace(self._told(instance), received=None, sop_class="")

    def instance_size(self, instance: OrthancId) -> int:
        """See `Orthanc`."""
        return len(self._file(instance))

    def instance_md5(self, instance: OrthancId) -> str:
        """See `Orthanc`."""
        if not self.keeps_md5:
            raise UnknownResource("no MD5", 404)
        return hashlib.md5(self._file(instance), usedforsecurity=False).hexdigest()

    def is_intact(self, instance: OrthancId) -> bool:
        """See `Orthanc`."""
        return self.keeps_md5 and bool(self._file(instance)) and instance not in self.lost

    def uncompressed(self, content: Buffer, instance: OrthancId | None) -> bytes:  # noqa: ARG002  as `Orthanc` has it
        """See `Orthanc`; this one decodes nothing."""
        raise OrthancError("cannot be decoded")

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[InMemory]:  # noqa: ARG002
        """See `Orthanc`."""
        if instance in self.lost:
            raise UnknownResource("its file is gone", 404)
        return InMemory(nullcontext(memoryview(self._file(instance))))

    def description(self, level: Level, resource: OrthancId) -> bytes:
        """See `Orthanc`."""
        children = self.children(level, resource)
        return described(self._resources[resource], children)

    def picture(self, instance: OrthancId) -> bytes | None:
        """See `Orthanc`."""
        return renditions.picture(self._file(instance))

    def report(self, instance: OrthancId) -> bytes | None:
        """See `Orthanc`."""
        return dicom_files.document(io.BytesIO(self._file(instance)))

    def all_tags(self, instance: OrthancId) -> Mapping[str, Any]:
        """See `Orthanc`."""
        return dicom_files.all_tags(io.BytesIO(self._file(instance)))

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """See `Orthanc`."""
        return [self._told(each) for each in ids if each in self.files]

    def _told(self, instance: OrthancId) -> Instance:
        unknown = Instance(OrthancId(""), OrthancId(""), {}, 0, None, "")  # put into `files` by a test
        return replace(self._instances.get(instance, unknown), id=instance, size=len(self.files[instance]))

    def counts(self) -> Counts:
        """See `Orthanc`."""
        return Counts(*(len(self.ids(level)) for level in Level))

    def ids(self, level: Level) -> list[OrthancId]:
        """See `Orthanc`."""
        if level is Level.INSTANCE:
            return list(self.files)
        return [each.id for each in self._resources.values() if each.level is level]

    def delete(self, level: Level, resource: OrthancId) -> None:
        """See `Orthanc`."""
        if not self.exists(level, resource):
            raise UnknownResource("unknown resource", 404)
        parent = self._above(resource)
        self._remove(resource)
        while parent and not self._below(parent):
            empty, parent = parent, self._above(parent)
            self._remove(empty)

    def delete_instances(self, instances: Sequence[OrthancId]) -> None:
        """See `Orthanc`."""
        for instance in self.existing(instances):
            self.delete(Level.INSTANCE, instance)

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """See `Orthanc`."""
        if level is Level.INSTANCE:
            return resource in self.files
        return resource in self._resources and self._resources[resource].level is level

    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """See `Orthanc`."""
        return {each for each in ids if each in self._resources or each in self.files}

    def last_change(self) -> int:
        """See `Orthanc`."""
        return self.log[-1].seq if self.log else self.last

    def changes(self, since: int, limit: int = 1000) -> Changes:
        """See `Orthanc`."""
        after = [change for change in self.log if change.seq > since]
        page = tuple(after[:limit])
        return Changes(page, page[-1].seq if page else self.last, done=len(after) <= limit)

    def id_page(self, level: Level, since: int, limit: int) -> list[OrthancId]:
        """See `Orthanc`."""
        return self.ids(level)[since : since + limit]

    def has_count(self, level: Level, count: int) -> bool:
        """See `Orthanc`."""
        return sum(resource.level is level for resource in self._resources.values()) == count

    def children(self, level: Level, resource: OrthancId) -> list[OrthancId]:
        """Return the ids of the resources right below a patient, study or series."""
        if not self.exists(level, resource):
            raise UnknownResource(f"no {level.value} {resource}", 404)
        return self._below(resource)

    def with_children(self, level: Level, resource: OrthancId) -> WithChildren:
        """See `Orthanc`."""
        children = self.children(level, resource)
        return WithChildren(self._resources[resource], children)

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `Orthanc`."""
        return [self._resources[each] for each in ids if each in self._resources]

    def page(self, level: Level, since: int, limit: int) -> list[Resource]:
        """See `Orthanc`."""
        return self.resources(self.ids(level)[since : since + limit])

    def metadata(self, study: OrthancId, number: int) -> MetadataValue | None:
        """See `Orthanc`."""
        self.children(Level.STUDY, study)
        return self._metadata.get((study, number))

    def set_metadata(self, study: OrthancId, number: int, value: bytes, expected: MetadataValue | None) -> None:
        """See `Orthanc`."""
        if (there := self.metadata(study, number)) and there != expected:
            raise ValueChanged("it is another one")
        tag = f'"{next(self._uuids)}-{hashlib.md5(value, usedforsecurity=False).hexdigest()}"'
        self._metadata[study, number] = MetadataValue(value, tag)
        self._note("UpdatedMetadata", Level.STUDY, study)

    def delete_metadata(self, study: OrthancId, number: int, expected: MetadataValue) -> None:
        """See `Orthanc`."""
        if self.metadata(study, number) != expected:
            raise ValueChanged("it is another one")
        del self._metadata[study, number]
        self._note("UpdatedMetadata", Level.STUDY, study)

    def metadata_of(self, studies: Sequence[OrthancId], number: int, prefix: str) -> dict[OrthancId, bytes | None]:  # noqa: ARG002  as `Orthanc` has it
        """See `Orthanc`."""
        found = {each: self._metadata.get((each, number)) for each in studies if self.exists(Level.STUDY, each)}
        return {study: known.value if known else None for study, known in found.items()}

    def studies_with_metadata(self, number: int) -> frozenset[OrthancId] | None:
        """See `Orthanc`."""
        return frozenset(study for study, one in self._metadata if one == number) if self.finds_metadata else None

    def studies_of(self, ids: Sequence[OrthancId]) -> list[OrthancId]:
        """See `Orthanc`."""
        found = dict[OrthancId, None]()
        for each in ids:
            above: OrthancId | None = each
            while above and not self.exists(Level.STUDY, above):
                above = self._above(above)
            if above:
                found[above] = None
        return list(found)

    def series_of(self, studies: Sequence[OrthancId]) -> list[WithChildren]:
        """See `Orthanc`."""
        series = [one for study in studies if self.exists(Level.STUDY, study) for one in self._below(study)]
        return [self.with_children(Level.SERIES, one) for one in series]

    def _arrive(self, known: Facts) -> None:
        now = self.now().replace(microsecond=0)
        parent, new = None, []
        for level, identifier in known.ids.items():
            if level is Level.INSTANCE:
                assert parent is not None
                uuid = str(next(self._uuids))
                tags = known.tags[level]
                self._instances[identifier] = Instance(identifier, parent, tags, 0, now, uuid, known.sop_class)
            elif identifier in self._resources:
                self._resources[identifier] = replace(self._resources[identifier], updated=now)
            else:
                new.append(level)
                patient = known.tags[Level.PATIENT] if level is Level.STUDY else {}
                self._resources[identifier] = Resource(
                    identifier, level, parent, known.tags[level], now, patient=patient
                )
            parent = identifier
        for level in (Level.INSTANCE, *reversed(new)):
            self._note(_KINDS[level], level, known.ids[level])

    def _note(self, kind: str, level: Level, resource: OrthancId) -> None:
        self.last += 1
        self.log.append(Change(self.last, kind, level, resource, f"{datetime.now(UTC):{DATE}}"))

    def below(self, resource: OrthancId) -> list[OrthancId]:
        """Return a resource and all below it, each of which Orthanc tells of where they are deleted."""
        return [resource, *(each for child in self._below(resource) for each in self.below(child))]

    def _below(self, resource: OrthancId) -> list[OrthancId]:
        found = [each.id for each in self._resources.values() if each.parent == resource]
        return found or [each.id for each in self._instances.values() if each.series == resource]

    def _above(self, resource: OrthancId) -> OrthancId | None:
        if resource in self._instances:
            return self._instances[resource].series
        return self._resources[resource].parent if resource in self._resources else None

    def _remove(self, resource: OrthancId) -> None:
        for below in self._below(resource):
            self._remove(below)
        for kept in (self._resources, self._instances, self.files):
            kept.pop(resource, None)
        self.log = [change for change in self.log if change.id != resource]
        self._metadata = {key: value for key, value in self._metadata.items() if key[0] != resource}

    def _file(self, instance: OrthancId) -> bytes:
        try:
            return self.files[instance]
        except KeyError:
            raise UnknownResource("unknown resource", 404) from None


def identify(content: bytes) -> OrthancId:
    """Return the id that Orthanc derives from the four identifiers of an instance."""
    return facts(content).ids[Level.INSTANCE]
