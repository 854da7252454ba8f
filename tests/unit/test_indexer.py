"""The background thread of the index: how soon it compares."""

import time
from collections.abc import Iterable

import pytest

from davfs.catalog.indexer import Indexer
from davfs.events import EventKind, ResourceEvent
from davfs.orthanc.model import Level, OrthancId, Resource
from tests.support import catalog as catalogs
from tests.support import dicom
from tests.support.catalog import Index

# pytest finds fixtures by the names in a module.
index = catalogs.index


def test_slow_fetching_delays_no_comparison(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the first index took to fetch, what another Orthanc deletes then is gone within three seconds."""
    clock, resources = [0.0], index.orthanc.resources

    def slow(ids: Iterable[OrthancId]) -> list[Resource]:
        clock[0] += 10.0
        return resources(ids)

    def next_change(seconds: float) -> ResourceEvent | None:
        clock[0] += seconds
        return events.pop(0) if events else None

    events = [ResourceEvent(EventKind.STARTED, "")]
    for patient in ("a", "b"):
        index.orthanc.store(dicom.instance(patient))
    indexer = Indexer(next_change, lambda: clock[0])
    with monkeypatch.context() as patch:
        patch.setattr(index.orthanc, "resources", slow)
        while not indexer.built:
            indexer._step(index.catalog)
    index.orthanc.delete(Level.STUDY, index.orthanc.ids(Level.STUDY)[0])
    until = clock[0] + 3.0
    while clock[0] < until:
        indexer._step(index.catalog)
    assert index.store.ids(Level.STUDY) == set(index.orthanc.ids(Level.STUDY))


def test_usable_at_once(index: Index) -> None:
    """While the first index is being built, nobody waits for a second, and after that nobody waits at all."""
    indexer = Indexer(lambda _seconds: None)
    indexer._catalog = index.catalog
    began = time.monotonic()
    assert not indexer.wait_for_first_index()
    assert not indexer.wait_for_first_index()
    assert 0.5 < time.monotonic() - began < 1.5  # on a busy machine
    indexer._reconcile(index.catalog)
    assert indexer.wait_for_first_index()


def test_outage_during_a_comparison(index: Index) -> None:
    """Listings compare themselves until a comparison is complete that began after the outage; others do not count."""
    indexer = Indexer(lambda _seconds: None)
    indexer._catalog = index.catalog
    synchronizer = index.catalog.synchronizer
    index.orthanc.store(dicom.instance("a"))
    for soon, expected in ((indexer.reconcile_soon, False), (indexer.reconcile_now, True)):
        index.orthanc.after_log = soon
        indexer._reconcile(index.catalog)
        assert synchronizer.building is expected
    index.orthanc.after_log = lambda: None
    indexer._reconcile(index.catalog)
    assert not synchronizer.building
