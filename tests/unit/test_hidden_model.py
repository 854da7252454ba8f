"""Tests of what layouts show while images go into the trash and come back: as if these images had been deleted.

The marks are written as another drive writes them: this one learns of them from Orthanc's log alone.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.store import Store
from davfs.catalog.synchronizer import IndexCallbacks
from davfs.derived.files import DerivedFiles
from davfs.errors import NotFound
from davfs.filesystem.tree import Tree
from davfs.layout import load_text
from davfs.orthanc import Instance, Level, OrthancId
from davfs.trash.hidden import VisibleOrthanc
from davfs.trash.known_marks import KnownMarks
from davfs.trash.mark import EntryId
from davfs.trash.marks import DEFAULT_NUMBER, OrthancMarks
from tests.support import dicom, layouts
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.trashing import restore, trash, without

BY_PATIENT = f"""
title = "patients"
[[level]]
patient = "{{PatientName}}"
[[level]]
study = "{{StudyDescription}}"
{layouts.FILES}
"""
BY_STUDY = f"""
title = "studies"
[[level]]
study = "{{PatientName}} {{StudyDescription}}"
{layouts.FILES}
"""
TEXTS = [BY_PATIENT, layouts.BY_DATE.replace("all", "dates"), layouts.BY_MODALITY.replace("all", "kinds"), BY_STUDY]
PLACES = [
    (patient, study, series, number) for patient in "ab" for study in (1, 2) for series in (1, 2) for number in (1, 2)
]
EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "15"))
"""Histories of 20 steps; 200 take some minutes."""
LOADED = [load_text(text, "test.toml") for text in TEXTS]


@cache
def image(patient: str, study: int, series: int, number: int) -> bytes:
    """Return an image; the two series of a study have different modalities."""
    tags = {"StudyDate": f"20{20 + study}0101", "Modality": ("CT", "MR")[series - 1]}
    return dicom.instance(patient, study, series, number, tags=tags)


IDS = [identify(image(*place)) for place in PLACES]
CONTENTS = dict(zip(IDS, (image(*place) for place in PLACES), strict=True))


@dataclass
class Drive:
    """A drive over an archive: its index is in a file, and the rest is in memory."""

    orthanc: Any
    file: Path
    hides: bool = True
    trees: list[Tree] = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.file, Placer(LOADED))
        visible, revealed = self.orthanc, IndexCallbacks().revealed
        if self.hides:
            known = KnownMarks(self.orthanc, self.store.marks, DEFAULT_NUMBER)
            marks = OrthancMarks(self.orthanc, known.all, lambda study: known.read([study]))
            visible = VisibleOrthanc(self.orthanc, known, marks)
            revealed = visible.revealed
        callbacks = IndexCallbacks(revealed=revealed, existing=self.orthanc.existing)
        self.catalog = Catalog(visible, self.store, InstanceCache(), callbacks)
        self.catalog.synchronizer.building = True
        since, derived = datetime(2024, 1, 1, tzinfo=UTC), DerivedFiles(visible)
        self.trees = [Tree(each, self.catalog, visible, None, since, derived) for each in LOADED]

    def index(self) -> None:
        """Do what the background thread does: the first index, or a comparison of everything."""
        self.catalog.reconciler.reconcile(lambda _done, _total: None)
        self.catalog.synchronizer.building = False

    def compare_counts(self) -> None:
        """Do what the background thread does every few seconds."""
        self.catalog.refresh()
        if self.catalog.reconciler.counts_differ():
            self.index()

    def reread(self) -> None:
        """Re-read everything once, as the background thread does."""
        while not self.catalog.reconciler.reread_part():
            pass

    def shown(self) -> list[dict[tuple[str, ...], str]]:
        """Return all paths of all layouts, with the ids of what they lead to."""
        return [walk(tree) for tree in self.trees]


def walk(tree: Tree, *path: str) -> dict[tuple[str, ...], str]:
    """Return all paths below a folder, each with the id of its resource."""
    found = {}
    for entry in tree.list(path):
        found[*path, entry.name] = entry.resource
        found |= walk(tree, *path, entry.name) if entry.is_folder else {}
    return found


@cache
def layouts_of(images: tuple[OrthancId, ...]) -> list[dict[tuple[str, ...], str]]:
    """Return what the layouts of an archive show that has these images alone."""
    archive = MemoryOrthanc()
    for one in images:
        archive.store(CONTENTS[one])
    with tempfile.TemporaryDirectory() as folder:
        drive = Drive(archive, Path(folder) / "index.sqlite", hides=False)
        drive.index()
        found = drive.shown()
        drive.store.close()
    return found


class HiddenMachine(RuleBasedStateMachine):
    """An archive of 16 images at most, whose parts are deleted, trashed, restored and sent again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.orthanc = MemoryOrthanc()
        self.hidden: set[OrthancId] = set()
        self.entries = dict[EntryId, set[OrthancId]]()
        self.backup: Any = None
        self.drive = Drive(self.orthanc, self.folder / "index.sqlite")

    @initialize(finds_metadata=st.booleans())
    def start(self, *, finds_metadata: bool) -> None:
        """Orthanc is an old one, or a new one that finds studies by their marks."""
        self.orthanc.finds_metadata = finds_metadata
        self.drive.index()

    def teardown(self) -> None:
        """Delete the index."""
        self.drive.store.close()
        shutil.rmtree(self.folder)

    @rule(one=st.sampled_from(IDS))
    def arrive(self, one: OrthancId) -> None:
        """An image arrives; one in the trash that Orthanc still has stays there."""
        if one not in self.orthanc.files:
            self._out([one])
        self.orthanc.store(CONTENTS[one])

    @rule(level=st.sampled_from(list(Level)), one=st.sampled_from(IDS))
    def put_into_trash(self, level: Level, one: OrthancId) -> None:
        """What is visible of a patient, study, series or instance goes into the trash."""
        taken = self._below(level, one) - self.hidden
        if taken:
            self.entries[trash(self.orthanc, taken, seq=self.orthanc.last_change())] = set(taken)
            self.hidden |= taken

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), whole=st.booleans())
    def restore(self, data: st.DataObject, *, whole: bool) -> None:
        """An entry of the trash comes back, or a part of it."""
        entry = data.draw(st.sampled_from(sorted(self.entries)))
        some = self.entries[entry] if whole else {data.draw(st.sampled_from(sorted(self.entries[entry])))}

        for study in self.orthanc.ids(Level.STUDY):
            OrthancMarks(self.orthanc).change(study, lambda mark: without(entry, mark, some))
        self._out(set(some))

    @rule(level=st.sampled_from(list(Level)), one=st.sampled_from(IDS), told=st.booleans())
    def delete(self, level: Level, one: OrthancId, *, told: bool) -> None:
        """Another program deletes something for good; events tell of it, or the background thread notices."""
        below = self._below(level, one)
        if not below:
            return
        gone = [] if not told else [each for target in below for each in self._above(target)]
        for each in below:
            self.orthanc.delete(Level.INSTANCE, each)
        marked = self._marked_studies()
        self._out(set(below) - {each for each in below if self._study(each) in marked})
        if told:
            self.drive.catalog.synchronizer.handle_deletions(gone)
        else:
            self.drive.compare_counts()

    @rule(lost=st.booleans())
    def restart(self, *, lost: bool) -> None:
        """The drive stops and starts again, perhaps without its index; it lists before it has compared anything."""
        self.drive.store.close()
        if lost:
            for file in self.folder.iterdir():
                file.unlink()
        self.drive = Drive(self.orthanc, self.folder / "index.sqlite")

    @rule()
    def compare(self) -> None:
        """The background thread compares everything."""
        self.drive.index()

    @rule()
    def reread(self) -> None:
        """The background thread re-reads everything."""
        self.drive.reread()

    @rule()
    def empty_log(self) -> None:
        """An administrator empties the log of changes, after it was read."""
        self.drive.catalog.refresh()
        self.orthanc.empty_log()

    @rule()
    def back_up(self) -> None:
        """The database is backed up."""
        self.backup = self.orthanc.backup(), set(self.hidden), {e: set(some) for e, some in self.entries.items()}

    @precondition(lambda self: self.backup)
    @rule()
    def go_back(self) -> None:
        """The database is restored from the backup."""
        before, hidden, entries = self.backup
        self.orthanc.restore(before)
        self.hidden, self.entries = set(hidden), {entry: set(some) for entry, some in entries.items()}
        self.drive.index()

    @invariant()
    def shows_what_is_visible(self) -> None:
        """All layouts are those of an archive that has the visible images alone."""
        assert self.drive.shown() == self._oracle()

    def _oracle(self) -> list[dict[tuple[str, ...], str]]:
        return layouts_of(tuple(one for one in self.orthanc.files if one not in self.hidden))

    def _below(self, level: Level, one: OrthancId) -> set[OrthancId]:
        """Return the stored images that share a resource of a level with an image."""
        depth = list(Level).index(level) + 1
        place = dict(zip(IDS, PLACES, strict=True))[one][:depth]
        return {
            each for each, at in zip(IDS, PLACES, strict=True) if at[:depth] == place and each in self.orthanc.files
        }

    def _out(self, some: Any) -> None:
        """Take images out of the model of the trash."""
        self.hidden -= set(some)
        self.entries = {entry: left for entry, taken in self.entries.items() if (left := taken - set(some))}

    def _above(self, one: OrthancId) -> list[OrthancId]:
        ids = dicom.ids(CONTENTS[one])
        return [OrthancId(each) for each in (ids.patient, ids.study, ids.series, ids.instance)]

    def _study(self, one: OrthancId) -> OrthancId:
        return self._above(one)[1]

    def _marked_studies(self) -> set[OrthancId]:
        return {study for study in self.orthanc.ids(Level.STUDY) if OrthancMarks(self.orthanc).read(study)}


HiddenMachine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=20, deadline=None)
TestHidden = HiddenMachine.TestCase


def test_nothing_shows_before_the_marks_are_read(tmp_path: Path) -> None:
    """The first listing of a drive without an index does not show what other drives have put into the trash."""
    orthanc = MemoryOrthanc()
    for content in CONTENTS.values():
        orthanc.store(content)
    trash(orthanc, IDS[:8])
    drive = Drive(orthanc, tmp_path / "index.sqlite")
    before = drive.shown()
    assert not {each for tree in before for each in tree.values()} & set(IDS[:8])
    drive.index()
    assert [len(tree) for tree in drive.shown()] == [len(tree) for tree in before]
    try:
        drive.trees[0].stat(("Doe a",))
    except NotFound:
        pass
    else:
        raise AssertionError("the patient is in the trash")
    drive.store.close()


class CountingOrthanc(MemoryOrthanc):
    """Counts the instances that it describes."""

    described = 0

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """See `Orthanc`."""
        self.described += len(ids)
        return super().instances(ids)


def test_images_are_not_fetched_again(tmp_path: Path) -> None:
    """When one image of a series goes into the trash, the others are not asked for again: ``rm -r`` deletes each."""
    orthanc = CountingOrthanc()
    first, *_ = [orthanc.store(image("a", 1, 1, number)).id for number in range(1, 100)]
    drive = Drive(orthanc, tmp_path / "index.sqlite")
    drive.index()
    drive.catalog.refresh()
    before = drive.shown()
    entry, orthanc.described = trash(orthanc, [first]), 0
    drive.catalog.refresh()
    assert not any(first in tree.values() for tree in drive.shown())
    restore(orthanc, entry)
    drive.catalog.refresh()
    assert drive.shown() == before
    assert orthanc.described < 10
    drive.store.close()


def test_backup_without_the_last_deletion(tmp_path: Path) -> None:
    """A study whose mark alone is lost when a backup is restored is shown again."""
    archive = MemoryOrthanc()
    archive.store(CONTENTS[IDS[0]])
    drive = Drive(archive, tmp_path / "index.sqlite")
    drive.index()
    before, shown = archive.backup(), drive.shown()
    trash(archive, IDS[:1], seq=archive.last_change())
    assert drive.shown() != shown
    archive.restore(before)
    drive.catalog.refresh()
    drive.index()
    assert drive.shown() == shown
    drive.store.close()
