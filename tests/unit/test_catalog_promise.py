"""Promise 3: while a resource exists, a path shown for it leads to it or to nothing, and never to another."""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import LayoutPlacer
from davfs.catalog.store import Store
from davfs.entry import Path as DrivePath
from davfs.errors import NotFound, UnknownResource
from davfs.filesystem.tree import Tree
from davfs.layout import load_text
from davfs.orthanc import Level, OrthancId
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
MARK = " ~" + dicom.orthanc_id("p1").replace("-", "")[:10]
NAMES = {"p1": "Doe", "p2": "doe", "p3": f"Doe{MARK}", "p4": "Roe"}
"""Two that differ in case alone, and one who is called what the first would be shown as."""
POOL = [
    dicom.instance(
        patient,
        study,
        series,
        number,
        tags={
            "PatientName": name,
            "StudyDescription": "Head" if study == 1 else "HEAD",
            "SeriesDescription": "axial",
            "InstanceNumber": 1,
        },
    )
    for patient, name in NAMES.items()
    for study, series, number in ((1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1))
]


class Promise(RuleBasedStateMachine):
    """Instances come and go, people list folders, and every path that they ever saw is followed again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="promise"))
        self.orthanc = MemoryOrthanc()
        self.layouts = [load_text(DEEP, "deep.toml"), load_text(FLAT, "flat.toml")]
        self.late: list[OrthancId] = []
        self.shown: dict[tuple[str, DrivePath], OrthancId] = {}
        self.open()

    def open(self) -> None:
        """Open the catalog's file, and a tree for each layout."""
        self.store = Store(self.folder / "catalog.sqlite", LayoutPlacer(self.layouts))
        self.catalog = Catalog(self.orthanc, self.store, InstanceCache(capacity=6))
        self.catalog.building = True  # as Upkeep has it, until everything was compared once
        since = datetime(2024, 2, 29, tzinfo=UTC)
        self.trees = {
            layout.title: Tree(layout, self.catalog, self.orthanc, lambda act: act(), since) for layout in self.layouts
        }

    def teardown(self) -> None:
        """Follow all paths once more, and remove the file."""
        self.follow()
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(content=st.sampled_from(POOL))
    def arrive(self, content: bytes) -> None:
        """An instance is stored, perhaps one that was deleted before."""
        self.orthanc.store(content)

    @rule(level=st.sampled_from(Level), chance=st.integers(0, 99))
    def delete(self, level: Level, chance: int) -> None:
        """Something is deleted; the event of that comes later."""
        if ids := sorted(self.orthanc.ids(level)):
            gone = ids[chance % len(ids)]
            self.orthanc.delete(level, gone)
            self.late.append(gone)

    @rule()
    def event(self) -> None:
        """The event of the oldest deletion comes."""
        if self.late:
            self.catalog.deleted([self.late.pop(0)])

    @rule(title=st.sampled_from(["deep", "flat"]), chance=st.lists(st.integers(0, 99), max_size=3))
    def walk(self, title: str, chance: list[int]) -> None:
        """Somebody opens folder after folder, and sees all that is in each."""
        path: DrivePath = ()
        for number in (*chance, 0):
            entries = sorted(self.trees[title].list(path), key=lambda entry: entry.name)
            assert len({entry.name.casefold() for entry in entries}) == len(entries)
            assert sorted(entry.resource for entry in entries) == sorted(self._inside(title, path))
            self.shown.update({(title, (*path, entry.name)): OrthancId(entry.resource) for entry in entries})
            folders = [entry for entry in entries if entry.is_folder]
            if not folders:
                return
            path = (*path, folders[number % len(folders)].name)

    def _inside(self, title: str, path: DrivePath) -> list[OrthancId]:
        """Return Orthanc's ids of all that has to be in a folder that was just shown."""
        if not path:
            return self.orthanc.ids(Level.PATIENT if title == "deep" else Level.STUDY)
        resource = self.shown[title, path]
        level = next(level for level in Level if self.orthanc.exists(level, resource))
        inside = self.orthanc.children(level, resource)
        if title == "deep":
            return inside
        return [each for series in inside for each in self.orthanc.children(Level.SERIES, series)]

    @rule(chance=st.integers(0, 99))
    def delete_shown(self, chance: int) -> None:
        """Somebody deletes by path: gone is what the path was shown for, or nothing."""
        if not self.shown:
            return
        title, path = sorted(self.shown)[chance % len(self.shown)]
        wanted = self.shown[title, path]
        existed = any(self.orthanc.exists(level, wanted) for level in Level)
        try:
            gone = self.trees[title].delete(path)
        except NotFound:
            return
        if existed:
            assert gone == wanted

    @rule()
    def refresh(self) -> None:
        """The upkeep follows the log."""
        self.catalog.refresh()

    @rule()
    def reconcile(self) -> None:
        """The upkeep compares everything."""
        self.catalog.reconcile(lambda _done, _total: None)
        self.catalog.building = False

    @rule()
    def restart(self) -> None:
        """Orthanc is restarted: events that did not come yet never will."""
        self.store.close()
        self.late.clear()
        self.open()

    @rule()
    def follow(self) -> None:
        """Follow every path that was ever shown for a resource that exists."""
        for (title, path), wanted in self.shown.items():
            if any(self.orthanc.exists(level, wanted) for level in Level):
                assert self._leads_to(self.trees[title], path) in {wanted, None}

    def _leads_to(self, tree: Tree, path: DrivePath) -> str | None:
        try:
            entry = tree.stat(path)
            if not entry.is_folder:
                with tree.read(path) as content:
                    assert content.entry.resource == entry.resource
        except NotFound:
            return None
        except UnknownResource as error:
            raise AssertionError("an error of Orthanc came through") from error
        return entry.resource


TestPromise = Promise.TestCase
TestPromise.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
