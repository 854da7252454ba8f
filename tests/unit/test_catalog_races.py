"""Threads that use the catalog at the same time: in any order, all of them show the same."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Folder, Plan, patient_node
from davfs.catalog.store import Store
from davfs.errors import UnknownResource
from davfs.layout import load_text
from davfs.orthanc import Level, OrthancId, Resource
from tests.support import dicom
from tests.support.layouts import BY_MODALITY
from tests.support.paced import Paced, PacedOrthanc

BY_PATIENT = """
title = "patients"
[[level]]
patient = "{PatientName}"
[[level]]
study = "{StudyDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
PATIENTS, STUDIES = ("a", "b", "c"), (1, 2)
POOL = [
    dicom.instance(patient, study, tags={"Modality": "CT" if study == 1 else "MR"})
    for patient in PATIENTS
    for study in STUDIES
]


@dataclass
class Archive:
    """An Orthanc, and a catalog of it with two layouts.

    Attributes:
        touched: What came, went or changed since each listing under way began.
    """

    folder: Path
    orthanc: PacedOrthanc = field(default_factory=PacedOrthanc)
    touched: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        layouts = [load_text(text, "test.toml") for text in (BY_PATIENT, BY_MODALITY)]
        self.patients, self.modalities = (Folder(Plan.of(layout)) for layout in layouts)
        self.store = Store(self.folder / "catalog.sqlite", Placer(layouts))
        self.catalog = Catalog(self.orthanc, self.store, InstanceCache())

    def compare(self) -> None:
        """Compare everything, as the indexer does."""
        self.catalog.reconciler.reconcile(lambda _done, _total: None)
        self.catalog.synchronizer.building = False

    def listed(self, folder: Folder) -> dict[str, str]:
        """List a folder: the name of everything in it, by id."""
        self.catalog.refresh()
        try:
            return {row.id: row.name for row in self.catalog.rows(folder)}
        except UnknownResource:
            return {}

    def shown(self) -> dict[str, str]:
        """Return the studies in the folders of modalities, without a question to Orthanc."""
        groups = self.catalog.rows_with(self.modalities, ("ct", "mr"))
        folders = [below for row in groups if (below := self.modalities.below(row.id))]
        return {row.id: row.name for folder in folders for row in self.store.contents(folder).rows}

    def studies(self) -> dict[str, Resource]:
        """Return the studies that Orthanc has."""
        return {each.id: each for each in self.orthanc.resources(self.orthanc.ids(Level.STUDY))}

    def there(self, patient: str | None = None) -> dict[str, str]:
        """Return the folders of patients that there have to be, or those of the studies in one of them: their names."""
        found = {self.patient(each): _name(each) for each in self.studies().values()}
        if patient is None:
            return found
        inside = (each for each in self.studies().values() if self.patient(each) == patient)
        return {each.id: each.tags["StudyDescription"] for each in inside}

    def patient(self, study: Resource) -> str:
        """Return the folder of patients that a study is in."""
        return patient_node(study.parent or "", self.patients.plan.key, "", _name(study))

    @contextmanager
    def touching(self) -> Iterator[None]:
        """Note what comes, goes or gets another place in the block."""
        before = self.there() | {one: self.patient(each) for one, each in self.studies().items()}
        yield
        after = self.there() | {one: self.patient(each) for one, each in self.studies().items()}
        changed = {each for each, _ in before.items() ^ after.items()}
        for touched in self.touched:
            touched.update(changed)


def _name(study: Resource) -> str:
    return study.patient["PatientName"].replace("^", " ")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Patient a, in Orthanc and in the catalog."""
    archive = Archive(tmp_path)
    archive.orthanc.store(POOL[0])
    archive.listed(archive.patients)
    yield archive
    archive.store.close()


def until(thread: Paced, true: Callable[[], bool]) -> None:
    """Advance a thread until something is true."""
    while not true():
        assert not thread.done
        thread.advance()


def test_what_was_learned_is_not_dropped_by_a_listing_that_began_before(archive: Archive) -> None:
    """A listing whose answer is older than a patient does not drop that patient for all who come later."""
    archive.orthanc.store(POOL[2])
    logs: list[int] = []
    lists: list[Level] = []
    changes, has_count = archive.orthanc.changes, archive.orthanc.has_count
    archive.orthanc.changes = lambda since, limit=1000: logs.append(since) or changes(since, limit)  # type: ignore[method-assign, func-returns-value]  # notes
    archive.orthanc.has_count = lambda level, count: lists.append(level) or has_count(level, count)  # type: ignore[method-assign, func-returns-value]  # notes
    learning = Paced(archive.catalog.refresh)
    until(learning, lambda: bool(logs))  # it is about to read the log
    answers: list[dict[str, str]] = []
    listing = Paced(lambda: answers.append(archive.listed(archive.patients)))
    until(listing, lambda: bool(lists))
    listing.advance()  # Orthanc has answered, and the answer is under way
    archive.orthanc.store(dicom.instance("p", tags={"Modality": "CT"}))
    learning.finish()
    listing.finish()
    assert {"Doe a", "Doe b"} <= set(answers[0].values())
    archive.catalog.refresh()
    assert sorted(archive.shown().values()) == ["Doe a Study 1", "Doe b Study 1", "Doe p Study 1"]


@pytest.mark.parametrize("level", [Level.PATIENT, Level.STUDY])
def test_what_is_deleted_is_not_listed_by_what_was_fetched_before(archive: Archive, level: Level) -> None:
    """A thread that indexes a resource after its deletion does not make it visible."""
    assert list(archive.listed(archive.patients).values()) == ["Doe a"]
    archive.orthanc.store(POOL[2])
    late = Paced(archive.catalog.refresh)
    until(late, lambda: archive.orthanc.asked > 3)  # it has the answer, and is about to take it over
    gone = archive.orthanc.ids(level)[1]
    archive.orthanc.delete(level, gone)
    answers: list[dict[str, str]] = []
    lists: list[Level] = []
    has_count = archive.orthanc.has_count
    archive.orthanc.has_count = lambda level, count: lists.append(level) or has_count(level, count)  # type: ignore[method-assign, func-returns-value]  # notes
    listing = Paced(lambda: answers.append(archive.listed(archive.patients)))
    until(listing, lambda: bool(lists))
    late.finish()
    listing.finish()
    assert list(answers[0].values()) == ["Doe a"]
    assert list(archive.listed(archive.patients).values()) == ["Doe a"]
    archive.catalog.synchronizer.handle_deletions([gone])
    assert list(archive.shown().values()) == ["Doe a Study 1"]


@pytest.mark.parametrize("moment", range(8))
def test_new_study_does_not_make_up_for_a_deleted_one(archive: Archive, moment: int) -> None:
    """A study that another Orthanc deletes is not listed, where at any moment of the listing another study comes."""
    archive.orthanc.store(POOL[2])
    archive.compare()
    archive.listed(archive.patients)
    archive.orthanc.delete(Level.STUDY, archive.orthanc.ids(Level.STUDY)[0])
    answers: list[dict[str, str]] = []
    listing = Paced(lambda: answers.append(archive.listed(archive.patients)))
    for _ in range(moment):
        listing.advance()
    archive.orthanc.store(POOL[4])
    listing.finish()
    assert set(answers[0].values()) - {"Doe c"} == {"Doe b"}
    assert set(archive.listed(archive.patients).values()) == {"Doe b", "Doe c"}


def test_root_is_listed_without_a_list(archive: Archive) -> None:
    """The root of an unchanged archive is listed without Orthanc's list of all studies."""
    archive.orthanc.store(POOL[2])
    archive.compare()
    archive.listed(archive.patients)
    ids = archive.orthanc.ids
    lists: list[Level] = []
    archive.orthanc.ids = lambda level: lists.append(level) or ids(level)  # type: ignore[method-assign, func-returns-value]  # notes
    assert set(archive.listed(archive.patients).values()) == {"Doe a", "Doe b"}
    assert lists == []


class Races(RuleBasedStateMachine):
    """Several threads list, follow the log and compare, each a question at a time, while the archive changes."""

    def __init__(self) -> None:
        super().__init__()
        self.archive = Archive(Path(tempfile.mkdtemp(prefix="races")))
        self.archive.catalog.synchronizer.building = True  # as Indexer has it, until everything was compared once
        self.threads: list[Paced] = []
        self.events: list[OrthancId] = []

    def teardown(self) -> None:
        """Finish all threads, and compare."""
        self.settle()
        self.archive.store.close()
        shutil.rmtree(self.archive.folder)

    @rule(number=st.integers(0, len(POOL) - 1))
    def arrive(self, number: int) -> None:
        """Store an instance, perhaps one that was deleted before."""
        with self.archive.touching():
            self.archive.orthanc.store(POOL[number])

    @rule(level=st.sampled_from((Level.PATIENT, Level.STUDY)), chance=st.integers(0, 9))
    def delete(self, level: Level, chance: int) -> None:
        """Delete a patient or study; its event comes later."""
        orthanc = self.archive.orthanc
        if ids := orthanc.ids(level):
            before = {each for other in Level for each in orthanc.ids(other)}
            with self.archive.touching():
                orthanc.delete(level, ids[chance % len(ids)])
            self.events += sorted(before - {each for other in Level for each in orthanc.ids(other)})

    @rule(chance=st.integers(0, 9), name=st.sampled_from(("Roe", "Poe")))
    def rename(self, chance: int, name: str) -> None:
        """Change the name of a patient."""
        followed = self.archive.store.log.position.seen  # until then, the log is not read: everything is going to be
        if followed and (ids := self.archive.orthanc.ids(Level.PATIENT)):
            with self.archive.touching():
                self.archive.orthanc.retag(ids[chance % len(ids)], {"PatientName": name})

    @rule(root=st.booleans())
    def list_patients(self, *, root: bool) -> None:
        """List the folder of all patients, or that of one patient."""
        archive, there = self.archive, self.archive.there()
        folder = archive.patients
        if not root and there:
            folder = Folder(folder.plan, 1, min(there))
            there = archive.there(min(there))
        touched = set[str]()
        archive.touched.append(touched)

        def act() -> None:
            listed = archive.listed(folder)
            archive.touched = [each for each in archive.touched if each is not touched]
            assert _without(listed, touched) == _without(there, touched)

        self.threads.append(Paced(act))

    @rule()
    def list_modalities(self) -> None:
        """List the folders of all modalities: resources that stayed all the time are shown."""
        self.threads.append(Paced(lambda: self.archive.listed(self.archive.modalities)))

    @rule()
    def event(self) -> None:
        """Deliver the events of all deletions so far."""
        if events := self.events:
            self.events = []
            self.threads.append(Paced(lambda: self.archive.catalog.synchronizer.handle_deletions(events)))

    @rule()
    def compare(self) -> None:
        """Compare everything."""
        self.threads.append(Paced(self.archive.compare))

    @rule(chance=st.integers(0, 9), steps=st.integers(1, 8))
    def advance(self, chance: int, steps: int) -> None:
        """Run one of the threads for some requests."""
        if self.threads:
            thread = self.threads[chance % len(self.threads)]
            for _ in range(steps):
                thread.advance()
            self.threads = [each for each in self.threads if not each.done]

    @rule()
    def settle(self) -> None:
        """Run all threads to their end and deliver all events: each folder shows exactly what Orthanc has."""
        for thread in self.threads:
            thread.finish()
        self.threads.clear()
        archive = self.archive
        archive.catalog.synchronizer.handle_deletions(self.events)
        self.events.clear()
        archive.catalog.refresh()
        if archive.catalog.needs_comparison:
            archive.compare()
        assert set(archive.shown()) == set(archive.studies())
        assert archive.listed(archive.patients) == archive.there()


def _without(found: dict[str, str], touched: set[str]) -> dict[str, str]:
    return {each: name for each, name in found.items() if each not in touched}


TestRaces = pytest.mark.slow(Races.TestCase)
TestRaces.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
