"""Promise 3: while a resource exists, a path shown for it leads to it or to nothing, and never to another.

And promise 7: what stands in a patient's folder are studies of that name, though several people share a PatientID.
"""

import itertools
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Plan, group_node, patient_node
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.entry import Entry
from davfs.entry import Path as DrivePath
from davfs.errors import Forbidden, NotFound, UnknownResource
from davfs.filesystem.deletions import Deletions
from davfs.filesystem.tree import Tree
from davfs.layout import Layout, load_text
from davfs.orthanc import Level, OrthancId, Resource
from tests.support import dicom
from tests.support.memory_orthanc import MemoryOrthanc

DEEP = """
title = "deep"
[[level]]
patient = "{PatientName}"
[[level]]
study = "{StudyDescription}"
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
FLAT = """
title = "flat"
[[level]]
study = "{PatientName} {StudyDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
GROUPED = """
title = "grouped"
[[level]]
group = "{ModalitiesInStudy}"
[[level]]
group = "{PatientName}"
[[level]]
study = "{StudyDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
NARROW = """
title = "narrow"
[where]
Modality = "CT"
[[level]]
patient = "{PatientName}"
[[level]]
group = "{Modality}"
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
FILES = """
title = "files"
[where]
Modality = "CT"
[[level]]
patient = "{PatientName}"
[[level]]
group = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
SEXES = """
title = "sexes"
[[level]]
group = "{PatientSex}"
[[level]]
patient = "{PatientName}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
LAYOUTS = {"deep": DEEP, "flat": FLAT, "grouped": GROUPED, "narrow": NARROW, "files": FILES, "sexes": SEXES}
MARK = " ~" + dicom.orthanc_id("p1").replace("-", "")[:10]
NAMES = {"p1": ("Doe", "DOE"), "p2": ("doe", "Roe"), "p3": (f"Doe{MARK}", "Doe"), "": ("Roe", f"doe{MARK}")}
"""Of each PatientID, whose the first study is and whose the second: names that differ in case alone, several people
with one ID or none, and one who is called what another would be shown as."""
MODALITIES = {(1, 1): "MR", (1, 2): "CT", (2, 1): "ct"}
POOL = [
    dicom.instance(
        patient,
        study,
        series,
        number,
        tags={
            "PatientName": people[study - 1],
            "PatientSex": "M" if study == 1 else "F",
            "StudyDescription": "Head" if study == 1 else "HEAD",
            "SeriesDescription": "axial",
            "InstanceNumber": 1,
            "Modality": MODALITIES[study, series],
        },
    )
    for patient, people in NAMES.items()
    for study, series, number in ((1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1))
]


class Promise(RuleBasedStateMachine):
    """Instances come and go, people list folders, and every path that they ever saw is followed again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="promise"))
        self.orthanc = MemoryOrthanc()
        self.layouts = [load_text(text, f"{title}.toml") for title, text in LAYOUTS.items()]
        self.late: list[OrthancId] = []
        self.shown: dict[tuple[str, DrivePath], str] = {}
        self.renamed: set[str] = set()
        self.open()

    def open(self) -> None:
        """Open the catalog's file, and a tree for each layout."""
        self.store = Store(self.folder / "catalog.sqlite", Placer(self.layouts))
        self.catalog = Catalog(self.orthanc, self.store, InstanceCache(capacity=6))
        self.catalog.synchronizer.building = True  # as Indexer has it, until everything was compared once
        since, derived_files = datetime(2024, 2, 29, tzinfo=UTC), DerivedFiles(self.orthanc)
        deletions = Deletions(self.orthanc, self.orthanc, lambda act: act())
        self.trees = {
            layout.title: Tree(layout, self.catalog, self.orthanc, deletions, since, derived_files)
            for layout in self.layouts
        }

    def teardown(self) -> None:
        """Follow all paths once more, and remove the file."""
        try:
            self.follow()
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    @rule(number=st.integers(0, len(POOL) - 1))
    def arrive(self, number: int) -> None:
        """Store an instance, perhaps one that was deleted before; of a renamed study, under its first name again."""
        study = dicom.ids(POOL[number]).study
        if study in self.renamed and study not in self.orthanc.ids(Level.STUDY):
            self.renamed.remove(study)
            same = {
                each for one in map(dicom.ids, POOL) if one.study == study for each in (study, one.series, one.instance)
            }
            self.shown = {place: node for place, node in self.shown.items() if node not in same}
        self.orthanc.store(POOL[number])

    @rule(level=st.sampled_from(Level), chance=st.integers(0, 99))
    def delete(self, level: Level, chance: int) -> None:
        """Delete a resource; its event comes later."""
        if ids := sorted(self.orthanc.ids(level)):
            gone = ids[chance % len(ids)]
            self.late += self.orthanc.below(gone)
            self.orthanc.delete(level, gone)

    @rule(
        name=st.sampled_from(sorted({name for people in NAMES.values() for name in people})), chance=st.integers(0, 99)
    )
    def rename(self, name: str, chance: int) -> None:
        """Change the person of a study, and so the paths of its content."""
        followed = self.store.log.position.seen  # until then, the log is not read: everything is going to be
        if followed and (ids := sorted(self.orthanc.ids(Level.STUDY))):
            study = ids[chance % len(ids)]
            self.orthanc.rename(study, {"PatientName": name})
            self.renamed.add(study)
            moved = set(self.orthanc.below(study))
            self.shown = {place: node for place, node in self.shown.items() if node not in moved}

    @rule()
    def event(self) -> None:
        """Deliver the event of the oldest deletion."""
        if self.late:
            self.catalog.synchronizer.handle_deletions([self.late.pop(0)])

    @rule(title=st.sampled_from(sorted(LAYOUTS)), chance=st.lists(st.integers(0, 99), max_size=3))
    def walk(self, title: str, chance: list[int]) -> None:
        """Open folder after folder, and record all that is listed."""
        path: DrivePath = ()
        node = ""
        for number in (*chance, 0):
            entries = self._listed(title, path, node, exact=False)
            folders = [entry for entry in entries if entry.is_folder]
            if not folders:
                return
            path = (*path, folders[number % len(folders)].name)
            node = self.shown[title, path]

    def _listed(self, title: str, path: DrivePath, node: str, *, exact: bool) -> list[Entry]:
        """List a folder; what was deleted may still be in the folder of a group until the event of that comes."""
        try:
            entries = sorted(self.trees[title].list(path), key=lambda entry: entry.name)
        except NotFound:
            assert node not in self._nodes(title)
            return []
        assert len({entry.name.casefold() for entry in entries}) == len(entries)
        found = {(*path, entry.name): self._found(title, (*path, entry.name), entry) for entry in entries}
        wanted = self._nodes(title).get(node, set())
        late = not exact and any(level.resource is None for level in self._layout(title).levels)
        assert wanted <= set(found.values()) if late else sorted(wanted) == sorted(found.values())
        self.shown.update({(title, each): one for each, one in found.items()})
        return entries

    def _layout(self, title: str) -> Layout:
        return next(layout for layout in self.layouts if layout.title == title)

    def _found(self, title: str, path: DrivePath, entry: Entry) -> str:
        return self._node(title, path) if entry.is_folder else entry.resource

    def _node(self, title: str, path: DrivePath) -> str:
        node = self.trees[title]._resolver.find(path)
        assert node, path
        assert node.folder
        return node.folder.id or ""

    def _nodes(self, title: str) -> dict[str, set[str]]:
        """Return what has to be in each folder of a layout, as Orthanc has it now."""
        found: dict[str, set[str]] = {}
        for one in self.orthanc.instances(self.orthanc.ids(Level.INSTANCE)):
            (series,) = self.orthanc.resources([one.series])
            (study,) = self.orthanc.resources([series.parent] if series.parent else [])
            beside = self.orthanc.resources(self.orthanc.children(Level.STUDY, study.id))
            modalities = {each.tags["Modality"] for each in beside}
            for way in _ways(Plan.of(self._layout(title)), study, series, modalities):
                for folder, node in itertools.pairwise(("", *way, one.id)):
                    found.setdefault(folder, set()).add(node)
        return found

    @rule(chance=st.integers(0, 99))
    def delete_shown(self, chance: int) -> None:
        """Delete by path: the resource that the path was shown for is gone, or nothing is."""
        if not self.shown:
            return
        title, path = sorted(self.shown)[chance % len(self.shown)]
        wanted = self.shown[title, path]
        existed, studies = self._exists(title, wanted), self._studies_of(title, wanted)
        try:
            gone = self.trees[title].delete(path)
        except NotFound:
            return
        except Forbidden:
            gone = wanted if "-" not in wanted else ""  # groups alone are not deleted
        if existed and not gone:  # a folder that went with its content, whose resource came back under another spelling
            assert self._leads_to(title, path) is None
        elif existed:
            assert sorted(gone.split(",")) == (studies if "/" in wanted else [wanted])

    def _studies_of(self, title: str, node: str) -> list[str]:
        """Return the studies that are in a patient's folder."""
        found, folders = set[str](), [node]
        nodes = self._nodes(title)
        while folders:
            below = nodes.get(folders.pop(), set())
            folders += below
            for instance in self.orthanc.instances([OrthancId(one) for one in below]):
                (series,) = self.orthanc.resources([instance.series])
                found.add(series.parent or "")
        return sorted(found)

    @rule()
    def refresh(self) -> None:
        """Follow the log, as the indexer does."""
        self.catalog.refresh()

    @rule()
    def reconcile(self) -> None:
        """Compare everything, as the indexer does; then everything shown is what Orthanc has."""
        self.catalog.reconciler.reconcile(lambda _done, _total: None)
        self.catalog.synchronizer.building = False
        for title in LAYOUTS:
            folders: list[tuple[DrivePath, str]] = [((), "")]
            for path, node in folders:
                entries = self._listed(title, path, node, exact=True)
                folders += [((*path, e.name), self.shown[title, (*path, e.name)]) for e in entries if e.is_folder]

    @rule()
    def restart(self) -> None:
        """Restart Orthanc: pending events are never delivered."""
        self.store.close()
        self.late.clear()
        self.open()

    @rule()
    def follow(self) -> None:
        """Follow every path that was ever shown for a resource that exists."""
        for (title, path), wanted in self.shown.items():
            if self._exists(title, wanted):
                assert self._leads_to(title, path) in {wanted, None}

    def _exists(self, title: str, resource: str) -> bool:
        if "-" not in resource or "/" in resource:  # a group or a patient, who may have the name of one who is gone
            return resource in self._nodes(title)
        return any(self.orthanc.exists(level, OrthancId(resource)) for level in Level)

    def _leads_to(self, title: str, path: DrivePath) -> str | None:
        tree = self.trees[title]
        try:
            entry = tree.stat(path)
            if not entry.is_folder:
                with tree.read(path) as content:
                    assert content.entry.resource == entry.resource
        except NotFound:
            return None
        except UnknownResource as error:
            raise AssertionError("an error of Orthanc came through") from error
        return self._found(title, path, entry)


def _ways(plan: Plan, study: Resource, series: Resource, modalities: set[str]) -> list[tuple[str, ...]]:
    """Return the folders above an instance, from the top down, once for each way that leads to it."""
    name, owner = study.patient["PatientName"], study.parent or ""
    patient = patient_node(owner, plan.key, "", name)
    title, has_ct = plan.layout.title, bool({"CT", "ct"} & modalities)
    if title == "grouped":
        tops = [group_node("", 0, modality) for modality in modalities]
        return [(top, group_node(top, 1, name), study.id) for top in tops]
    sex = group_node("", 0, study.patient["PatientSex"])
    ways: dict[str, list[tuple[str, ...]]] = {
        "deep": [(patient, study.id, series.id)],
        "flat": [(study.id,)],
        "sexes": [(sex, patient_node(owner, plan.key, sex, name))],
        "files": [(patient, group_node(patient, 1, "axial"))] if has_ct else [],
        "narrow": [(patient, group_node(patient, 1, series.tags["Modality"]), series.id)] if has_ct else [],
    }
    return ways[title]


def test_spelling_that_went_with_its_content() -> None:
    """A patient whose only study was deleted comes back in another spelling, before the empty folder is deleted."""
    promise = Promise()
    promise.arrive(number=3)
    promise.reconcile()
    promise.delete_shown(chance=1)
    promise.arrive(number=0)
    promise.delete_shown(chance=0)
    promise.teardown()


TestPromise = pytest.mark.slow(Promise.TestCase)
TestPromise.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
