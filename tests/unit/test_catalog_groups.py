"""Folders of groups: what is in them, and when they come and go."""

import itertools
from collections.abc import Sequence

import pytest

from davfs.errors import Forbidden, NotFound
from davfs.orthanc import Level, OrthancId
from tests.support import dicom, layouts
from tests.support.layouts import BY_DATE, BY_MODALITY, Show, study_id

# pytest finds fixtures by the names in a module.
show = layouts.show


def test_study_in_several_groups(show: Show) -> None:
    """A study is in the folder of each of its modalities, and all its series are below it there."""
    shown = show(BY_MODALITY).add("a", series=1, Modality="CT").add("a", series=2, Modality="PT").add("b")
    assert shown.names() == ["CT", "PT"]
    assert (shown.names("CT"), shown.names("PT")) == (["Doe a Study 1", "Doe b Study 1"], ["Doe a Study 1"])
    assert shown.names("PT", "Doe a Study 1") == ["Series 1", "Series 2"]
    assert shown.tree.stat(("PT", "Doe a Study 1")).resource == study_id("a")
    assert shown.tree.stat(("PT", "Doe a Study 1", "Series 1", "1.dcm")).size


def test_groups_follow_the_series(show: Show) -> None:
    """A series that comes or goes moves its study, and the folder of a group goes with the last that is in it."""
    shown = show(BY_MODALITY).add("a", series=1, Modality="CT")
    assert shown.names() == ["CT"]
    shown.add("a", series=2, Modality="PT")
    assert shown.names() == ["CT", "PT"]
    shown.deleted(Level.SERIES, dicom.ids(dicom.instance("a", series=2)).series)
    assert shown.names() == ["CT"]
    for use in (shown.tree.stat, shown.tree.list):
        with pytest.raises(NotFound):
            use(("PT",))


def test_values_that_differ_in_case_share_a_folder(show: Show) -> None:
    """Values that differ only in case share one folder, which is found under each spelling that is in use."""
    for order in itertools.permutations([("a", "CT"), ("b", "ct"), ("c", "Ct")]):
        shown = show(BY_MODALITY)
        for patient, modality in order:
            shown.add(patient, Modality=modality)
        assert shown.names() == ["CT"]
        assert shown.names("ct") == shown.names("Ct") == ["Doe a Study 1", "Doe b Study 1", "Doe c Study 1"]
        shown.deleted(Level.STUDY, study_id("a"))
        assert shown.names() == ["Ct"]
        with pytest.raises(NotFound):
            shown.tree.stat(("CT",))


def test_groups_cannot_be_deleted(show: Show) -> None:
    """A group cannot be deleted; the resources in it can be."""
    shown = show(BY_DATE).add("a")
    with pytest.raises(Forbidden, match="groups"):
        shown.tree.delete(("2024",))
    assert shown.tree.delete(("2024", "2024-02", "Doe a")) == study_id("a")
    assert shown.names() == []
    assert shown.orthanc.files == {}


def test_group_that_is_empty_in_orthanc(show: Show) -> None:
    """A path to a resource that another process deleted leads to nothing at once; the counts reveal it everywhere."""
    shown = show(BY_DATE).add("a").add("b", StudyDate="20230101")
    assert shown.names() == ["2023", "2024"]
    assert not shown.catalog.reconciler.counts_differ()
    shown.orthanc.delete(Level.STUDY, study_id("b"))
    assert shown.catalog.reconciler.counts_differ()
    with pytest.raises(NotFound):
        shown.tree.stat(("2023", "2023-01", "Doe b"))
    assert shown.names() == ["2024"]


def test_event_that_crosses_with_a_return(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that comes again just after it was found to be missing, and is listed, stays in its groups."""
    shown = show(BY_DATE).add("a")
    assert shown.names() == ["2024"]
    shown.orthanc.delete(Level.STUDY, study_id("a"))
    existing = shown.orthanc.existing

    def crossing(ids: Sequence[OrthancId]) -> set[OrthancId]:
        found = existing(ids)
        shown.add("a")
        assert shown.names("2024", "2024-02") == ["Doe a"]
        return found

    monkeypatch.setattr(shown.orthanc, "existing", crossing)
    shown.catalog.synchronizer.handle_deletions([study_id("a")])
    assert shown.names("2024", "2024-02") == ["Doe a"]


def test_groups_below_a_patient(show: Show) -> None:
    """Groups between a patient and the studies are compared with Orthanc's own list of them."""
    text = BY_DATE.replace('[[level]]\ngroup = "{StudyDate:%Y}"', '[[level]]\npatient = "{PatientName}"', 1)
    shown = show(text.replace('study = "{PatientName}"', 'study = "{StudyDescription}"'))
    shown.add("a").add("a", 2, StudyDate="20230101").add("b")
    assert shown.names("Doe a") == ["2023-01", "2024-02"]
    shown.orthanc.delete(Level.STUDY, study_id("a", 2))
    assert shown.names("Doe a") == ["2024-02"]
    assert shown.names("Doe a", "2024-02") == ["Study 1"]


def test_files_right_below_groups(show: Show) -> None:
    """Groups right above the files hold those of the series that have the value."""
    text = 'title = "all"\n[[level]]\nstudy = "{PatientName}"\n[[level]]\ngroup = "{Modality}"\n'
    shown = show(f'{text}[[level]]\ninstance = "{{SeriesNumber}} {{InstanceNumber}}.dcm"')
    shown.add("a", series=1).add("a", series=2).add("a", series=3, Modality="PT")
    assert shown.names("Doe a") == ["CT", "PT"]
    assert shown.names("Doe a", "CT") == ["1 1.dcm", "2 1.dcm"]
    shown.add("a", series=1, number=2)
    assert shown.names("Doe a", "CT") == ["1 1.dcm", "1 2.dcm", "2 1.dcm"]
    shown.deleted(Level.SERIES, dicom.ids(dicom.instance("a", series=2)).series)
    assert shown.names("Doe a", "CT") == ["1 1.dcm", "1 2.dcm"]
    assert shown.tree.stat(("Doe a", "PT", "3 1.dcm")).size


def test_combinations_are_bounded(show: Show) -> None:
    """A study with many values at several levels is in a limited number of folders; no group is empty for that."""
    group = '[[level]]\ngroup = "{OtherPatientIDs}"\n'
    shown = show(f'title = "all"\n{group * 3}[[level]]\nstudy = "{{PatientName}}"')
    shown.add("a", OtherPatientIDs="1")
    shown.orthanc.retag(OrthancId(dicom.orthanc_id("a")), {"OtherPatientIDs": "\\".join(map(str, range(40)))})
    assert sum(bool(resource) for resource in shown.walk().values()) == 256
