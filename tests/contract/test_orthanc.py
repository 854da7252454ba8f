"""Tests of every implementation of `davfs.orthanc.Orthanc`."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydicom.uid import CTImageStorage, EncapsulatedPDFStorage

from davfs.errors import BadFile, OrthancError, UnknownResource
from davfs.orthanc import Counts, Level, Orthanc, OrthancId, Resource, StoreStatus
from tests.support import dicom, documents
from tests.support.five_images import (
    ALL,
    FIRST,
    NEXT_SERIES,
    NEXT_STUDY,
    OTHER,
    SAME_SERIES,
    UNKNOWN,
    fill,
    instance,
    path,
    stored_file,
)

NO_UIDS = dicom.instance("p1", tags={"StudyInstanceUID": None, "SeriesInstanceUID": None})
PDF = b"%PDF-1.4\n1 0 obj\nendobj\n"
RESOURCES = (Level.PATIENT, Level.STUDY, Level.SERIES)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_store(orthanc: Orthanc, kind: Callable[[bytes], Any]) -> None:
    """A new instance is stored from any buffer, under the id that its tags give it."""
    stored = orthanc.store(kind(FIRST))
    assert (stored.id, stored.status) == (instance(FIRST), StoreStatus.SUCCESS)
    assert stored_file(orthanc, stored.id) == FIRST


def test_store_again(orthanc: Orthanc) -> None:
    """A stored instance is not replaced, not even by other content with the same UIDs, and the log gets no entry."""
    orthanc.store(FIRST)
    last = orthanc.last_change()
    for content in (FIRST, dicom.instance("p1", tags={"ImageComments": "other"})):
        assert (stored := orthanc.store(content)).status is StoreStatus.ALREADY_STORED
        assert stored.id == instance(FIRST)
    assert stored_file(orthanc, instance(FIRST)) == FIRST
    assert orthanc.last_change() == last


@pytest.mark.parametrize("content", [b"", b"no DICOM", b"\0" * 1000, FIRST[:200], NO_UIDS], ids=len)
def test_store_no_dicom(orthanc: Orthanc, content: bytes) -> None:
    """A file that is no DICOM instance is refused, and Orthanc has no instance afterwards."""
    with pytest.raises(BadFile):
        orthanc.store(content)
    assert orthanc.ids(Level.INSTANCE) == []


def test_nothing(orthanc: Orthanc) -> None:
    """An empty archive has nothing at any level."""
    assert [orthanc.ids(level) for level in Level] == [[], [], [], []]
    assert orthanc.resources([]) == []
    assert orthanc.instances([]) == []
    assert all(orthanc.has_count(level, count) is (count == 0) for level in RESOURCES for count in (0, 1, 2))


def test_ids_and_children(orthanc: Orthanc) -> None:
    """Each level has its ids, and each resource those right below it."""
    fill(orthanc)
    for level in Level:
        assert sorted(orthanc.ids(level)) == sorted({path(content)[level] for content in ALL})
    for level in RESOURCES:
        there = len({path(content)[level] for content in ALL})
        assert [count for count in range(there + 3) if orthanc.has_count(level, count)] == [there]
        pages = [orthanc.id_page(level, since, 2) for since in range(there + 1)]
        assert [len(page) for page in pages] == [min(2, there - since) for since in range(there + 1)]
        assert sorted(page[0] for page in pages[:-1]) == sorted(orthanc.ids(level))
        assert level.child
        for content in ALL:
            ids = [path(other)[level.child] for other in ALL if path(other)[level] == path(content)[level]]
            assert sorted(orthanc.with_children(level, path(content)[level]).children) == sorted(set(ids))


@pytest.mark.parametrize("level", RESOURCES)
def test_with_children(orthanc: Orthanc, level: Level) -> None:
    """A resource comes with those right below it; one that is gone is unknown."""
    fill(orthanc)
    assert (below := level.child)
    for one in orthanc.ids(level):
        told = orthanc.with_children(level, one)
        assert [told.resource] == orthanc.resources([one])
        assert sorted(told.children) == sorted({path(other)[below] for other in ALL if path(other)[level] == one})
    with pytest.raises(UnknownResource):
        orthanc.with_children(level, UNKNOWN)


@pytest.mark.parametrize("level", RESOURCES)
def test_page(orthanc: Orthanc, level: Level) -> None:
    """All of a level come in pages, each once; behind the last is nothing."""
    fill(orthanc)
    found = [one for since in range(0, 6, 2) for one in orthanc.page(level, since, 2)]
    assert {one.id: one for one in found} == {one.id: one for one in orthanc.resources(orthanc.ids(level))}
    assert len(found) == len(orthanc.ids(level))
    assert orthanc.page(level, 6, 2) == []


def test_exists(orthanc: Orthanc) -> None:
    """A resource exists at its own level, and an unknown one at none."""
    fill(orthanc)
    for level in Level:
        assert {other for other in Level if orthanc.exists(level, path(FIRST)[other])} == {level}
        assert not orthanc.exists(level, UNKNOWN)


def test_resources(orthanc: Orthanc) -> None:
    """Patients, studies and series come with level, parent and the tags of their own level."""
    fill(orthanc)
    ids = path(NEXT_SERIES)
    found = {each.id: each for each in orthanc.resources([ids[level] for level in RESOURCES])}
    assert [found[ids[level]].level for level in RESOURCES] == list(RESOURCES)
    assert [found[ids[level]].parent for level in RESOURCES] == [None, ids[Level.PATIENT], ids[Level.STUDY]]
    assert found[ids[Level.PATIENT]].tags == {
        "PatientBirthDate": "19700101",
        "PatientID": "p1",
        "PatientName": "Doe^p1",
        "PatientSex": "O",
    }
    assert found[ids[Level.STUDY]].tags["StudyDescription"] == "Study 1"
    assert found[ids[Level.STUDY]].tags["StudyDate"] == "20240229"
    assert found[ids[Level.SERIES]].tags["SeriesNumber"] == "2"
    assert "PatientID" not in found[ids[Level.STUDY]].tags
    assert all(_is_now(each.updated) for each in found.values())


def _is_now(moment: datetime | None) -> bool:
    return moment is not None and abs(datetime.now(UTC) - moment) < timedelta(seconds=30)


def test_resources_that_are_gone(orthanc: Orthanc) -> None:
    """Of many ids, those that do not exist are left out, and instances are no answer."""
    fill(orthanc)
    orthanc.delete(Level.PATIENT, path(OTHER)[Level.PATIENT])
    asked = [UNKNOWN, path(OTHER)[Level.PATIENT], path(FIRST)[Level.STUDY], path(OTHER)[Level.STUDY], instance(FIRST)]
    found: list[Resource] = orthanc.resources(iter(asked))
    assert [each.id for each in found] == [path(FIRST)[Level.STUDY]]
    assert orthanc.resources([UNKNOWN]) == []


def test_existing(orthanc: Orthanc) -> None:
    """Of many ids, of any level, those that exist are returned."""
    fill(orthanc)
    orthanc.delete(Level.PATIENT, path(OTHER)[Level.PATIENT])
    assert orthanc.existing([UNKNOWN, *path(FIRST).values(), *path(OTHER).values()]) == set(path(FIRST).values())
    assert orthanc.existing([]) == set()


def test_instances(orthanc: Orthanc) -> None:
    """Instances come with their series, tags, size and date; unknown ones, and other levels, are left out."""
    fill(orthanc)
    found = orthanc.instances([instance(OTHER), UNKNOWN, instance(SAME_SERIES), path(FIRST)[Level.SERIES]])
    by_id = {each.id: each for each in found}
    assert sorted(by_id) == sorted([instance(OTHER), instance(SAME_SERIES)])
    other, same = by_id[instance(OTHER)], by_id[instance(SAME_SERIES)]
    assert [other.series, same.series] == [path(OTHER)[Level.SERIES], path(FIRST)[Level.SERIES]]
    assert [other.size, same.size] == [len(OTHER), len(SAME_SERIES)]
    assert [other.tags["InstanceNumber"], same.tags["InstanceNumber"]] == ["1", "2"]
    assert _is_now(other.received)
    assert other.uuid
    assert other.uuid != same.uuid


def test_uuid_tells_contents_apart(orthanc: Orthanc) -> None:
    """An instance that is deleted and stored anew has another name for its file."""
    orthanc.store(FIRST)
    (before,) = orthanc.instances([instance(FIRST)])
    orthanc.delete(Level.INSTANCE, instance(FIRST))
    orthanc.store(FIRST)
    (after,) = orthanc.instances([instance(FIRST)])
    assert before.uuid != after.uuid


def test_one_instance(orthanc: Orthanc) -> None:
    """A single instance has the same attributes, except its reception and its SOP class."""
    fill(orthanc)
    for known in orthanc.instances(orthanc.ids(Level.INSTANCE)):
        assert orthanc.instance(known.id) == replace(known, received=None, sop_class="")


def test_sop_class(orthanc: Orthanc) -> None:
    """The SOP class of an instance is read together with the instance."""
    for content, kind in ((FIRST, CTImageStorage), (documents.encapsulated(PDF), EncapsulatedPDFStorage)):
        orthanc.store(content)
        (found,) = orthanc.instances([instance(content)])
        assert found.sop_class == kind


@pytest.mark.parametrize("level", RESOURCES)
def test_description(orthanc: Orthanc, level: Level) -> None:
    """Patients, studies and series are described in JSON: what they are, what stands in them, and their tags."""
    fill(orthanc)
    ids = path(FIRST)
    told = json.loads(orthanc.description(level, ids[level]))
    assert (told["ID"], told["Type"]) == (ids[level], level.name.capitalize())
    below = {Level.PATIENT: "Studies", Level.STUDY: "Series", Level.SERIES: "Instances"}[level]
    assert sorted(told[below]) == sorted(orthanc.with_children(level, ids[level]).children)
    (resource,) = orthanc.resources([ids[level]])
    assert {keyword: value for keyword, value in told["MainDicomTags"].items() if value} == resource.tags
    assert told.get("ParentPatient", told.get("ParentStudy")) == resource.parent
    assert datetime.strptime(told["LastUpdate"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) == resource.updated
    assert told.get("PatientMainDicomTags", {}).get("PatientID") == ("p1" if level is Level.STUDY else None)


def test_counts(orthanc: Orthanc) -> None:
    """Orthanc knows how many resources of each level there are."""
    assert orthanc.counts() == Counts(0, 0, 0, 0)
    fill(orthanc)
    assert orthanc.counts() == Counts(2, 3, 4, 5)


def test_delete_instances(orthanc: Orthanc) -> None:
    """Many instances are deleted at once, with what is empty then; unknown ids change nothing."""
    fill(orthanc)
    orthanc.delete_instances([UNKNOWN, instance(FIRST), instance(OTHER)])
    assert orthanc.with_children(Level.SERIES, path(FIRST)[Level.SERIES]).children == [instance(SAME_SERIES)]
    assert not orthanc.exists(Level.PATIENT, path(OTHER)[Level.PATIENT])
    before = orthanc.counts()
    orthanc.delete_instances([UNKNOWN, instance(FIRST)])
    orthanc.delete_instances([])
    assert orthanc.counts() == before


def test_delete(orthanc: Orthanc) -> None:
    """Deleting a resource deletes all resources below it, and those above it that are empty then."""
    fill(orthanc)
    orthanc.delete(Level.INSTANCE, instance(FIRST))
    assert orthanc.with_children(Level.SERIES, path(FIRST)[Level.SERIES]).children == [instance(SAME_SERIES)]
    orthanc.delete(Level.INSTANCE, instance(SAME_SERIES))
    assert not orthanc.exists(Level.SERIES, path(FIRST)[Level.SERIES])
    assert orthanc.exists(Level.STUDY, path(FIRST)[Level.STUDY])
    orthanc.delete(Level.SERIES, path(NEXT_SERIES)[Level.SERIES])
    assert not orthanc.exists(Level.STUDY, path(FIRST)[Level.STUDY])
    assert orthanc.exists(Level.PATIENT, path(FIRST)[Level.PATIENT])
    orthanc.delete(Level.STUDY, path(NEXT_STUDY)[Level.STUDY])
    assert orthanc.ids(Level.PATIENT) == [path(OTHER)[Level.PATIENT]]
    orthanc.delete(Level.PATIENT, path(OTHER)[Level.PATIENT])
    assert [orthanc.ids(level) for level in Level] == [[], [], [], []]


@pytest.mark.parametrize("level", Level)
def test_delete_what_is_not_there(orthanc: Orthanc, level: Level) -> None:
    """An unknown id, and one of another level, are refused and delete nothing."""
    fill(orthanc)
    for wrong in (UNKNOWN, *(path(FIRST)[other] for other in Level if other is not level)):
        with pytest.raises(UnknownResource):
            orthanc.delete(level, wrong)
    assert len(orthanc.ids(Level.INSTANCE)) == len(ALL)


QUESTIONS: dict[str, Callable[[Orthanc, OrthancId], object]] = {
    "instance": lambda orthanc, wanted: orthanc.instance(wanted),
    "size": lambda orthanc, wanted: orthanc.instance_size(wanted),
    "md5": lambda orthanc, wanted: orthanc.instance_md5(wanted),
    "intact": lambda orthanc, wanted: orthanc.is_intact(wanted),
    "file": stored_file,
    "open": lambda orthanc, wanted: orthanc.open_instance(wanted).__enter__(),
    "open at": lambda orthanc, wanted: orthanc.open_instance(wanted, 100).__enter__(),
    "picture": lambda orthanc, wanted: orthanc.picture(wanted),
    "report": lambda orthanc, wanted: orthanc.report(wanted),
    "tags": lambda orthanc, wanted: orthanc.all_tags(wanted),
    "patient": lambda orthanc, wanted: orthanc.with_children(Level.PATIENT, wanted).children,
    "study": lambda orthanc, wanted: orthanc.with_children(Level.STUDY, wanted).children,
    "series": lambda orthanc, wanted: orthanc.with_children(Level.SERIES, wanted).children,
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_unknown_ids(orthanc: Orthanc, question: str) -> None:
    """A question about a resource that was never there, or is gone, has one answer."""
    fill(orthanc)
    orthanc.delete(Level.PATIENT, path(OTHER)[Level.PATIENT])
    level = Level[question.upper()] if question.upper() in Level.__members__ else Level.INSTANCE
    for wanted in (UNKNOWN, path(OTHER)[level]):
        with pytest.raises(UnknownResource) as caught:
            QUESTIONS[question](orthanc, wanted)
        assert isinstance(caught.value, OrthancError)
