"""The catalog is never older than its Orthanc, whatever happens between two questions."""

import itertools
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from davfs.catalog.indexer import Indexer
from davfs.catalog.instances import InstanceCache
from davfs.catalog.plan import patient_node, patient_of
from davfs.errors import UnknownResource
from davfs.events import EventKind, ResourceEvent
from davfs.orthanc import Instance, Level, OrthancId
from tests.support import catalog as catalogs
from tests.support import dicom
from tests.support.catalog import BY_NAME, CountingOrthanc, Index
from tests.support.memory_orthanc import MemoryOrthanc

# pytest finds fixtures by the names in a module.
index = catalogs.index


def once(act: Callable[[], object]) -> Callable[[], None]:
    """Make a function that does something the first time only."""
    times = iter([act])

    def called() -> None:
        for each in times:
            each()

    return called


def patient_id(patient: str) -> OrthancId:
    """Return the id of a patient."""
    return OrthancId(dicom.orthanc_id(patient))


def patients_of(index: Index) -> dict[str, list[OrthancId]]:
    """Return the studies of each patient's folder, as Orthanc has them now, by the folder's node."""
    found: dict[str, list[OrthancId]] = {}
    for study in index.orthanc.resources(index.orthanc.ids(Level.STUDY)):
        node = patient_node(study.parent or "", index.root.plan.key, "", study.patient["PatientID"])
        found.setdefault(node, []).append(study.id)
    return found


def assert_fresh(index: Index) -> None:
    """Assert that every folder shows what Orthanc has, and every series its instances."""
    orthanc, seen = index.orthanc, list[Instance]()
    index.catalog.refresh()
    folders, patients = [index.root], patients_of(index)
    while folders:
        folder = folders.pop()
        if folder.shows is Level.INSTANCE:
            seen += [each for some in index.catalog.instances(folder, fresh=True) for each in some.values()]
            continue
        wanted = patients.get(folder.id, []) if folder.id else list(patients)
        if folder.level is Level.STUDY:
            wanted = orthanc.children(Level.STUDY, OrthancId(folder.id or ""))
        rows = index.catalog.rows(folder)
        assert sorted(row.id for row in rows) == sorted(wanted)
        folders += [below for row in rows if (below := folder.below(row.id))]
    assert sorted(each.id for each in seen) == sorted(orthanc.files)
    studies = orthanc.resources(orthanc.ids(Level.STUDY))
    assert index.names() == sorted({each.patient["PatientID"] for each in studies})


def _rename(orthanc: MemoryOrthanc, name: str) -> None:
    for patient in orthanc.ids(Level.PATIENT)[:1]:
        orthanc.retag(patient, {"PatientID": name})


A, A2 = dicom.instance("a"), dicom.instance("a", number=2)
A_SERIES, A_STUDY = dicom.instance("a", series=2), dicom.instance("a", study=2)
B = dicom.instance("b")
STEPS: dict[str, Callable[[MemoryOrthanc], object]] = {
    "instance": lambda orthanc: orthanc.store(A2),
    "series and study": lambda orthanc: (orthanc.store(A_SERIES), orthanc.store(A_STUDY)),
    "patient": lambda orthanc: orthanc.store(B),
    "update": lambda orthanc: _rename(orthanc, "c"),
    "delete instance": lambda orthanc: orthanc.delete(Level.INSTANCE, next(iter(orthanc.files))),
    "delete study": lambda orthanc: orthanc.delete(Level.STUDY, orthanc.ids(Level.STUDY)[0]),
}


@pytest.mark.parametrize("first", STEPS)
def test_listings_are_fresh(tmp_path: Path, first: str) -> None:
    """Each listing shows all earlier arrivals, updates and deletions, in any order of them."""
    for number, order in enumerate(itertools.permutations(STEPS, 4)):
        if order[0] == first:
            with closing(Index(CountingOrthanc(), tmp_path / f"{number}.sqlite")) as index:
                index.orthanc.store(A)
                assert_fresh(index)
                for step in order:
                    _step(index.orthanc, step)
                    assert_fresh(index)


def _step(orthanc: MemoryOrthanc, step: str) -> None:
    if orthanc.files or not step.startswith("delete"):
        STEPS[step](orthanc)


def test_known_resources_are_not_fetched_again(index: Index) -> None:
    """A listing costs what is new in it."""
    for number in range(50):
        index.orthanc.store(dicom.instance(f"p{number}"))
    assert len(index.names()) == 50
    index.orthanc.asked = 0
    index.orthanc.store(B)
    assert len(index.names()) == 51
    assert index.orthanc.asked == 2  # study and series


def test_unchanged_listing_is_the_same_object(index: Index) -> None:
    """An unchanged listing is the same object, so that values derived from it can be cached."""
    index.orthanc.store(A)
    index.names()
    assert index.catalog.rows(index.root) is index.catalog.rows(index.root)


def test_folder_that_is_gone(index: Index) -> None:
    """A deleted folder is unknown, and leaves its parent's listing at once."""
    index.orthanc.store(A)
    (patient,) = index.catalog.rows(index.root)
    index.orthanc.delete(Level.PATIENT, patient_id("a"))
    with pytest.raises(UnknownResource):
        index.catalog.rows(index.folder(Level.PATIENT, patient.id))
    assert index.catalog.rows_with(index.root, ("a",)) == []


def test_older_facts_never_replace_newer_ones(index: Index) -> None:
    """A thread that read long ago, and is late, changes nothing."""
    index.orthanc.store(A)
    index.names()
    revision = index.store.revision
    late = index.orthanc.resources(index.orthanc.ids(Level.STUDY))
    index.orthanc.retag(patient_id("a"), {"PatientID": "z"})
    assert index.names() == ["z"]
    index.store.save(late, revision)
    assert index.names() == ["z"]


def test_update_during_a_fetch(index: Index) -> None:
    """An update between Orthanc's answer and its taking over is in the next listing."""
    index.orthanc.store(A)
    index.orthanc.meanwhile = once(lambda: index.orthanc.retag(patient_id("a"), {"PatientID": "z"}))
    index.names()
    assert index.names() == ["z"]


def test_what_another_thread_has_just_taken_over(index: Index) -> None:
    """A listing whose changes are in the index already does not show older cached rows."""
    index.orthanc.store(A)
    index.names()
    index.orthanc.store(B)
    write, answers, threads = index.store._database.write, list[list[str]](), list[threading.Thread]()

    @contextmanager
    def slow() -> Iterator[sqlite3.Connection]:
        with write() as db:
            yield db
        if not threads:
            threads.append(threading.Thread(target=lambda: answers.append(index.names())))
            threads[0].start()
            threads[0].join(0.3)

    index.store._database.write = slow  # type: ignore[method-assign]
    index.catalog.refresh()
    threads[0].join()
    assert answers == [["a", "b"]]


def test_deleted_during_a_fetch(index: Index) -> None:
    """A resource that is deleted between Orthanc's response and its indexing disappears with the next listing."""
    index.orthanc.store(A)
    index.orthanc.store(B)
    index.orthanc.meanwhile = once(lambda: index.orthanc.delete(Level.PATIENT, patient_id("b")))
    index.names()
    assert index.names() == ["a"]
    assert index.catalog.rows_with(index.root, ("b",)) == []


def test_resurrected_resource_disappears(index: Index) -> None:
    """A deleted resource that a late thread learns again is gone after the next listing, with all below it."""
    index.orthanc.store(A)
    index.names()
    revision = index.store.revision
    late = index.orthanc.resources([each for level in list(Level)[:3] for each in index.orthanc.ids(level)])
    index.orthanc.delete(Level.PATIENT, patient_id("a"))
    assert index.names() == []
    index.store.save(late, revision)
    assert index.names() == []
    assert [index.store.ids(level) for level in Level] == [set(), set(), set(), set()]


@pytest.mark.parametrize("listed_between", [False, True])
def test_late_deletion_event(index: Index, *, listed_between: bool) -> None:
    """The event of a deletion may come after the resource was stored again: it is there, and is found by its name."""
    index.orthanc.store(A)
    index.names()
    deleted = index.orthanc.below(patient_id("a"))
    index.orthanc.delete(Level.PATIENT, patient_id("a"))
    index.orthanc.store(A)
    if listed_between:
        assert index.names() == ["a"]
    events = [
        *(ResourceEvent(EventKind.DELETED, gone) for gone in deleted),
        ResourceEvent(EventKind.OTHER, patient_id("a")),
    ]
    indexer = Indexer(lambda _: events.pop(0) if events else None)
    indexer._step(index.catalog)
    index.catalog.refresh()
    assert [patient_of(row.id) for row in index.catalog.rows_with(index.root, ("a",))] == [patient_id("a")]


def test_gap_in_the_log(index: Index) -> None:
    """Entries that an administrator removed cannot be read: the catalog asks to be compared, and then has all."""
    index.orthanc.store(A)
    index.names()
    index.comparisons = 0
    index.orthanc.store(B)
    index.orthanc.log.clear()
    index.orthanc.store(A_STUDY)
    index.catalog.refresh()
    assert index.comparisons > 0
    index.compare()
    assert index.store.ids(Level.STUDY) == set(index.orthanc.ids(Level.STUDY))


def test_no_gap_asks_for_nothing(index: Index) -> None:
    """Uploads alone, in several pages of the log, are followed without a comparison."""
    index.orthanc.store(A)
    index.names()
    index.comparisons = 0
    for number in range(400):
        index.orthanc.store(dicom.instance(f"p{number}"))
    assert len(index.names()) == 401
    assert index.comparisons == 0


def test_last_change_goes_back(index: Index) -> None:
    """The newest number of the log goes back when its entry is deleted: nothing else is forgotten for that."""
    index.orthanc.store(A)
    index.orthanc.store(B)
    index.names()
    index.orthanc.asked = 0
    index.orthanc.delete(Level.PATIENT, patient_id("b"))
    index.catalog.refresh()
    assert [patient_of(row.id) for row in index.catalog.rows_with(index.root, ("a",))] == [patient_id("a")]
    index.compare()
    assert index.names() == ["a"]
    assert index.orthanc.asked == 0
    index.orthanc.retag(patient_id("a"), {"PatientID": "z"})
    assert index.names() == ["z"]
    index.orthanc.store(B)
    assert index.names() == ["b", "z"]


def test_slow_answer_about_the_log(index: Index) -> None:
    """A thread that continues with an older page of the log than others have read loses no change."""
    index.orthanc.store(A)
    index.names()
    index.orthanc.after_log = once(lambda: (index.orthanc.store(B), index.names()))
    index.catalog.refresh()
    found = index.catalog.rows_with(index.root, ("a", "b"))
    assert sorted(patient_of(row.id) for row in found) == sorted([patient_id("a"), patient_id("b")])
    index.orthanc.asked = 0
    assert index.names() == ["a", "b"]
    assert index.orthanc.asked == 0


def other_database(index: Index) -> CountingOrthanc:
    """Replace Orthanc's database by an older backup: patient a with another name, b missing, c new."""
    index.orthanc = CountingOrthanc()
    index.orthanc.store(A)
    index.orthanc.retag(patient_id("a"), {"PatientName": "Restored"})
    index.orthanc.store(dicom.instance("c"))
    return index.orthanc


def test_another_database(index: Index) -> None:
    """After a backup was restored, listings are right at once, and the catalog asks to be compared."""
    for content in (A, A2, A_SERIES, A_STUDY, B, dicom.instance("d"), dicom.instance("e")):
        index.orthanc.store(content)
    index.names()
    other_database(index)
    index = index.restart()
    assert index.names() == ["a", "c"]
    assert index.comparisons > 0
    index.compare()
    for level in (Level.PATIENT, Level.STUDY, Level.SERIES):
        assert index.store.ids(level) == set(index.orthanc.ids(level))


def test_another_database_has_other_tags(index: Index) -> None:
    """Resources of both databases are shown with the tags of the present one, once the comparison is done."""
    index = index.restart(BY_NAME)
    for content in (A, A2, A_SERIES, A_STUDY, B, dicom.instance("d"), dicom.instance("e")):
        index.orthanc.store(content)
    index.names()
    other_database(index)
    index = index.restart()
    index.names()
    index.compare()
    assert index.names() == ["Doe c", "Restored"]


def test_another_database_behind_the_same_address(index: Index) -> None:
    """Beside Orthanc the drive goes on where that is started again on a backup: what it has is shown all the same."""
    index = index.restart(BY_NAME)
    for content in (A, A2, A_SERIES, A_STUDY, B, dicom.instance("d"), dicom.instance("e")):
        index.orthanc.store(content)
    index.names()
    behind = index.orthanc
    vars(behind).update(vars(other_database(index)))
    events = [ResourceEvent(EventKind.STARTED, ""), ResourceEvent(EventKind.LOST, "")]
    indexer = Indexer(lambda _: events.pop(0) if events else None)
    indexer._step(index.catalog)
    assert index.names() == ["Doe c", "Restored"]
    behind.store(B)
    index.catalog.refresh()
    assert [patient_of(row.id) for row in index.catalog.rows_with(index.root, ("doe b",))] == [patient_id("b")]


def instances(series: str, count: int) -> list[Instance]:
    """Make the instances of a series."""
    return [Instance(OrthancId(f"{series}{n}"), OrthancId(series), {}, 1, None, "") for n in range(count)]


def test_cache_is_bounded() -> None:
    """The series that was not used the longest goes first; one that is larger than the cache is kept alone."""
    cache = InstanceCache(capacity=5)
    s, t, u = OrthancId("s"), OrthancId("t"), OrthancId("u")
    cache.put(s, instances("s", 2), cache.epoch)
    cache.put(t, instances("t", 2), cache.epoch)
    assert cache.get(s)
    cache.put(u, instances("u", 2), cache.epoch)
    assert [cache.get(each) is not None for each in (s, t, u)] == [True, False, True]
    cache.put(t, instances("t", 50), cache.epoch)
    assert [cache.get(each) is not None for each in (s, t, u)] == [False, True, False]


def test_cache_forgets_while_fetching() -> None:
    """Instances that were read before one of them was forgotten are not kept, others are."""
    cache = InstanceCache()
    for forgotten, kept in (("s0", False), ("s", False), ("t0", True)):
        epoch = cache.epoch
        cache.forget([forgotten])
        assert len(cache.put(OrthancId("s"), instances("s", 2), epoch)) == 2
        assert (cache.get(OrthancId("s")) is not None) == kept


def test_overwritten_instance_is_fetched_again(index: Index) -> None:
    """An instance that was deleted and stored anew between two listings is shown as it is now."""
    index.orthanc.store(A)
    series = index.folder(Level.SERIES, index.orthanc.ids(Level.SERIES)[0])
    ((before,),) = (some.values() for some in index.catalog.instances(series, fresh=True))
    index.orthanc.delete(Level.INSTANCE, before.id)
    index.orthanc.store(A)
    index.catalog.refresh()
    ((after,),) = (some.values() for some in index.catalog.instances(series, fresh=True))
    assert after.uuid != before.uuid
