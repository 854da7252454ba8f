"""Measure the local index at the size of a hospital, over a simulated archive (see README.md)."""

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from bench.connection import WrongAnswer
from bench.figures import MET, Goal
from bench.memory import Memory
from bench.replacing import measure_replacing
from bench.results import Part
from bench.simulated import STUDIES_EACH, SimulatedArchive, patient_tags
from bench.trash import measure_trash
from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.query import parse_query, searchable_keywords
from davfs.catalog.search import StudySearch, scope_of
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.filesystem.tree import Tree
from davfs.layout import Layout, load_layout
from davfs.layout.tags import NO_EXTRA_TAGS
from davfs.orthanc import Level, OrthancId

_LAYOUTS = ("by-patient", "by-study", "by-date", "by-modality", "by-referring-physician", "recent")
"""The layouts that are placed; a search shows studies as ``by-study`` does."""
_ROOT = Path(__file__).resolve().parent.parent
_FOLDER, _BUILD = _ROOT / "layouts", _ROOT / "build"
_TODAY, _SINCE = date(2025, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)

_PAUSE = 0.2
"""Seconds between two changes that are written during the first index."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that is measured.

    Attributes:
        title: What it is, with its unit.
        goal: What it has to be in the largest archive; None for no goal.
        more: Whether more is better.
    """

    title: str
    goal: float | None = None
    more: bool = False


_QUANTITIES = {
    "studies_per_cpu_second": Quantity("studies per CPU second in the first index", 3000, more=True),
    "bytes_per_study": Quantity("bytes of file per study", 2000),
    "rss_megabytes": Quantity("MB of memory that the index and its listings take", 300),
    "cold_path_ms": Quantity("ms of a path right after a restart"),
    "root_ms": Quantity("ms of the root of by-patient, the first time"),
    "root_again_ms": Quantity("ms of it, the second time"),
    "root_after_change_ms": Quantity("ms of it, after a change of the index"),
    "search_ms": Quantity("ms of a search with one hit", 50),
    "broad_search_ms": Quantity("ms until a search with many hits has its first 1,000", 100),
    "series_search_ms": Quantity("ms of a search for series of which there are none"),
    "ready_after_kill_ms": Quantity("ms until a killed index is ready", 2000),
    "ready_after_stop_ms": Quantity("ms until an index is ready that was closed in order", 2000),
    "compared_seconds": Quantity("s of CPU time in which it is compared with all ids, in the background"),
    "longest_wait_ms": Quantity("ms that a request waits at most to write during the first index", 250),
    "unchanged_wait_ms": Quantity("ms of the longest request of a reader and a writer"),
    "marks_seconds": Quantity("s of CPU time in which the marks of all studies are read"),
    "trashed_root_ms": Quantity("ms of that root with 1,000 studies in the trash, the second time"),
    "trashed_more_ms": Quantity("ms of it, after one more has gone there"),
    "added_wait_ms": Quantity("ms of it while a layout is added", 250),
    "added_p99_ms": Quantity("ms of 99 of 100 requests meanwhile"),
    "added_seconds": Quantity("s until that layout is complete"),
    "removed_wait_ms": Quantity("ms of the longest request while a layout is removed", 250),
    "midnight_wait_ms": Quantity("ms of it while a day begins", 250),
}


@dataclass(frozen=True, slots=True)
class Sized:
    """One quantity in archives of several sizes.

    Attributes:
        quantity: What was measured.
        studies: Number of studies of each archive, the smallest first.
        values: What was found in each.
    """

    HEADINGS: ClassVar[tuple[str, ...]] = ("", "studies", "measured, by size", "goal", "met")
    LEFT: ClassVar[frozenset[int]] = frozenset({0})

    quantity: Quantity
    studies: Sequence[int]
    values: Sequence[float]

    def row(self) -> tuple[str, ...]:
        """See `Figure`."""
        wanted, met = next(((goal.wanted, goal.met) for goal in self.goals()), ("", None))
        values = " / ".join(f"{value:,.1f}" for value in self.values)
        return (self.quantity.title, " / ".join(f"{size:,}" for size in self.studies), values, wanted, MET[met])

    def goals(self) -> tuple[Goal, ...]:
        """See `Figure`."""
        goal, value = self.quantity.goal, self.values[-1]
        if goal is None:
            return ()
        what = f"index: {self.quantity.title}, with {self.studies[-1]:,} studies"
        met = value >= goal if self.quantity.more else value <= goal
        return (Goal(what, f"{'>=' if self.quantity.more else '<='} {goal:,g}", f"{value:,.1f}", met),)


@dataclass(frozen=True, slots=True)
class IndexedDrive:
    """The parts of a drive that are measured."""

    store: Store
    catalog: Catalog
    tree: Tree


def measure(part: Part, sizes: Sequence[int]) -> None:
    """Measure each size in a process of its own, whose memory nothing else has used.

    Args:
        part: Gets what is found, also where a larger archive fails.
        sizes: Numbers of studies, the smallest first.

    Raises:
        WrongAnswer: A process ended with an error.
    """
    found: list[dict[str, float]] = []
    try:
        for size in sizes:
            command = [sys.executable, "-m", "bench.index", str(size)]
            done = subprocess.run(command, check=False, stdout=subprocess.PIPE)  # noqa: S603  ours
            if done.returncode:
                raise WrongAnswer(f"the index of {size:,} studies ended with exit code {done.returncode}")
            found.append(json.loads(done.stdout))
    finally:
        for key, quantity in _QUANTITIES.items() if found else ():
            part.add(Sized(quantity, sizes[: len(found)], [each[key] for each in found]))


def _measure(studies: int) -> dict[str, float]:
    archive, layouts = SimulatedArchive.of(studies), [load_layout(_FOLDER / f"{name}.toml") for name in _LAYOUTS]
    gc.collect()
    gc.freeze()  # the archive stands for Orthanc's memory
    memory = Memory(os.getpid())
    _BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_BUILD) as folder:
        file = Path(folder) / "catalog.sqlite"
        with _opened(file, archive, layouts) as drive:
            found = _first_index(drive, archive, studies)
            found |= _killed(file, layouts)
            found |= _listings(drive, archive)
            found |= _searches(drive, layouts, studies)
        found["bytes_per_study"] = file.stat().st_size / studies
        store, found["ready_after_stop_ms"] = _timed(lambda: Store(file, Placer(layouts, lambda: _TODAY)))
        store.close()
        with _opened(file, archive, layouts) as drive:
            found["compared_seconds"] = _reconciled(drive, archive)
            drive.catalog.synchronizer.building = True
            person = patient_tags(studies // 4)
            path = f"{person['PatientName'].replace('^', ' ')} ({person['PatientID']})"
            found["cold_path_ms"] = _timed(lambda: drive.tree.stat((path,)))[1]
            drive.catalog.synchronizer.building = False
            found |= measure_trash(Path(folder) / "trash.sqlite", archive, layouts)
            found |= measure_replacing(archive, drive.store, drive.catalog, drive.tree, layouts)
    return found | {"rss_megabytes": memory.growth() / (1 << 20)}


@contextmanager
def _opened(file: Path, archive: SimulatedArchive, layouts: list[Layout]) -> Iterator[IndexedDrive]:
    """Open an index as Orthanc does when it starts: nothing has been compared with it yet."""
    store = Store(file, Placer(layouts, lambda: _TODAY))
    catalog = Catalog(archive, store, InstanceCache())
    catalog.synchronizer.building = True
    try:
        yield IndexedDrive(store, catalog, Tree(layouts[0], catalog, archive, None, _SINCE, DerivedFiles(archive)))
    finally:
        store.close()


def _first_index(drive: IndexedDrive, archive: SimulatedArchive, studies: int) -> dict[str, float]:
    waits: list[float] = []
    with _writing_meanwhile(drive.store, waits):
        taken = _reconciled(drive, archive)
    drive.catalog.synchronizer.building = False
    return {"studies_per_cpu_second": studies / taken, "longest_wait_ms": max(waits)}


def _reconciled(drive: IndexedDrive, archive: SimulatedArchive) -> float:
    """Compare the index with the archive; return the CPU seconds, without those of the simulation."""
    began = time.process_time() - archive.seconds
    drive.catalog.reconciler.reconcile(lambda _done, _total: None)
    return time.process_time() - archive.seconds - began


@contextmanager
def _writing_meanwhile(store: Store, waits: list[float]) -> Iterator[None]:
    """Write a little in another thread, as requests do, and note the milliseconds that each time took."""
    ended = threading.Event()

    def write() -> None:
        waits.append(_timed(lambda: store.delete([OrthancId("unknown")]))[1])
        while not ended.wait(_PAUSE):
            waits.append(_timed(lambda: store.delete([OrthancId("unknown")]))[1])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _killed(file: Path, layouts: list[Layout]) -> dict[str, float]:
    """Open a copy of the file as a process leaves it that is killed."""
    copy = file.with_name("copy.sqlite")
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            shutil.copy(f"{file}{suffix}", f"{copy}{suffix}")
    store, taken = _timed(lambda: Store(copy, Placer(layouts, lambda: _TODAY)))
    store.close()
    return {"ready_after_kill_ms": taken}


def _listings(drive: IndexedDrive, archive: SimulatedArchive) -> dict[str, float]:
    first, again = (_timed(lambda: drive.tree.list(()))[1] for _ in range(2))
    (study,) = archive.id_page(Level.STUDY, 0, 1)
    archive.rename(study, {"PatientName": "Renamed^Person"})
    return {
        "root_ms": first,
        "root_again_ms": again,
        "root_after_change_ms": _timed(lambda: drive.tree.list(()))[1],
    }


def _searches(drive: IndexedDrive, layouts: list[Layout], studies: int) -> dict[str, float]:
    search, known = (
        StudySearch(drive.store, scope_of(layouts), lambda: _TODAY),
        searchable_keywords(NO_EXTRA_TAGS, labels=True),
    )
    name = patient_tags(studies // 2 - 1)["PatientName"].partition("^")[0]
    searches = {
        "search_ms": f"PatientName={name}",
        "broad_search_ms": "PatientSex=F",
        "series_search_ms": "ProtocolName=None",
    }
    found: dict[str, float] = {}
    for key, text in searches.items():
        query = parse_query(text, known)
        hits, found[key] = _timed(partial(search.find, query, 1000))
        assert len(hits) == {"search_ms": STUDIES_EACH, "series_search_ms": 0}.get(key, min(1000, len(hits)))
    return found


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    """Call an action; return its result and the milliseconds that it took."""
    began = time.perf_counter()
    result = action()
    return result, (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]))))
