"""A path that was listed for a file or folder leads to it or to nothing, never to another one, extra files included.

Names clash as badly as they can: series, groups and images are called as the extra files beside them, in other case,
in another normal form, and with the very digits that an extra file would carry.
"""

import hashlib
import itertools
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from davfs import names
from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.entry import DICOM, Entry
from davfs.entry import Path as DrivePath
from davfs.errors import NotFound
from davfs.filesystem.deletions import Deletions
from davfs.filesystem.tree import Tree
from davfs.layout import HashKey, load_text
from davfs.orthanc import Level
from tests.support import dicom, documents
from tests.support.memory_orthanc import MemoryOrthanc
from tests.support.searching import SINCE

OF_A_STUDY = 'files = ["café.json", "study.zip", "preview.png", "report.pdf"]'
DEEP = f"""
title = "deep"
[[level]]
patient = "{{PatientName}}"
files = ["study 1.zip", "café.json"]
[[level]]
study = "{{StudyDescription}}"
{OF_A_STUDY}
[[level]]
series = "{{SeriesDescription}}"
files = ["{{SeriesDescription}}.json", "1.zip", "preview.png"]
[[level]]
instance = "{{InstanceNumber}}.png"
"""
FLAT = f"""
title = "flat"
[[level]]
study = "{{PatientName}}"
{OF_A_STUDY}
[[level]]
instance = "{{SeriesDescription}}"
"""
GROUPED = f"""
title = "grouped"
[[level]]
study = "{{PatientName}}"
{OF_A_STUDY}
[[level]]
group = "{{SeriesDescription}}"
[[level]]
series = "{{Modality}}"
files = ["series.zip", "{{Modality}}.zip"]
"""
FILES_OF_PATIENTS = """
title = "patients"
[[level]]
patient = "{PatientSex}"
files = ["1.dcm.json", "1.zip"]
[[level]]
instance = "{InstanceNumber}.zip"
"""
ANONYMISED = """
title = "anonymised"
anonymised = true
retain = ["modified dates"]
[[level]]
study = "{StudyDate}"
files = ["{StudyDate}.zip", "1.zip"]
[[level]]
instance = "{InstanceNumber}.zip"
"""
LAYOUTS = (DEEP, FLAT, GROUPED, FILES_OF_PATIENTS, ANONYMISED)
KEY = HashKey(b"a key that only this test has")


def digits(index: int, content: str) -> str:
    """Return the digits that an extra file of the first study would carry."""
    study = dicom.orthanc_id("p1", dicom.uid("p1", 1))
    return hashlib.sha1(f"{study}/{index}/{content}".encode(), usedforsecurity=False).hexdigest()[:10]


DESCRIPTIONS = (
    unicodedata.normalize("NFD", "café.json"),
    "CAFÉ.JSON",
    "Study.zip",
    "preview.png",
    "Report.pdf",
    f"café.json ~{digits(0, 'json')}",
    f"café ~{digits(0, 'json')}.json",
    f"preview ~{digits(2, 'png')}.PNG",
)
STUDY = dicom.orthanc_id("p1", dicom.uid("p1", 1))


def _pool() -> Iterator[bytes]:
    for index, description in enumerate(DESCRIPTIONS):
        for number in (1, 2):
            tags = {"SeriesDescription": description, "PatientName": "Doe", "Modality": "SERIES"}
            pixels = dicom.ROW if index % 3 == number else 0
            yield dicom.instance("p1", 1, index, number, tags=tags, pixels=pixels)
    about = {"SeriesDescription": "report.PDF", "PatientName": "Doe"}
    yield documents.encapsulated(b"%PDF-1.4\n%%EOF\n", tags=about)
    about = {"PatientName": "doe", "SeriesDescription": "preview.png", "StudyDescription": "study 1.zip"}
    yield dicom.instance("p2", 1, 1, 1, tags=about)
    yield dicom.instance("p1", 2, 1, 1, tags={"PatientName": "Doe", "StudyDescription": "STUDY 1.zip"})
    about = {"PatientName": "Doe", "StudyDescription": "café.json", "SeriesDescription": "1.zip"}
    yield dicom.instance("p1", 3, 1, 1, tags=about, pixels=dicom.ROW)


POOL = list(_pool())


@dataclass(frozen=True, slots=True)
class Thing:
    """What a path leads to: a resource, a group by its place, or a file of a kind in the folder of a resource."""

    of: str
    kind: str


class Drive:
    """The layouts over an archive, with a catalog of their own.

    Args:
        orthanc: The archive.
        folder: Where the catalog's file is.
    """

    def __init__(self, orthanc: MemoryOrthanc, folder: Path) -> None:
        layouts = [load_text(text, "test.toml", key=KEY) for text in LAYOUTS]
        self.orthanc = orthanc
        self.store = Store(folder / "catalog.sqlite", Placer(layouts))
        self.catalog = Catalog(orthanc, self.store, InstanceCache(capacity=8))
        self.derived_files = DerivedFiles(orthanc)
        deletions = Deletions(orthanc, orthanc, lambda act: act())
        self.trees = {
            layout.title: Tree(layout, self.catalog, orthanc, deletions, SINCE, self.derived_files)
            for layout in layouts
        }

    def listed(self, title: str, path: DrivePath) -> Mapping[str, tuple[Thing, Entry]]:
        """List a folder, and hold each entry against what its path leads to."""
        entries = list(self.trees[title].list(path))
        assert len({names.folded(entry.name) for entry in entries}) == len(entries)
        return {entry.name: (self.thing(title, path, entry), entry) for entry in entries}

    def thing(self, title: str, path: DrivePath, entry: Entry) -> Thing:
        """Return what an entry in a folder stands for."""
        if not entry.is_folder:
            return Thing(entry.resource, self._kind(entry))
        if entry.resource:
            return Thing(entry.resource, "folder")
        node = self.trees[title]._resolver.find((*path, entry.name))
        assert node
        assert node.folder
        return Thing(node.folder.id or "", "folder")

    def _kind(self, entry: Entry) -> str:
        # Two files of one kind are told apart by what their names begin with.
        return entry.media_type if entry.media_type == DICOM else entry.media_type + entry.name[:6]

    def at(self, title: str, path: DrivePath) -> Thing | None:
        """Return what a path leads to, after a look at its bytes."""
        tree = self.trees[title]
        try:
            entry = tree.stat(path)
        except NotFound:
            return None
        if not entry.is_folder:
            with tree.read(path) as content:
                assert content.entry.resource == entry.resource
                assert content.entry.etag == entry.etag
                assert content.entry.size == entry.size == sum(map(len, content.buffers()))
        return self.thing(title, path[:-1], entry)

    def all(self) -> Mapping[tuple[str, DrivePath], tuple[Thing, int, str]]:
        """Return all that is shown, by layout and path."""
        found = {}
        for title in self.trees:
            folders: list[DrivePath] = [()]
            for path in folders:
                for name, (thing, entry) in self.listed(title, path).items():
                    found[title, (*path, name)] = thing, entry.size, entry.etag
                    if entry.is_folder:
                        folders.append((*path, name))
        return found

    def close(self) -> None:
        """Close the catalog."""
        self.derived_files.close()
        self.store.close()


class Promise(RuleBasedStateMachine):
    """Instances are added and deleted, and every path that was ever listed is resolved again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="promise"))
        self.orthanc = MemoryOrthanc()
        self.numbers = itertools.count()
        self.shown: dict[tuple[str, DrivePath], Thing] = {}
        self.drive = self.another()

    def another(self) -> Drive:
        """Return a drive with an empty catalog."""
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        return Drive(self.orthanc, folder)

    def teardown(self) -> None:
        """Follow all paths once more, and remove the files."""
        try:
            self.follow()
        finally:
            self.drive.close()
            shutil.rmtree(self.folder)

    @rule(number=st.integers(0, len(POOL) - 1))
    def arrive(self, number: int) -> None:
        """Store an instance."""
        self.orthanc.store(POOL[number])

    @rule(numbers=st.sets(st.integers(0, len(POOL) - 1), max_size=5))
    def delete(self, numbers: set[int]) -> None:
        """Delete instances in Orthanc; the event comes later."""
        for number in numbers:
            gone = dicom.ids(POOL[number]).instance
            if gone in self.orthanc.files:
                self.orthanc.delete(Level.INSTANCE, gone)  # type: ignore[arg-type]  # it is one
                self.drive.catalog.synchronizer.handle_deletions([gone])  # type: ignore[list-item]  # as above

    @rule(title=st.sampled_from(["deep", "flat", "grouped", "patients", "anonymised"]), chance=st.integers(0, 99))
    def look(self, title: str, chance: int) -> None:
        """Open folder after folder: each entry is the resource that its path leads to."""
        path: DrivePath = ()
        while True:
            try:
                found = self.drive.listed(title, path)
            except NotFound:
                return
            for name, (thing, entry) in found.items():
                assert self.drive.at(title, (*path, name)) == thing
                assert entry.is_folder or self.drive.trees[title].stat((*path, name)).size == entry.size
                self.shown[title, (*path, name)] = thing
            folders = sorted(name for name, (_, entry) in found.items() if entry.is_folder)
            if not folders:
                return
            path = (*path, folders[chance % len(folders)])

    @precondition(lambda self: self.orthanc.files)
    @rule()
    def compare(self) -> None:
        """Compare the drive with that of a new process, which knows only the resources that exist now."""
        fresh = self.another()
        try:
            fresh.catalog.reconciler.reconcile(lambda _done, _total: None)
            assert fresh.all() == self.drive.all()
        finally:
            fresh.close()

    @rule()
    def follow(self) -> None:
        """Follow every path that was ever listed: it leads to the resource that it was listed for, or to nothing."""
        there = {(title, thing) for (title, _), (thing, _, _) in self.drive.all().items()}
        for (title, path), wanted in self.shown.items():
            for form in (path, tuple(unicodedata.normalize("NFD", segment) for segment in path)):
                found = self.drive.at(title, form)
                if (title, wanted) in there:
                    assert found in {wanted, None}, (title, path)

    @rule()
    def restart(self) -> None:
        """Start the drive again with an empty catalog."""
        self.drive.close()
        self.drive = self.another()


TestPromiseOfFiles = pytest.mark.slow(Promise.TestCase)
TestPromiseOfFiles.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
