"""The area search/, over an Orthanc in memory."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davfs.entry import Entry
from davfs.errors import (
    AlreadyExists,
    BadName,
    Forbidden,
    IsAFolder,
    NotAFolder,
    NotFound,
    ParentMissing,
)
from davfs.filesystem.search.area import MORE, README, SearchArea
from davfs.layout import HashKey, load_text
from davfs.orthanc import Level, OrthancId
from tests.support import dicom, searching
from tests.support.catalog import CountingOrthanc
from tests.support.searching import MakeSearch

# pytest finds fixtures by the names in a module.
search = searching.search

QUERY = "PatientName=doe,Modality=CT"
STUDY = "2024-02-29 Doe p (p) Study 1"
CT_ONLY = """
title = "ct"
[where]
Modality = "CT"
[[level]]
study = "{StudyInstanceUID}"
[[level]]
instance = "{SOPInstanceUID}.dcm"
"""
NO_FILES = """
title = "no images"
[[level]]
study = "{StudyInstanceUID}"
"""


@pytest.fixture
def orthanc() -> CountingOrthanc:
    """An archive with one study."""
    archive = CountingOrthanc()
    archive.store(dicom.instance("p"))
    return archive


def names(area: SearchArea, *path: str) -> list[str]:
    """Return the names in a folder."""
    return sorted(entry.name for entry in area.list(path))


def walk(area: SearchArea, path: tuple[str, ...]) -> list[Entry]:
    """Open all that is listed, folder by folder, and return the entries as the listings have them."""
    found = []
    for entry in area.list(path):
        below = (*path, entry.name)
        shown = area.stat(below)
        assert shown._replace(steady=entry.steady) == entry
        found.append(entry)
        if entry.is_folder:
            found += walk(area, below)
        else:
            with area.read(below) as content:
                assert sum(map(len, content.buffers())) == entry.size
    return found


def test_down_to_the_image(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """A search leads to the studies, their series and their files, without having been saved."""
    area = search(orthanc, tmp_path)
    path = (QUERY, STUDY, "001 CT Series 1", "00001.dcm")
    assert [names(area, *path[:depth]) for depth in range(1, 4)] == [[one] for one in path[1:]]
    with area.read(path) as content:
        assert b"".join(content.buffers()) == dicom.instance("p")
    assert names(area) == [README]


def test_what_is_listed_can_be_opened(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Every listed entry can be opened, also if studies have equal names, or names like suffixed ones."""
    for study, text in enumerate(["same", "SAME", "x ~0123456789", "x", "too many results.txt"], 10):
        orthanc.store(dicom.instance("p", study, tags={"StudyDescription": text}))
    area = search(orthanc, tmp_path)
    area.make_folder((QUERY,))
    area.make_folder(("New folder",))
    assert len([entry for entry in walk(area, ()) if entry.resource in orthanc.ids(Level.STUDY)]) == 6


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("PatientName=doe", "1 2 3"),
        ("PatientID=q", "3"),
        ("StudyDescription=study 2", "2"),
        ("Modality=CT", "1 2"),
        ("Modality=MR", "2 3"),
        ("Modality=CT,SeriesDescription=sagittal", ""),
        ("ModalitiesInStudy=CT,ModalitiesInStudy=MR", "2"),
        ("ModalitiesInStudy=CT,SeriesDescription=sagittal", "2"),
        ("PatientName=doe,StudyDate=2023", "3"),
        ("StudyDate=last 30 days", "1 2"),
        ("AccessionNumber=a2", "2"),
        ("PatientSex=x", ""),
        ("BodyPartExamined=x", ""),
    ],
)
def test_what_is_found(search: MakeSearch, tmp_path: Path, query: str, expected: str) -> None:
    """Patients, studies and series are asked; what is asked of series, one and the same of them has to fit."""
    orthanc = CountingOrthanc()
    orthanc.store(dicom.instance("p", 1))
    orthanc.store(dicom.instance("p", 2, 1))
    orthanc.store(dicom.instance("p", 2, 2, tags={"Modality": "MR", "SeriesDescription": "sagittal"}))
    orthanc.store(dicom.instance("q", 3, tags={"Modality": "MR", "StudyDate": "20231224"}))
    found = names(search(orthanc, tmp_path), query)
    assert sorted(name.rpartition(" ")[2] for name in found) == expected.split()


def test_labels(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Labels of the study and of the patient are compared, each as a whole."""
    (study,), (patient,) = orthanc.ids(Level.STUDY), orthanc.ids(Level.PATIENT)
    orthanc._resources[study] = replace(orthanc._resources[study], labels=("teaching", "urgent"))
    orthanc._resources[patient] = replace(orthanc._resources[patient], labels=("trial-7",))
    labelled = load_text(CT_ONLY.replace('Modality = "CT"', 'Labels = "trial-7"'), "trial.toml")
    area = search(orthanc, tmp_path, labelled)
    assert names(area, "Labels=Urgent,Labels=trial-7") == [STUDY]
    assert names(area, "Labels=urge") == []


def test_only_what_it_finds(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """A study that a search does not find cannot be opened through it."""
    area = search(orthanc, tmp_path)
    for path in [(STUDY,), (STUDY, "001 CT Series 1"), (STUDY, "001 CT Series 1", "00001.dcm"), ("nothing",)]:
        for use in (area.stat, area.list, area.read):
            with pytest.raises(NotFound):
                use(("Modality=MR", *path))


def test_freshness(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """A search shows what Orthanc has at this moment: what came, what changed, and nothing that is gone."""
    area = search(orthanc, tmp_path)
    query = "StudyDescription=study"
    assert names(area, query) == [STUDY]
    orthanc.store(dicom.instance("p", 2))
    assert len(names(area, query)) == 2
    first, second = orthanc.ids(Level.STUDY)
    orthanc.retag(second, {"StudyDescription": "other"})
    assert names(area, query) == [STUDY]
    orthanc.delete(Level.STUDY, OrthancId(first))
    assert names(area, query) == []
    with pytest.raises(NotFound):
        area.stat((query, STUDY))


def test_too_many(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Of too many studies the newest are shown, with a text; the others can be opened all the same."""
    orthanc.store(dicom.instance("p", 2, tags={"StudyDate": "20200101"}))
    orthanc.store(dicom.instance("p", 3, tags={"StudyDate": "20240301"}))
    area = search(orthanc, tmp_path, most=2)
    assert names(area, QUERY) == [STUDY, "2024-03-01 Doe p (p) Study 3", MORE]
    walk(area, (QUERY,))
    assert area.stat((QUERY, "2020-01-01 Doe p (p) Study 2")).is_folder
    with pytest.raises(NotAFolder):
        area.list((QUERY, MORE))
    orthanc.delete(Level.STUDY, orthanc.ids(Level.STUDY)[0])
    assert MORE not in names(area, QUERY)
    with pytest.raises(NotFound):
        area.stat((QUERY, MORE))


def test_saving(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """A folder that is made is listed as it was typed, also after a restart, until it is deleted."""
    area = search(orthanc, tmp_path)
    typed = "patientname=Doe, modality=ct"
    assert area.stat((typed,)).implied
    area.make_folder((typed,))
    assert not area.stat((typed,)).implied
    with pytest.raises(AlreadyExists):
        area.make_folder((typed.upper(),))
    again = search(orthanc, tmp_path)
    assert names(again) == [README, typed]
    assert names(again, typed) == [STUDY]
    assert again.delete((typed,)) == ""
    assert names(area) == [README]
    with pytest.raises(NotFound):
        area.delete((typed,))
    assert orthanc.files


def test_bad_queries(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """A folder for an invalid query is not found and cannot be made; the error names what is wrong."""
    area = search(orthanc, tmp_path)
    with pytest.raises(NotFound):
        area.stat(("PatientNam=doe",))
    with pytest.raises(BadName, match="PatientNam"):
        area.make_folder(("PatientNam=doe",))
    assert names(area) == [README]


def test_explorer(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Explorer and Finder make a folder first, and rename it then."""
    area = search(orthanc, tmp_path)
    area.make_folder(("New folder",))
    with pytest.raises(AlreadyExists):
        area.make_folder(("New Folder",))
    assert (names(area), names(area, "New folder")) == (["New folder", README], [])
    with pytest.raises(BadName):
        area.move(("New folder",), ("PatientNam=doe",), replace=False)
    area.move(("New folder",), (QUERY,), replace=False)
    assert names(area) == [QUERY, README]
    area.move((QUERY,), ("Modality=ct",), replace=False)
    area.move(("Modality=ct",), ("Modality=CT",), replace=False)
    assert names(area) == ["Modality=CT", README]
    area.make_folder((QUERY,))
    with pytest.raises(AlreadyExists):
        area.move((QUERY,), ("modality=CT",), replace=False)
    area.move((QUERY,), ("modality=CT",), replace=True)
    assert names(area) == [README, "modality=CT"]
    area.make_folder(("untitled folder",))
    area.delete(("untitled folder",))
    with pytest.raises(NotFound):
        area.stat(("untitled folder",))


def test_folders_without_a_search_are_few(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Too many folders without a search evict the same user's oldest; a renamed folder keeps its user."""
    area = search(orthanc, tmp_path)
    area.make_folder(("New folder",), user="alice")
    for number in range(50):
        area.make_folder((f"folder {number}",), user="mallory")
    kept = names(area)
    assert len(kept) == 22
    assert "New folder" in kept
    area.move(("New folder",), (QUERY,), replace=False)
    assert json.loads((tmp_path / "searches.json").read_text())[QUERY]["user"] == "alice"


def test_read_only(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Only searches can be made, renamed or deleted."""
    area = search(orthanc, tmp_path)
    area.make_folder((QUERY,))
    for path in [(README,), (QUERY, STUDY), (QUERY, STUDY, "001 CT Series 1", "00001.dcm")]:
        with pytest.raises(Forbidden):
            area.delete(path)
        with pytest.raises(Forbidden):
            area.move(path, ("Modality=CT",), replace=True)
        with pytest.raises(Forbidden):
            area.copy(path, ("Modality=CT",), replace=True)
        with pytest.raises(Forbidden):
            area.move((QUERY,), path, replace=True)
    for path in [(README,), (QUERY, "new"), (QUERY, STUDY, "new")]:
        with pytest.raises(Forbidden):
            area.make_folder(path)
        with pytest.raises(Forbidden):
            area.write(path, b"")
    with pytest.raises(ParentMissing):
        area.make_folder((QUERY, "nothing", "new"))
    with pytest.raises(NotFound):
        area.delete((QUERY, "nothing"))
    with pytest.raises(IsAFolder):
        area.read((QUERY,))
    assert names(area) == [QUERY, README]


def test_without_uploads(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Where nothing can be written, searches can be opened and not saved."""
    search(orthanc, tmp_path).make_folder((QUERY,))
    area = search(orthanc, tmp_path, allow_changes=False)
    assert names(area, "Modality=CT") == [STUDY]
    for change in (area.make_folder, area.delete, lambda path: area.move(path, ("Modality=MR",), replace=True)):
        with pytest.raises(Forbidden):
            change((QUERY,))


def test_scope(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """No study is found whose files no layout shows."""
    orthanc.store(dicom.instance("p", 2, tags={"Modality": "MR"}))
    area = search(orthanc, tmp_path, load_text(CT_ONLY, "ct.toml"), load_text(NO_FILES, "none.toml"))
    assert names(area, "PatientName=doe") == [STUDY]
    with pytest.raises(NotFound):
        area.stat(("PatientName=doe", "2024-02-29 Doe p (p) Study 2"))


def test_scope_without_anonymised(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """No study is found for a layout that hides who its patient is: a search would show the name."""
    orthanc.store(dicom.instance("p", 2, tags={"Modality": "MR"}))
    key = HashKey(b"a key that nobody knows")
    everything = replace(load_text(CT_ONLY.replace('Modality = "CT"', ""), "all.toml"), anonymised=key)
    assert names(search(orthanc, tmp_path, everything), "PatientName=doe") == []
    area = search(orthanc, tmp_path, everything, load_text(CT_ONLY, "ct.toml"))
    assert names(area, "PatientName=doe") == [STUDY]


@pytest.mark.parametrize("level", [Level.PATIENT, Level.STUDY])
def test_scope_by_label(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path, level: Level) -> None:
    """A layout that shows what has a label makes that found, whether the study has it or the patient."""
    labelled = load_text(CT_ONLY.replace('Modality = "CT"', 'Labels = "open"'), "open.toml")
    assert names(search(orthanc, tmp_path, labelled), QUERY) == []
    (one,) = orthanc.ids(level)
    orthanc.label(one, "open")
    orthanc.date(one, datetime(2024, 3, 1, tzinfo=UTC))  # which the log tells
    assert names(search(orthanc, tmp_path, labelled), QUERY) == [STUDY]


def test_text_that_is_not_unicode(search: MakeSearch, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """A value that cannot be UTF-8 neither fits nor fails."""
    orthanc.retag(orthanc.ids(Level.STUDY)[0], {"StudyDescription": "a\ud800b\0"})
    area = search(orthanc, tmp_path)
    assert names(area, "StudyDescription=c") == []
    assert len(names(area, "StudyDescription=a")) == 1


SEGMENTS = st.text(min_size=1) | st.from_regex(
    r"(PatientName|Modality|StudyDate|StudyTime|Labels|SeriesNumber)=[a-z0-9 ,=-]{0,20}", fullmatch=True
)


@given(SEGMENTS, st.none() | SEGMENTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_segment(orthanc: CountingOrthanc, segment: str, below: str | None) -> None:
    """Any path can be listed, or is not found."""
    with TemporaryDirectory() as folder, searching.opened(orthanc, Path(folder)) as area:
        path = (segment,) if below is None else (segment, below)
        try:
            entry = area.stat(path)
        except NotFound:
            return
        if entry.is_folder:
            walk(area, path)
