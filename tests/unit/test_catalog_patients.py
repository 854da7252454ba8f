"""Patients' folders are made from the studies in them: people under one PatientID stay apart, in deletions as well."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from davfs.catalog.placing import Placer
from davfs.derived.files import DerivedFiles
from davfs.errors import OrthancError, Unavailable
from davfs.filesystem.tree import Tree
from davfs.layout import HashKey, load_text
from davfs.orthanc import Counts, Level, OrthancId, Resource
from tests.support import dicom, layouts
from tests.support.catalog import CountingOrthanc
from tests.support.layouts import Show

# pytest finds fixtures by the names in a module.
show = layouts.show

PATIENTS = """
title = "patients"
[[level]]
patient = "{PatientName|no name} ({PatientID|no ID})"
files = ["patient.json", "patient.zip"]
[[level]]
study = "{StudyDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
MR_ONLY = PATIENTS.replace("[[level]]", '[where]\nModality = "MR"\n[[level]]', 1)
LABELLED = PATIENTS.replace("[[level]]", '[where]\nLabels = "open"\n[[level]]', 1)
BY_SEX = PATIENTS.replace("[[level]]", '[[level]]\ngroup = "{PatientSex}"\n[[level]]', 1)
ANONYMISED = """
title = "research"
anonymised = true
retain = ["modified dates", "patient characteristics"]
[[level]]
patient = "{PatientSex}"
[[level]]
study = "{StudyDate:%Y}"
"""
SINCE = datetime(2024, 1, 1, tzinfo=UTC)


class Patientless(CountingOrthanc):
    """An Orthanc with ``"PatientLevelEnabled" : false``: patients are in its log, and nowhere else."""

    def counts(self) -> Counts:
        """See `Orthanc`."""
        return Counts(0, *(len(super(Patientless, self).ids(level)) for level in list(Level)[1:]))

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `Orthanc`."""
        return [one for one in super().resources(ids) if one.level is not Level.PATIENT]

    def ids(self, level: Level) -> list[OrthancId]:
        """See `Orthanc`."""
        assert level is not Level.PATIENT
        return super().ids(level)


def test_people_with_one_id(show: Show) -> None:
    """Each name has a folder, whatever came first; spellings that differ in case share one."""
    shown = (
        show(PATIENTS).add("0000", 1, PatientName="A").add("0000", 2, PatientName="B").add("0000", 3, PatientName="b")
    )
    assert shown.names() == ["A (0000)", "B (0000)"]
    assert shown.names("A (0000)") == ["Study 1", "patient.json", "patient.zip"]
    assert shown.names("b (0000)") == ["Study 2", "Study 3", "patient.json", "patient.zip"]


def test_group_above(show: Show) -> None:
    """Studies of one patient with different values of a group's tag are in the group of their own value."""
    shown = show(BY_SEX).add("p", 1, PatientSex="F").add("p", 2, PatientSex="M")
    assert shown.names("F", "Doe p (p)") == ["Study 1", "patient.json", "patient.zip"]
    assert shown.names("M", "Doe p (p)") == ["Study 2", "patient.json", "patient.zip"]


def test_description(show: Show) -> None:
    """patient.json describes the folder's studies, without attributes in which they contradict each other."""
    shown = show(PATIENTS).add("", 1, PatientName="A", PatientSex="F").add("", 2, PatientName="B")
    shown.add("", 3, PatientName="a", PatientSex="F", PatientBirthDate="19800101")
    with shown.tree.read(("A (no ID)", "patient.json")) as content:
        told = json.loads(b"".join(content.buffers()))
    assert told["MainDicomTags"] == {"PatientSex": "F"}
    assert told["Type"] == "Patient"
    assert set(told["Studies"]) == {layouts.study_id("", 1), layouts.study_id("", 3)}


def test_deleting_spares_others(show: Show) -> None:
    """Gone are the studies that the folder showed; in a layout with conditions, those that appear in it."""
    shown = show(MR_ONLY).add("p", 1, Modality="MR").add("p", 2).add("p", 3, Modality="MR", PatientName="B")
    gone = shown.tree.delete(("Doe p (p)",))
    assert gone == layouts.study_id("p", 1)
    assert set(shown.orthanc.ids(Level.STUDY)) == {layouts.study_id("p", 2), layouts.study_id("p", 3)}
    assert shown.names() == ["B (p)"]


def test_deleting_reads_anew(show: Show) -> None:
    """A study that became another person's without an entry in the log is not deleted with the former folder."""
    shown = show(PATIENTS).add("p", 1).add("p", 2)
    shown.names()
    moved = layouts.study_id("p", 2)
    shown.orthanc._resources[moved] = replace(shown.orthanc._resources[moved], patient={"PatientName": "B"})
    assert shown.tree.delete(("Doe p (p)",)) == layouts.study_id("p", 1)
    assert shown.orthanc.ids(Level.STUDY) == [moved]


@pytest.mark.parametrize("error", [Unavailable, OrthancError])
def test_partly_deleted(show: Show, error: type[OrthancError]) -> None:
    """If Orthanc fails in the middle, the error says how many were deleted, and the folder shows the others."""
    shown = show(PATIENTS).add("p", 1).add("p", 2).add("p", 3)
    shown.names()
    delete, done = shown.orthanc.delete, list[OrthancId]()

    def fail(level: Level, resource: OrthancId) -> None:
        if done:
            raise error("Orthanc has enough")
        done.append(resource)
        delete(level, resource)

    shown.orthanc.delete = fail  # type: ignore[method-assign]
    with pytest.raises(error, match=r"^1 of 3 studies were deleted, the others were not: Orthanc has enough$"):
        shown.tree.delete(("Doe p (p)",))
    assert len(shown.names("Doe p (p)")) == 2 + 2
    assert set(shown.orthanc.ids(Level.STUDY)).isdisjoint(done)


def test_suffix_of_an_anonymised_folder_tells_no_shared_id(show: Show) -> None:
    """Folders of the same name have digits of their own, also where both people are one patient of Orthanc's."""
    shown = show(PATIENTS)
    layout = load_text(ANONYMISED, "research.toml", key=HashKey(b"a key"))
    shown.store.change_layouts(Placer([layout]))
    shown.add("", 1, PatientSex="F").add("", 2, PatientSex="F")
    shown.tree = Tree(layout, shown.catalog, shown.orthanc, None, SINCE, DerivedFiles(shown.orthanc))
    one, other = shown.names()
    assert one[:3] == other[:3] == "F ~"
    assert one != other


def test_labels_of_a_patient_are_those_of_the_studies(show: Show) -> None:
    """A patient's folder has the labels of its studies, and loses them with its last study."""
    shown = show(LABELLED).add("p", 1).add("p", 2)
    shown.orthanc.label(OrthancId(dicom.orthanc_id("p")), "open")
    shown.catalog.refresh()
    shown.catalog.synchronizer.fetch(list(shown.store.ids(Level.PATIENT)))
    assert shown.names() == ["Doe p (p)"]
    assert len(shown.names("Doe p (p)")) == 2 + 2
    shown.tree.delete(("Doe p (p)",))
    shown.add("p", 1)
    assert shown.names() == []


@pytest.mark.parametrize("text", [PATIENTS, BY_SEX, LABELLED])
def test_without_a_patient_level(show: Show, text: str) -> None:
    """All is the same where Orthanc knows no patients; a comparison comes to its end, and finds no difference."""
    shown = show(text)
    behind = Patientless()
    vars(shown.orthanc).update(vars(behind))
    shown.orthanc.__class__ = Patientless
    shown.add("p", 1).add("p", 2, PatientName="B").add("", 3)
    if text == LABELLED:
        shown.orthanc.label(layouts.study_id("p", 1), "open")
    shown.names()
    shown.catalog.reconciler.reconcile(lambda _done, _total: None)
    assert not shown.catalog.reconciler.counts_differ()
    root = {PATIENTS: ["B (p)", "Doe (no ID)", "Doe p (p)"], BY_SEX: ["O"], LABELLED: ["Doe p (p)"]}[text]
    assert shown.names() == root
    path = ("O", "Doe p (p)") if text == BY_SEX else ("Doe p (p)",)
    assert shown.tree.delete(path) == layouts.study_id("p", 1)
    assert len(shown.orthanc.ids(Level.STUDY)) == 2
