"""Measure what the trash costs in a simulated archive: reading all marks, and listing while much is in the trash."""

import time
from datetime import UTC, datetime
from pathlib import Path

from bench.simulated import SimulatedArchive
from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.store import Store
from davfs.catalog.synchronizer import IndexCallbacks
from davfs.derived.files import DerivedFiles
from davfs.filesystem.tree import Tree
from davfs.layout import Layout
from davfs.orthanc import Level, OrthancId
from davfs.trash.hidden import VisibleOrthanc
from davfs.trash.known_marks import KnownMarks
from davfs.trash.mark import Deletion, EntryId, StudyMark
from davfs.trash.marks import DEFAULT_NUMBER, OrthancMarks

_TRASHED = 1000
"""Studies in the trash."""
_NOW = datetime(2024, 12, 31, tzinfo=UTC)


def measure_trash(file: Path, archive: SimulatedArchive, layouts: list[Layout]) -> dict[str, float]:
    """Build an index of an archive of which much is in the trash, and list it.

    Args:
        file: Where the index is to be.
        archive: The archive; the first studies go into the trash.
        layouts: The layouts, by-patient first.
    """
    trashed = archive.id_page(Level.STUDY, 0, _TRASHED + 1)
    for study in trashed[:-1]:
        _trash(archive, study)
    store = Store(file, Placer(layouts))
    known = KnownMarks(archive, store.marks, DEFAULT_NUMBER)
    marks = OrthancMarks(archive, known.all, lambda study: known.read([study]))
    visible = VisibleOrthanc(archive, known, marks)
    catalog = Catalog(visible, store, InstanceCache(), IndexCallbacks(revealed=visible.revealed))
    catalog.synchronizer.building = True
    tree = Tree(layouts[0], catalog, visible, None, _NOW, DerivedFiles(visible))
    try:
        found = {"marks_seconds": _read_all(known, archive)}
        catalog.reconciler.reconcile(lambda _done, _total: None)
        catalog.synchronizer.building = False
        tree.list(())
        found["trashed_root_ms"] = _milliseconds(tree)
        _trash(archive, trashed[-1])
        found["trashed_more_ms"] = _milliseconds(tree)
        assert not catalog.exists(Level.STUDY, trashed[-1])
    finally:
        store.close()
    for study in trashed:
        OrthancMarks(archive).change(study, lambda _mark: StudyMark())
    return found


def _trash(archive: SimulatedArchive, study: OrthancId) -> None:
    taken = {one.resource.id: frozenset(one.children) for one in archive.series_of([study])}
    deletion = Deletion(EntryId(study), _NOW, "", "", "", "", "", (), taken)
    OrthancMarks(archive).change(study, lambda mark: StudyMark((*mark.deletions, deletion)))


def _read_all(known: KnownMarks, archive: SimulatedArchive) -> float:
    """Return the CPU seconds in which the marks of all studies are read, without those of the simulation."""
    studies = archive.ids(Level.STUDY)
    began = time.process_time() - archive.seconds
    for start in range(0, len(studies), 500):
        known.of(studies[start : start + 500])
    return time.process_time() - archive.seconds - began


def _milliseconds(tree: Tree) -> float:
    began = time.perf_counter()
    tree.list(())
    return (time.perf_counter() - began) * 1000
