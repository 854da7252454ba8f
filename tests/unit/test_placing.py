"""Where layouts place what is in Orthanc: by conditions, by labels, and whatever the order of arrival."""

import itertools
from contextlib import closing
from datetime import timedelta

import pytest

from davfs.catalog.indexer import Indexer
from davfs.errors import NotFound
from davfs.events import EventKind, ResourceEvent
from davfs.orthanc import Level, OrthancId
from tests.support import dicom, layouts
from tests.support.layouts import BY_DATE, BY_MODALITY, FILES, LEAP_DAY, Show, Shown, study_id

# pytest finds fixtures by the names in a module.
show = layouts.show

PATIENTS_WITH_CT = f"""
title = "all"
[where]
Modality = "CT"
[[level]]
patient = "{{PatientName}}"
[[level]]
study = "{{StudyDescription}}"
{FILES}
"""
RECENT = f"""
title = "all"
[where]
StudyDate = "last 30 days"
[[level]]
study = "{{PatientName}}"
{FILES}
"""
BY_LABEL = f"""
title = "all"
[[level]]
group = "{{Labels|unlabelled}}"
[[level]]
study = "{{PatientName}}"
{FILES}
"""


def test_conditions_on_series(show: Show) -> None:
    """A patient appears with the first study that matches, and goes with the last; a second look asks for nothing."""
    shown = show(PATIENTS_WITH_CT).add("a", Modality="MR").add("b", Modality="CT").add("b", 2, Modality="MR")
    assert shown.names() == ["Doe b"]
    assert shown.names("Doe b") == ["Study 1"]
    with pytest.raises(NotFound):
        shown.tree.stat(("Doe a",))
    shown.orthanc.asked = 0
    assert shown.names() == ["Doe b"]
    assert shown.orthanc.asked == 0
    shown.add("a", series=2, Modality="CT")
    assert shown.names() == ["Doe a", "Doe b"]
    assert shown.names("Doe a", "Study 1") == ["Series 1", "Series 2"]
    shown.orthanc.delete(Level.STUDY, study_id("b"))
    assert shown.names("Doe a") == ["Study 1"]
    shown.catalog.synchronizer.handle_deletions([study_id("b")])
    assert shown.names() == ["Doe a"]


def test_conditions_hold_where_studies_are_left_out(show: Show) -> None:
    """Series and files right below a patient are those of the studies that match."""
    where = 'title = "all"\n[where]\nStudyDescription = "Study 1"\n[[level]]\npatient = "{PatientName}"\n'
    series, files = show(f"{where}{FILES}"), show(f'{where}[[level]]\ninstance = "{{StudyID}}-{{InstanceNumber}}.dcm"')
    for shown in (series, files):
        shown.add("a").add("a", 2).add("b", 2)
        assert shown.names() == ["Doe a"]
    assert series.names("Doe a") == ["Series 1"]
    assert files.names("Doe a") == ["1-1.dcm"]
    assert files.tree.stat(("Doe a", "1-1.dcm")).size
    with pytest.raises(NotFound):
        files.tree.stat(("Doe a", "2-1.dcm"))


def test_relative_dates(show: Show) -> None:
    """On a new day, the first request places resources by relative dates, without asking Orthanc."""
    shown = show(RECENT).add("a").add("b", StudyDate="20240320")
    assert shown.names() == ["Doe a"]
    shown.orthanc.asked = 0
    shown.day = LEAP_DAY + timedelta(days=25)
    assert shown.names() == ["Doe a", "Doe b"]
    shown.day = LEAP_DAY + timedelta(days=40)
    assert shown.names() == ["Doe b"]
    shown.store.close()
    shown.day = LEAP_DAY + timedelta(days=80)
    shown.__post_init__()
    assert shown.names() == []
    assert shown.orthanc.asked == 0


def test_changed_layout_places_only_itself(show: Show) -> None:
    """Layouts are added and removed without requests to Orthanc; removed ones leave no rows behind."""
    shown = show(BY_DATE).add("a").add("b", Modality="MR")
    shown.names()
    shown.orthanc.asked = 0
    placed: list[str] = []
    placer = shown.placer(BY_DATE, BY_MODALITY)
    place = placer.place
    placer.place = lambda plan, lineage: placed.append(plan.key) or place(plan, lineage)  # type: ignore[method-assign, func-returns-value]  # counts
    shown.store.change_layouts(placer)
    assert set(placed) == {placer.plans[1].key}
    by_date, shown.tree = shown.tree, shown.tree_of(BY_MODALITY)
    assert shown.names() == ["CT", "MR"]
    assert [entry.name for entry in by_date.list(())] == ["2024"]
    shown.store.change_layouts(shown.placer(BY_MODALITY))
    assert [entry.name for entry in by_date.list(())] == ["2024"]
    shown.now += 10
    while shown.store.place_next():
        pass
    assert list(by_date.list(())) == []
    assert list(by_date.list(())) == []
    shown.add("c", StudyDate="20200101", Modality="PT")
    assert shown.names() == ["CT", "MR", "PT"]
    shown.store.change_layouts(shown.placer(BY_DATE))
    shown.tree = by_date
    assert shown.names() == ["2020", "2024"]
    assert shown.orthanc.asked == 2  # the new study and series


def test_labels(show: Show) -> None:
    """Labels are read again, a part of the archive at a time; those of a patient are those of the studies too."""
    shown = show(BY_LABEL).add("a").add("b")
    assert shown.names() == ["unlabelled"]
    shown.orthanc.label(study_id("a"), "teaching", "cardiac")
    shown.orthanc.label(OrthancId(dicom.orthanc_id("b")), "teaching")
    events = [ResourceEvent(EventKind.STARTED, "")]
    clock = itertools.count(0.0, 10.0)
    indexer = Indexer(lambda _: events.pop() if events else None, lambda: next(clock))
    indexer.reconcile_soon()
    for _ in range(2):
        indexer._step(shown.catalog)
    assert shown.names() == ["cardiac", "teaching"]
    assert shown.names("teaching") == ["Doe a", "Doe b"]
    shown.orthanc.label(study_id("a"))
    shown.catalog.reconciler.reread_part()
    assert shown.names() == ["teaching", "unlabelled"]
    generation = shown.store.generation
    shown.catalog.reconciler.reread_part()
    assert shown.store.generation == generation


def test_emptied_log(show: Show) -> None:
    """A resource that was added just before the log was emptied is in its group in the next listing."""
    for text in (BY_MODALITY, PATIENTS_WITH_CT):
        shown = show(text).add("a")
        assert len(shown.walk()) == 4
        shown.add("b").add("c")
        shown.orthanc.log.clear()
        shown.add("d", Modality="MR")
        shown.orthanc.log.clear()
        assert len({resource for path, resource in shown.walk().items() if path[-1] == "1.dcm"}) >= 3


@pytest.mark.parametrize("text", [BY_MODALITY, BY_DATE, PATIENTS_WITH_CT, BY_LABEL])
def test_names_do_not_depend_on_order_or_process(show: Show, text: str) -> None:
    """Any order of arrival, a second process and a rebuilt catalog give the same names for the same resources."""
    contents = [
        dicom.instance("a", 1, 1, tags={"PatientName": "Doe", "Modality": "CT"}),
        dicom.instance("a", 1, 2, tags={"PatientName": "Doe", "Modality": "ct"}),
        dicom.instance("b", 1, 1, tags={"PatientName": "doe", "Modality": "MR"}),
        dicom.instance("c", 1, 1, tags={"PatientName": "DOE", "Modality": "Ct", "StudyDate": "20230101"}),
    ]
    seen = []
    for number, order in enumerate(itertools.permutations(contents)):
        shown = show(text)
        for content in order:
            shown.orthanc.store(content)
            if number % 2:
                shown.walk()
        seen.append(shown.walk())
    other = Shown(shown.folder.parent, text, shown.orthanc)
    with closing(other.store):
        seen.append(other.walk())
    assert all(one == seen[0] for one in seen)
    assert len(seen[0]) >= 10
