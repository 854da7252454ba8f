"""The instances of all that is below a patient, study or series, for what is made of them as a whole."""

from typing import Any

import pytest

from davfs.errors import UnknownResource
from davfs.orthanc import Level, OrthancId
from tests.support import catalog, dicom
from tests.support.catalog import Index

# pytest finds fixtures by the names in a module.
index = catalog.index

STUDY = OrthancId(dicom.ids(dicom.instance("a")).study)
PATIENT = OrthancId(dicom.ids(dicom.instance("a")).patient)


def add(index: Index, study: int, series: int, number: int = 1, **tags: Any) -> dicom.Ids:
    """Give a file of patient a to Orthanc."""
    content = dicom.instance("a", study, series, number, tags=tags)
    index.orthanc.store(content)
    return dicom.ids(content)


def below(index: Index, level: Level, resource: str, *, fresh: bool = True) -> list[set[str]]:
    """Return the ids of the instances below a resource, for each of its series, as a request does that comes now."""
    if fresh or level is Level.PATIENT:
        index.catalog.refresh()
    resource = index.node(resource) if level is Level.PATIENT else resource
    return [set(found) for found in index.catalog.instances_below(level, OrthancId(resource), fresh=fresh)]


@pytest.mark.parametrize("fresh", [True, False])
def test_each_level(index: Index, *, fresh: bool) -> None:
    """A patient has all, a study and a series their own; another patient's are not among them."""
    one, two = add(index, 1, 1, SeriesNumber=1), add(index, 1, 1, 2, SeriesNumber=1)
    beside, apart = add(index, 1, 2, SeriesNumber=2), add(index, 2, 3, SeriesNumber=3)
    index.orthanc.store(dicom.instance("b"))
    first = {one.instance, two.instance}
    assert below(index, Level.SERIES, one.series, fresh=fresh) == [first]
    assert below(index, Level.STUDY, one.study, fresh=fresh) == [first, {beside.instance}]
    assert below(index, Level.PATIENT, one.patient, fresh=fresh) == [first, {beside.instance}, {apart.instance}]


def test_order(index: Index) -> None:
    """Series come by their numbers, 9 before 10, and last those without one, by id."""
    numbers = ["10", "9", None, "-1", "", "+11", " 12 ", "1"]
    added = [add(index, 1, place, SeriesNumber=number) for place, number in enumerate(numbers)]
    index.orthanc.retag(OrthancId(added[7].series), {"SeriesNumber": "left"})
    last = sorted((added[place] for place in (2, 4, 7)), key=lambda ids: ids.series)
    wanted = [added[place] for place in (3, 1, 0, 5, 6)] + last
    assert below(index, Level.STUDY, STUDY) == [{ids.instance} for ids in wanted]


def test_same_number(index: Index) -> None:
    """Series of the same number come by id."""
    added = [add(index, 1, place, SeriesNumber=1) for place in range(5)]
    wanted = sorted(added, key=lambda ids: ids.series)
    assert below(index, Level.STUDY, STUDY) == [{ids.instance} for ids in wanted]


@pytest.mark.parametrize("fresh", [True, False])
def test_same_objects_while_nothing_changed(index: Index, *, fresh: bool) -> None:
    """A series that has not changed is listed as the same object, and a changed one as a new object."""
    for series in (1, 2, 3):
        add(index, 1, series, SeriesNumber=series)
    index.catalog.refresh()
    before = list(index.catalog.instances_below(Level.STUDY, STUDY, fresh=fresh))
    after = list(index.catalog.instances_below(Level.STUDY, STUDY, fresh=fresh))
    assert list(map(id, before)) == list(map(id, after))
    add(index, 1, 2, 2, SeriesNumber=2)
    changed = list(index.catalog.instances_below(Level.STUDY, STUDY, fresh=True))
    assert [one is other for one, other in zip(before, changed, strict=True)] == [True, False, True]


def test_shared_with_the_series_own_folder(index: Index) -> None:
    """The instances of a series are fetched once."""
    ids = add(index, 1, 1)
    (own,) = index.catalog.instances(index.folder(Level.SERIES, ids.series), fresh=True)
    (found,) = index.catalog.instances_below(Level.STUDY, STUDY, fresh=True)
    assert found is own


def test_arrivals_and_deletions(index: Index) -> None:
    """Each fresh answer has what Orthanc had when it was asked."""
    one = add(index, 1, 1, SeriesNumber=1)
    assert below(index, Level.PATIENT, PATIENT) == [{one.instance}]
    two, new = add(index, 1, 1, 2, SeriesNumber=1), add(index, 2, 1, SeriesNumber=2)
    assert below(index, Level.PATIENT, PATIENT) == [{one.instance, two.instance}, {new.instance}]
    index.orthanc.delete(Level.INSTANCE, OrthancId(one.instance))
    index.orthanc.delete(Level.STUDY, OrthancId(new.study))
    assert below(index, Level.PATIENT, PATIENT) == [{two.instance}]


def test_new_number(index: Index) -> None:
    """A series that is given another number takes its place among the others."""
    one, two = add(index, 1, 1, SeriesNumber=1), add(index, 1, 2, SeriesNumber=2)
    assert below(index, Level.STUDY, STUDY) == [{one.instance}, {two.instance}]
    index.orthanc.retag(OrthancId(one.series), {"SeriesNumber": "3"})
    assert below(index, Level.STUDY, STUDY) == [{two.instance}, {one.instance}]


def test_order_while_the_index_is_being_built(index: Index) -> None:
    """Series that are not in the facts yet have their place all the same."""
    added = [add(index, 1, place, SeriesNumber=10 - place) for place in range(6)]
    index.catalog.synchronizer.building = True
    assert below(index, Level.STUDY, STUDY) == [{ids.instance} for ids in reversed(added)]


def test_order_after_the_log_was_emptied(index: Index) -> None:
    """A change of SeriesNumber shows in the order of series although its entry in Orthanc's log is gone."""
    one, two = add(index, 1, 1, SeriesNumber=1), add(index, 1, 2, SeriesNumber=2)
    below(index, Level.STUDY, STUDY)
    index.orthanc.retag(OrthancId(one.series), {"SeriesNumber": "3"})
    index.orthanc.log.clear()
    assert below(index, Level.STUDY, STUDY) == [{two.instance}, {one.instance}]


@pytest.mark.parametrize("level", [Level.PATIENT, Level.STUDY, Level.SERIES])
@pytest.mark.parametrize("known", [True, False])
def test_gone(index: Index, level: Level, *, known: bool) -> None:
    """A resource that Orthanc does not have is unknown, and is removed from the index."""
    ids = add(index, 1, 1)
    resource = {Level.PATIENT: ids.patient, Level.STUDY: ids.study, Level.SERIES: ids.series}[level]
    if known:
        below(index, level, resource)
    index.orthanc.delete(level, OrthancId(resource))
    with pytest.raises(UnknownResource):
        below(index, level, resource)
    assert resource not in index.store.ids(level)
