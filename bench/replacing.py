"""Measures how long requests wait while layouts are added and removed, and days begin."""

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

from bench.simulated import STUDIES_EACH, SimulatedArchive, patient_tags
from davfs.catalog.catalog import Catalog
from davfs.catalog.layout_placing import LayoutPlacing
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Plan
from davfs.catalog.store import Store
from davfs.filesystem.tree import Tree
from davfs.layout import Layout
from davfs.orthanc import Level

_PAUSE = 0.01
"""Seconds between two requests of one client."""
_LEAST = 3.0
"""Seconds, at least, in which requests are made."""


@dataclass
class Clock:
    """Today's date, which the benchmark sets."""

    day: date

    def today(self) -> date:
        """Return it."""
        return self.day


@dataclass
class Waits:
    """Seconds of each request of a reader, and of each study that a writer stored."""

    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)


def measure_replacing(  # noqa: PLR0913, PLR0917  the parts of a drive
    archive: SimulatedArchive, store: Store, catalog: Catalog, tree: Tree, layouts: list[Layout], clock: Clock
) -> dict[str, float]:
    """Measure the waits of a reader and a writer while layouts and days change.

    Args:
        archive: The archive.
        store: Its index, complete for the layouts.
        catalog: The same.
        tree: A layout of patients and studies.
        layouts: The layouts; the last but one is added and removed, the last one has relative dates.
        clock: The clock of the index.

    Returns:
        For each change: the longest wait in ms, that of 99 of 100 requests, and the seconds until the change was done.
    """
    placer = partial(Placer, today=clock.today)
    changes: Mapping[str, Callable[[], object]] = {
        "removed": lambda: store.change_layouts(placer([*layouts[:-2], layouts[-1]])),
        "added": lambda: store.change_layouts(placer(layouts)),
        "midnight": lambda: setattr(clock, "day", clock.day + timedelta(days=1)),
        "month": lambda: setattr(clock, "day", clock.day + timedelta(days=30)),
    }
    found: dict[str, float] = {}
    placing = LayoutPlacing(catalog, lambda: None)
    placing.start()
    try:
        for name, change in changes.items():
            with _clients(archive, catalog, tree) as waits:
                began = time.perf_counter()
                change()
                while any(store.layouts.percentage(plan) is not None for plan in store.layouts.wanted.plans):
                    time.sleep(_PAUSE)
                found[f"{name}_seconds"] = time.perf_counter() - began
                if name == "removed":
                    _wait_until_deleted(store, Plan.of(layouts[-2]))
                time.sleep(max(0.0, _LEAST - (time.perf_counter() - began)))
            for kind, seconds in (("read", waits.reads), ("write", waits.writes)):
                found[f"{name}_{kind}_ms"] = max(seconds) * 1000
                found[f"{name}_{kind}_p99_ms"] = statistics.quantiles(seconds, n=100)[-1] * 1000
    finally:
        placing.stop(60)
    return found


def _wait_until_deleted(store: Store, plan: Plan) -> None:
    while plan.key in store.layouts.progress:
        time.sleep(_PAUSE)


@contextmanager
def _clients(archive: SimulatedArchive, catalog: Catalog, tree: Tree) -> Iterator[Waits]:
    """Run a reader and a writer, and note their waits."""
    waits, stopping = Waits(), threading.Event()
    paths = itertools.cycle(_paths(archive))

    def read() -> None:
        path = next(paths)
        tree.stat(path)
        list(tree.list(path))

    def write() -> None:
        archive.arrive()
        catalog.refresh()

    threads = [
        threading.Thread(target=_repeat, args=(act, noted, stopping))
        for act, noted in ((read, waits.reads), (write, waits.writes))
    ]
    for thread in threads:
        thread.start()
    try:
        yield waits
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _repeat(act: Callable[[], object], noted: list[float], stopping: threading.Event) -> None:
    while not stopping.wait(_PAUSE):
        began = time.perf_counter()
        act()
        noted.append(time.perf_counter() - began)


def _paths(archive: SimulatedArchive) -> list[tuple[str, ...]]:
    """Return the paths of some patient folders."""
    patients = len(archive.ids(Level.STUDY)) // STUDIES_EACH
    people = (patient_tags(number) for number in range(0, patients, max(1, patients // 100)))
    return [(f"{each['PatientName'].replace('^', ' ')} ({each['PatientID']})",) for each in people]
