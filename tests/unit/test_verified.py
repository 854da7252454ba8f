"""The index is compared with Orthanc, whose tags can change without an entry in its log of changes."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from davfs.catalog import synchronizer
from davfs.catalog.indexer import Indexer
from davfs.errors import NotFound
from davfs.events import EventKind, ResourceEvent
from davfs.orthanc import Level, OrthancId, Resource
from tests.support import layouts
from tests.support.layouts import BY_DATE, Show, Shown, study_id

# pytest finds fixtures by the names in a module.
show = layouts.show

BY_PATIENT = """
title = "all"
[[level]]
patient = "{PatientName}"
[[level]]
study = "{StudyDescription}"
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
CORE_CALL, RESOURCE = 0.001, 0.00015
"""Seconds that Orthanc takes for a call, and for each resource in its answer: on a small machine, with SQLite."""


def reconstruct(shown: Shown, level: Level) -> None:
    """Give the first resource of a level another name, without an entry in the log."""
    tag = {Level.PATIENT: "PatientName", Level.STUDY: "StudyDescription", Level.SERIES: "SeriesDescription"}[level]
    shown.orthanc.reconstruct(shown.orthanc.ids(level)[0], {tag: "Other"})


@pytest.mark.parametrize("look", ["stat", "list"])
@pytest.mark.parametrize("level", [Level.PATIENT, Level.STUDY, Level.SERIES])
def test_next_look_at_a_resource(show: Show, level: Level, look: str) -> None:
    """A folder is not found under its old name, and all listings have the new one."""
    shown = show(BY_PATIENT).add("a", 1, 1)
    path = ("Doe a", "Study 1", "Series 1")[: list(Level).index(level) + 1]
    shown.walk()
    reconstruct(shown, level)
    with pytest.raises(NotFound):
        getattr(shown.tree, look)(path)
    assert shown.names(*path[:-1]) == ["Other"]
    assert shown.names(*path[:-1], "Other")


@pytest.mark.parametrize("studies", [3, 4, 7])
def test_studies_of_a_patient(show: Show, monkeypatch: pytest.MonkeyPatch, studies: int) -> None:
    """Each is compared with each look at the patient, also where several are asked for in one question, or in two."""
    monkeypatch.setattr(synchronizer, "_BATCH", 5)
    shown = show(BY_PATIENT)
    for study in range(1, studies + 1):
        shown.add("a", study)
    names = [f"Study {study}" for study in range(1, studies + 1)]
    for _ in range(3):
        assert shown.names("Doe a") == names
    shown.orthanc.reconstruct(study_id("a", studies), {"StudyDescription": "Other"})
    for _ in range(2):
        assert shown.names("Doe a") == ["Other", *names[:-1]]
    last = shown.orthanc._resources[study_id("a", studies)]
    shown.orthanc._resources[last.id] = replace(last, patient={"PatientName": "B"})
    assert shown.names("Doe a") == names[:-1]
    assert shown.names("B") == ["Other"]
    shown.orthanc.delete(Level.STUDY, study_id("a", 1))
    assert shown.names("Doe a") == names[1:-1]


def test_other_tags_that_change_no_name(show: Show) -> None:
    """Where the names stay, a folder is listed as before."""
    shown = show(BY_PATIENT).add("a")
    shown.walk()
    shown.orthanc.reconstruct(study_id("a"), {"AccessionNumber": "other"})
    assert shown.names("Doe a", "Study 1") == ["Series 1"]


def test_nothing_is_read_twice(show: Show) -> None:
    """A second walk of an unchanged tree needs no request to Orthanc."""
    shown = show(BY_PATIENT).add("a")
    shown.walk()
    shown.orthanc.asked = 0
    shown.walk()
    assert shown.orthanc.asked == 0


def test_instances_of_a_series_with_other_tags(show: Show) -> None:
    """The names of files are read again with those of their series."""
    shown = show(BY_PATIENT).add("a")
    shown.walk()
    (instance,) = shown.orthanc._instances.values()
    vars(shown.orthanc)["_instances"][instance.id] = type(instance)(
        instance.id, instance.series, {"InstanceNumber": "7"}, 0, instance.received, instance.uuid
    )
    reconstruct(shown, Level.SERIES)
    with pytest.raises(NotFound):
        shown.names("Doe a", "Study 1", "Series 1")
    assert shown.names("Doe a", "Study 1", "Other") == ["7.dcm"]


def _indexer(seconds: Iterator[float], shown: Shown) -> Indexer:
    events = [ResourceEvent(EventKind.STARTED, "")]
    indexer = Indexer(lambda _: events.pop() if events else None, lambda: next(seconds))
    shown.catalog.synchronizer.building = True
    indexer.reconcile_soon()
    indexer._step(shown.catalog)
    return indexer


def test_everything_is_read_again(show: Show) -> None:
    """Without a look at it, a study goes to its new group; what has gone without a word is dropped as well."""
    shown = show(BY_DATE).add("a").add("b")
    indexer = _indexer(itertools.count(0.0, 5.0), shown)
    assert shown.names() == ["2024"]
    shown.orthanc.reconstruct(study_id("a"), {"StudyDate": "20100101"})
    shown.orthanc.delete(Level.STUDY, study_id("b"))
    for _ in range(5):
        indexer._step(shown.catalog)
    assert shown.names() == ["2010"]


def _study(study: OrthancId, number: int) -> Resource:
    return Resource(study, Level.STUDY, None, {"StudyDescription": f"Study {number}"}, None)


class _Slow:
    """A clock that goes on with what Orthanc is asked for, and with each look at nothing."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_bound(show: Show) -> None:
    """At 10,000 studies each of them is read again within two minutes, and Orthanc is busy with that 5 % of the time.

    A third of that number stands for it here, and a third of the time.
    """
    shown, clock = show(BY_PATIENT), _Slow()
    for number in range(3333):
        study = OrthancId(f"study-{number}")
        shown.orthanc._resources[study] = _study(study, number)
    indexer = Indexer(lambda _: None, clock)
    shown.catalog.reconciler.reconcile(lambda _done, _total: None)
    indexer._built.set()
    page, busy = shown.orthanc.page, 0.0

    def slow(level: Level, since: int, limit: int) -> list[Resource]:
        nonlocal busy
        found = page(level, since, limit)
        busy += CORE_CALL + RESOURCE * len(found)
        clock.now += CORE_CALL + RESOURCE * len(found)
        return found

    shown.orthanc.page = slow  # type: ignore[method-assign]  # takes its time
    wanted = OrthancId("study-3332")
    shown.orthanc.reconstruct(wanted, {"StudyDescription": "Other"})
    while shown.store.tags(wanted)["StudyDescription"] != "Other":
        assert clock.now < 40
        indexer._reread(shown.catalog)
        clock.now += 0.5  # as long as the thread waits for events
    assert busy < 0.06 * clock.now
