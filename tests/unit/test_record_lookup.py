"""Records get the study, the patient and the number of instances from the index, and from Orthanc what it lacks."""

import pytest

from davfs.audit.record import NOBODY, AuditAction, AuditRecord
from davfs.catalog.instances import InstanceCache
from davfs.catalog.record_lookup import RecordLookup
from davfs.errors import OrthancError
from davfs.orthanc import Level, OrthancId
from tests.support import dicom
from tests.support.catalog import Index, index

__all__ = ["index"]

FILES = [dicom.instance("P", 1, series, number) for series in (1, 2) for number in (1, 2, 3)]
IDS = dicom.ids(FILES[0])


def record(level: str, resource: str, action: AuditAction = AuditAction.READ) -> AuditRecord:
    """A record that names a resource alone."""
    return AuditRecord(client=NOBODY, action=action, level=level, resource=resource)


@pytest.fixture
def lookup(index: Index) -> RecordLookup:
    """A lookup over an archive of one study."""
    for file in FILES:
        index.orthanc.store(file)
    assert index.names()
    return RecordLookup(index.orthanc, index.store, InstanceCache())


@pytest.mark.parametrize(
    ("level", "resource", "count"),
    [("instance", IDS.instance, 1), ("series", IDS.series, 3), ("study", IDS.study, 6), ("patient", IDS.patient, 6)],
)
def test_each_level(lookup: RecordLookup, level: str, resource: str, count: int) -> None:
    """At each level the patient and the number of instances are found, and below a patient the study."""
    found = lookup.completed(record(level, resource))
    assert found.patient == IDS.patient
    assert found.study_instance_uid == ("" if level == "patient" else dicom.uid("P", 1))
    assert found.sop_instances == count


def test_nothing_is_looked_up_that_is_known(lookup: RecordLookup, index: Index) -> None:
    """A deleted study stays known for a while; a listing needs no number."""
    known = lookup.completed(record("study", IDS.study))
    index.orthanc.delete(Level.STUDY, OrthancId(IDS.study))
    index.catalog.forget([IDS.study])
    assert lookup.completed(record("study", IDS.study, AuditAction.DELETE)).patient == known.patient
    assert lookup.completed(record("study", IDS.study, AuditAction.LIST)).sop_instances is None


def test_unknown_resource(lookup: RecordLookup) -> None:
    """What is not known is told by an error; records without a resource are complete."""
    with pytest.raises(OrthancError):
        lookup.completed(record("instance", "none"))
    nothing = record("", "")
    assert lookup.completed(nothing) is nothing


def test_what_is_not_indexed_yet(lookup: RecordLookup, index: Index) -> None:
    """Orthanc is asked for what was uploaded a moment ago."""
    new = dicom.instance("Q")
    index.orthanc.store(new)
    for level in ("instance", "series", "study"):
        found = lookup.completed(record(level, getattr(dicom.ids(new), level), AuditAction.UPLOAD))
        assert (found.study_instance_uid, found.patient) == (dicom.uid("Q", 1), dicom.ids(new).patient)


def test_several_studies(lookup: RecordLookup, index: Index) -> None:
    """Of several studies all are found; those of a patient also when they were deleted after a look at it."""
    other = dicom.instance("P", 2)
    index.orthanc.store(other)
    assert index.names()
    studies = [IDS.study, dicom.ids(other).study]
    lookup.completed(record("patient", IDS.patient, AuditAction.DELETE))
    for study in studies:
        index.orthanc.delete(Level.STUDY, OrthancId(study))
    index.catalog.forget([OrthancId(study) for study in studies])
    found = lookup.completed(record("study", ",".join(studies), AuditAction.DELETE))
    assert found.study_instance_uid == f"{dicom.uid('P', 1)},{dicom.uid('P', 2)}"
    assert (found.patient, found.sop_instances) == (IDS.patient, 7)
