"""What every implementation of `davfs.orthanc.Orthanc` answers."""

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EncapsulatedCDAStorage, EncapsulatedPDFStorage

from davfs.errors import BadFile, OrthancError, UnknownResource
from davfs.orthanc import Change, Counts, Level, Orthanc, OrthancId, Resource, StoreStatus
from tests.support import dicom, documents
from tests.support.images import FILES

FIRST = dicom.instance("p1", study=1, series=1, number=1)
SAME_SERIES = dicom.instance("p1", study=1, series=1, number=2)
NEXT_SERIES = dicom.instance("p1", study=1, series=2, number=1)
NEXT_STUDY = dicom.instance("p1", study=2, series=1, number=1)
OTHER = dicom.instance("p2", study=1, series=1, number=1, pixels=2048)
ALL = (FIRST, SAME_SERIES, NEXT_SERIES, NEXT_STUDY, OTHER)
UNKNOWN = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")
NO_UIDS = dicom.instance("p1", tags={"StudyInstanceUID": None, "SeriesInstanceUID": None})
PDF = b"%PDF-1.4\n1 0 obj\nendobj\n"
PNG = b"\x89PNG\r\n\x1a\n"
RESOURCES = (Level.PATIENT, Level.STUDY, Level.SERIES)


def path(content: bytes) -> dict[Level, OrthancId]:
    """Return Orthanc's ids of an instance and of all above it."""
    ids = dicom.ids(content)
    return dict(zip(Level, map(OrthancId, (ids.patient, ids.study, ids.series, ids.instance)), strict=True))


def instance(content: bytes) -> OrthancId:
    """Return the id of an instance."""
    return path(content)[Level.INSTANCE]


def fill(orthanc: Orthanc) -> None:
    """Store five instances: two patients, three studies, four series."""
    for content in ALL:
        assert orthanc.store(content).status is StoreStatus.SUCCESS


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_store(orthanc: Orthanc, kind: Callable[[bytes], Any]) -> None:
    """A new instance is stored from any buffer, under the id that its tags give it."""
    stored = orthanc.store(kind(FIRST))
    assert (stored.id, stored.status) == (instance(FIRST), StoreStatus.SUCCESS)
    with orthanc.instance_file(stored.id) as view:
        assert view == FIRST


def test_store_again(orthanc: Orthanc) -> None:
    """What is there already is not replaced, not even by other content under the same UIDs, and is no change."""
    orthanc.store(FIRST)
    last = orthanc.last_change()
    for content in (FIRST, dicom.instance("p1", tags={"ImageComments": "other"})):
        assert (stored := orthanc.store(content)).status is StoreStatus.ALREADY_STORED
        assert stored.id == instance(FIRST)
    with orthanc.instance_file(instance(FIRST)) as view:
        assert view == FIRST
    assert orthanc.last_change() == last


@pytest.mark.parametrize("content", [b"", b"no DICOM", b"\0" * 1000, FIRST[:200], NO_UIDS], ids=len)
def test_store_no_dicom(orthanc: Orthanc, content: bytes) -> None:
    """What is no DICOM instance is refused, and leaves nothing behind."""
    with pytest.raises(BadFile):
        orthanc.store(content)
    assert orthanc.ids(Level.INSTANCE) == []


def test_nothing(orthanc: Orthanc) -> None:
    """An empty archive has nothing at any level."""
    assert [orthanc.ids(level) for level in Level] == [[], [], [], []]
    assert orthanc.resources([]) == []
    assert orthanc.instances([]) == []


def test_ids_and_children(orthanc: Orthanc) -> None:
    """Each level has its ids, and each resource those right below it."""
    fill(orthanc)
    for level in Level:
        assert sorted(orthanc.ids(level)) == sorted({path(content)[level] for content in ALL})
    for level in RESOURCES:
        assert level.child
        for content in ALL:
            ids = [path(other)[level.child] for other in ALL if path(other)[level] == path(content)[level]]
            assert sorted(orthanc.children(level, path(content)[level])) == sorted(set(ids))


@pytest.mark.parametrize("level", RESOURCES)
def test_with_children(orthanc: Orthanc, level: Level) -> None:
    """A resource comes with those right below it; one that is gone is unknown."""
    fill(orthanc)
    for one in orthanc.ids(level):
        told = orthanc.with_children(level, one)
        assert [told.resource] == orthanc.resources([one])
        assert sorted(told.children) == sorted(orthanc.children(level, one))
    with pytest.raises(UnknownResource):
        orthanc.with_children(level, UNKNOWN)


@pytest.mark.parametrize("level", RESOURCES)
def test_some(orthanc: Orthanc, level: Level) -> None:
    """All of a level come in parts, each once; behind the last is nothing."""
    fill(orthanc)
    found = [one for since in range(0, 6, 2) for one in orthanc.some(level, since, 2)]
    assert {one.id: one for one in found} == {one.id: one for one in orthanc.resources(orthanc.ids(level))}
    assert len(found) == len(orthanc.ids(level))
    assert orthanc.some(level, 6, 2) == []


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
    """Of many ids, of any level, those that exist now are told."""
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
    """Of a single instance the same is told, but for its reception and what kind of object it is."""
    fill(orthanc)
    for known in orthanc.instances(orthanc.ids(Level.INSTANCE)):
        assert orthanc.instance(known.id) == replace(known, received=None, sop_class="")


def test_file(orthanc: Orthanc) -> None:
    """Size, MD5 and content of a file are those of what was stored."""
    fill(orthanc)
    for content in ALL:
        assert orthanc.instance_size(instance(content)) == len(content)
        assert orthanc.instance_md5(instance(content)) == hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert orthanc.is_intact(instance(content))
        with orthanc.instance_file(instance(content)) as view:
            assert view == content


def test_sop_class(orthanc: Orthanc) -> None:
    """What kind of object an instance is comes with it."""
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
    assert sorted(told[below]) == sorted(orthanc.children(level, ids[level]))
    (resource,) = orthanc.resources([ids[level]])
    assert {keyword: value for keyword, value in told["MainDicomTags"].items() if value} == resource.tags
    assert told.get("ParentPatient", told.get("ParentStudy")) == resource.parent
    assert datetime.strptime(told["LastUpdate"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) == resource.updated
    assert told.get("PatientMainDicomTags", {}).get("PatientID") == ("p1" if level is Level.STUDY else None)


def test_picture(orthanc: Orthanc) -> None:
    """An image is rendered as a PNG of its size, a multi-frame one by its first frame."""
    for name, size in (("CT_small.dcm", (128, 128)), ("examples_ybr_color.dcm", (320, 240))):
        content = (FILES / name).read_bytes()
        stored = orthanc.store(content).id
        found = orthanc.picture(stored)
        assert found
        assert found.startswith(PNG)
        assert struct.unpack(">II", found[16:24]) == size
        assert orthanc.report(stored) is None


NO_PICTURES = {
    "report": (FILES / "test-SR.dcm").read_bytes(),
    "plan": (FILES / "rtplan.dcm").read_bytes(),
    "curves": (FILES / "waveform_ecg.dcm").read_bytes(),
    "PDF": documents.encapsulated(PDF),
    "no pixels": FIRST,
    "too few pixels": documents.damaged((FILES / "CT_small.dcm").read_bytes()),
}


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_no_picture(orthanc: Orthanc, kind: str) -> None:
    """What cannot be rendered has no picture, which is no error."""
    assert orthanc.picture(orthanc.store(NO_PICTURES[kind]).id) is None


ENDS = (b"%%EOF", b"%%EOF\n", b"%%EOF\r\n", b"%%EOF ", b"%%EOF  ")


@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_report(orthanc: Orthanc, end: bytes) -> None:
    """An encapsulated PDF comes back byte for byte, of even or odd length, whatever its last line ends with."""
    stored = orthanc.store(documents.encapsulated(PDF + end)).id
    assert orthanc.report(stored) == PDF + end


def test_no_report(orthanc: Orthanc) -> None:
    """Other documents, and a PDF that is empty or missing, are no report."""
    for content in (
        documents.encapsulated(b""),
        documents.encapsulated(PDF, tags={"EncapsulatedDocument": None}),
        documents.encapsulated(PDF, tags={"MIMETypeOfEncapsulatedDocument": None}),
        documents.encapsulated(PDF, tags={"SOPClassUID": CTImageStorage}),
        documents.encapsulated(b"<xml/>", media_type="text/XML", tags={"SOPClassUID": EncapsulatedCDAStorage}),
    ):
        stored = orthanc.store(content).id
        assert orthanc.report(stored) is None
        orthanc.delete(Level.INSTANCE, stored)


def test_all_tags(orthanc: Orthanc) -> None:
    """All tags of an instance are told, by number; those in sequences below their sequence, long ones without value."""
    code = Dataset()
    code.CodeValue, code.CodeMeaning = "T-A0100", "Gehirn, ü"
    tags = {"ProcedureCodeSequence": [code], "ImageType": ["ORIGINAL", "PRIMARY"], "ImageComments": "x" * 300}
    found = orthanc.all_tags(orthanc.store(dicom.instance("p1", pixels=2048, tags=tags)).id)
    assert found["0010,0010"] == "Doe^p1"
    assert found["0008,0008"] == "ORIGINAL\\PRIMARY"
    assert found["0028,0010"] == "2"
    assert found["0008,1032"] == [{"0008,0100": "T-A0100", "0008,0104": "Gehirn, ü"}]
    assert found["0020,4000"] is None
    assert found["7fe0,0010"] is None


RANGES = [(0, None), (0, 100), (100, 200), (200, None), (0, 1), (3, 3), (50, 10**9), (10**9, None), (0, None)]


def test_ranges(orthanc: Orthanc) -> None:
    """A file can be read from anywhere to anywhere, in any order, however it was opened."""
    fill(orthanc)
    for content in (FIRST, OTHER):
        for first in (0, 100, len(content) - 1):
            with orthanc.open_instance(instance(content), first) as file:
                assert file.size == len(content)
                for start, stop in [(first, None), *RANGES]:
                    assert b"".join(file.buffers(start, stop)) == content[start:stop]


def test_ranges_one_by_one(orthanc: Orthanc) -> None:
    """A file can be read in ranges that open it anew each time, one after the other or across each other."""
    fill(orthanc)
    for content in (FIRST, OTHER):
        for start in (*range(0, len(content), 100), *range(0, len(content), 333), len(content) - 1):
            with orthanc.open_instance(instance(content)) as file:
                assert b"".join(file.buffers(start, start + 100)) == content[start : start + 100]


def test_two_readers_of_one_file(orthanc: Orthanc) -> None:
    """Ranges of one open file that are read at the same time do not disturb each other."""
    orthanc.store(OTHER)
    with orthanc.open_instance(instance(OTHER)) as file:
        some, others = file.buffers(0, 300), file.buffers(200, None)
        assert next(others) == OTHER[200 : 200 + len(next(file.buffers(200, None)))]
        assert b"".join(some) == OTHER[:300]


def test_deleted_between_ranges(orthanc: Orthanc) -> None:
    """What was read a moment ago is gone at once when it is deleted, and what comes in its place is itself."""
    same_size = dicom.instance("p2", pixels=2048, tags={"ImageComments": "new"})
    orthanc.store(dicom.instance("p2", pixels=2048, tags={"ImageComments": "old"}))
    for content in (same_size.replace(b"new ", b"old "), same_size):
        for _ in range(4):
            with orthanc.open_instance(instance(OTHER)) as file:
                assert b"".join(file.buffers(10, 1000)) == content[10:1000]
        orthanc.delete(Level.INSTANCE, instance(OTHER))
        with pytest.raises(UnknownResource):
            orthanc.open_instance(instance(OTHER)).__enter__()
        orthanc.store(same_size)


def test_counts(orthanc: Orthanc) -> None:
    """Orthanc knows how many resources of each level there are."""
    assert orthanc.counts() == Counts(0, 0, 0, 0)
    fill(orthanc)
    assert orthanc.counts() == Counts(2, 3, 4, 5)


def test_delete(orthanc: Orthanc) -> None:
    """What is deleted takes with it all below it, and all above it that is empty then."""
    fill(orthanc)
    orthanc.delete(Level.INSTANCE, instance(FIRST))
    assert orthanc.children(Level.SERIES, path(FIRST)[Level.SERIES]) == [instance(SAME_SERIES)]
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
    "file": lambda orthanc, wanted: orthanc.instance_file(wanted).__enter__(),
    "open": lambda orthanc, wanted: orthanc.open_instance(wanted).__enter__(),
    "open at": lambda orthanc, wanted: orthanc.open_instance(wanted, 100).__enter__(),
    "picture": lambda orthanc, wanted: orthanc.picture(wanted),
    "report": lambda orthanc, wanted: orthanc.report(wanted),
    "tags": lambda orthanc, wanted: orthanc.all_tags(wanted),
    "patient": lambda orthanc, wanted: orthanc.children(Level.PATIENT, wanted),
    "study": lambda orthanc, wanted: orthanc.children(Level.STUDY, wanted),
    "series": lambda orthanc, wanted: orthanc.children(Level.SERIES, wanted),
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


def test_changes(orthanc: Orthanc) -> None:
    """The log tells of each new resource once, with its level, and its last number is that of the log."""
    before = orthanc.last_change()
    orthanc.store(FIRST)
    orthanc.store(SAME_SERIES)
    page = orthanc.changes(before)
    assert page.done
    assert page.last == orthanc.last_change() == page.entries[-1].seq
    new = [(change.kind, change.level, change.id) for change in page.entries if change.kind.startswith("New")]
    assert sorted(new, key=str) == sorted(
        [
            ("NewInstance", Level.INSTANCE, instance(FIRST)),
            ("NewSeries", Level.SERIES, path(FIRST)[Level.SERIES]),
            ("NewStudy", Level.STUDY, path(FIRST)[Level.STUDY]),
            ("NewPatient", Level.PATIENT, path(FIRST)[Level.PATIENT]),
            ("NewInstance", Level.INSTANCE, instance(SAME_SERIES)),
        ],
        key=str,
    )


def test_changes_in_pages(orthanc: Orthanc) -> None:
    """Pages follow each other without a gap, and only the last one says that it is."""
    before = orthanc.last_change()
    fill(orthanc)
    (whole, pages) = (orthanc.changes(before), list[Change]())
    since = before
    while not (page := orthanc.changes(since, limit=3)).done:
        assert len(page.entries) == 3
        pages += page.entries
        since = page.last
    assert (*pages, *page.entries) == whole.entries
    assert [change.seq for change in whole.entries] == sorted({change.seq for change in whole.entries})


def test_no_changes(orthanc: Orthanc) -> None:
    """After the last change there is an empty page, which reaches no further."""
    fill(orthanc)
    last = orthanc.last_change()
    page = orthanc.changes(last)
    assert (page.entries, page.last, page.done) == ((), last, True)


def test_deletions_leave_no_change(orthanc: Orthanc) -> None:
    """A deletion is not in the log, and takes the entries of what it deleted out of it."""
    before = orthanc.last_change()
    fill(orthanc)
    orthanc.delete(Level.PATIENT, path(OTHER)[Level.PATIENT])
    left = {change.id for change in orthanc.changes(before).entries}
    assert left.isdisjoint(path(OTHER).values())
    assert left.issuperset(path(FIRST).values())


def test_last_change_can_go_back(orthanc: Orthanc) -> None:
    """The newest number is that of the newest entry left; where none is, of all that were. None is used twice."""
    orthanc.store(FIRST)
    first = orthanc.last_change()
    orthanc.store(OTHER)
    highest = orthanc.last_change()
    orthanc.delete(Level.PATIENT, path(OTHER)[Level.PATIENT])
    assert orthanc.last_change() == first < highest
    orthanc.delete(Level.PATIENT, path(FIRST)[Level.PATIENT])
    assert orthanc.last_change() == highest
    orthanc.store(FIRST)
    assert orthanc.changes(first).entries[0].seq == highest + 1
