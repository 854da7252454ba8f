"""Looks up what records of the audit trail do not have: whose study it is, and how many instances were concerned.

The index is asked first, and Orthanc only for what is not indexed or not cached.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from davfs.audit.record import AuditAction, AuditRecord
from davfs.cache import LruCache
from davfs.catalog.instances import InstanceCache
from davfs.catalog.store import Store
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Level, OrthancId

_CACHED = 10_000
_LIFETIME_SECONDS = 60.0
_LEVELS = {"patient": Level.PATIENT, "study": Level.STUDY, "series": Level.SERIES, "instance": Level.INSTANCE}
_COUNTED = frozenset({
    AuditAction.READ, AuditAction.COPY, AuditAction.MOVE, AuditAction.DELETE, AuditAction.RESTORE, AuditAction.PURGE,
})  # fmt: skip
"""Actions of which it is worth a request to Orthanc how many instances they concern."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """The study and the patient of a resource; empty texts for unknown ones."""

    study_instance_uid: str = ""
    patient: str = ""


class RecordLookup:
    """Completes records.

    Args:
        orthanc: The server.
        store: The index.
        instances: The cache of instances.
    """

    def __init__(self, orthanc: ResourceIndex, store: Store, instances: InstanceCache) -> None:
        self._orthanc = orthanc
        self._store = store
        self._instances = instances
        self._owners: LruCache[tuple[Level, str], _Owner] = LruCache(_CACHED, lifetime=_LIFETIME_SECONDS)
        self._counts: LruCache[tuple[Level, str], int] = LruCache(_CACHED, lifetime=_LIFETIME_SECONDS)

    def completed(self, record: AuditRecord) -> AuditRecord:
        """Complete a record with its study, patient and number of instances, as far as these are known, and return it.

        Raises:
            OrthancError: Orthanc does not know the resource, or does not answer.
        """
        level = _LEVELS.get(record.level)
        if level is None or not record.resource:
            return record
        resources = [OrthancId(each) for each in record.resource.split(",")]
        if not (record.study_instance_uid and record.patient):
            self._complete_owner(record, level, resources)
        if record.sop_instances is None:
            counts = [self._count(record.action, level, resource) for resource in resources]
            record.sop_instances = None if None in counts else sum(filter(None, counts))
        return record

    def _complete_owner(self, record: AuditRecord, level: Level, resources: Sequence[OrthancId]) -> None:
        if len(resources) == 1:
            owner = self._owner(level, resources[0])
        else:
            owners = [self._owner(level, resource) for resource in resources]
            patients = _joined(owner.patient for owner in owners)
            owner = _Owner(_joined(owner.study_instance_uid for owner in owners), patients)
        record.study_instance_uid = record.study_instance_uid or owner.study_instance_uid
        record.patient = record.patient or owner.patient

    def _owner(self, level: Level, resource: OrthancId) -> _Owner:
        if level is Level.INSTANCE:
            found = self._instances.series_of(resource) or self._orthanc.instance(resource).series
            return self._owner(Level.SERIES, found)
        if known := self._owners.get((level, resource)):
            return known
        owner = self._patient(resource) if level is Level.PATIENT else self._owner_of_study(level, resource)
        if owner.patient:
            self._owners.put((level, resource), owner)
        return owner

    def _patient(self, patient: OrthancId) -> _Owner:
        """Return a patient, and have its studies cached: they may be about to be deleted."""
        for study in self._store.studies_of_patient(patient):
            self._owner(Level.STUDY, study)
        return _Owner(patient=patient)

    def _owner_of_study(self, level: Level, resource: OrthancId) -> _Owner:
        """Return the study of a study or series; an upload is recorded before it is indexed."""
        study = self._store.parent(resource, level) if level is Level.SERIES else resource
        if study is None:
            study = self._orthanc.with_children(Level.SERIES, resource).resource.parent
        if study is None:
            return _Owner()
        patient = self._store.parent(study, Level.STUDY)
        if patient:
            return _Owner(self._store.tags(study).get("StudyInstanceUID", ""), patient)
        found = self._orthanc.with_children(Level.STUDY, study).resource
        return _Owner(found.tags.get("StudyInstanceUID", ""), found.parent or "")

    def _count(self, action: AuditAction, level: Level, resource: OrthancId) -> int | None:
        if level is Level.INSTANCE:
            return 1
        return self._counted(level, resource) if action in _COUNTED else None

    def _counted(self, level: Level, resource: OrthancId) -> int:
        known = self._counts.get((level, resource))
        if known is None:
            known = self._instances_below(level, resource)
            self._counts.put((level, resource), known)
        return known

    def _instances_below(self, level: Level, resource: OrthancId) -> int:
        if level is Level.SERIES and (cached := self._instances.get(resource)) is not None:
            return len(cached)
        if level is Level.PATIENT:  # there may be no /patients
            return sum(self._counted(Level.STUDY, study) for study in self._store.studies_of_patient(resource))
        children = self._orthanc.with_children(level, resource).children
        if level is Level.SERIES:
            return len(children)
        return sum(self._counted(Level.SERIES, child) for child in children)


def _joined(values: Iterable[str]) -> str:
    """Join values, each once, by commas."""
    return ",".join(filter(None, dict.fromkeys(values)))
