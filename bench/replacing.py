"""Measures how long requests wait while layouts are added and removed, and days begin."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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

_PAUSE = 0.01
"""Seconds between two requests of one client."""
_LEAST = 1.0
"""Seconds, at least, in which requests are made."""


@dataclass
class Clock:
    """Today's date, which the benchmark sets."""

    day: date

    def today(self) -> date:
        """Return it."""
        return self.day


def measure_replacing(
    archive: SimulatedArchive, store: Store, catalog: Catalog, tree: Tree, layouts: list[Layout]
) -> dict[str, float]:
    """Measure the waits of a reader and a writer while layouts and days change.

    Args:
        archive: The archive.
        store: Its index, complete for the layouts.
        catalog: The same.
        tree: A layout of patients and studies.
        layouts: The layouts; the last but one is removed and added, the last one has relative dates.

    Returns:
        For each change the longest wait of a request, and that of 99 of 100, in ms; and the seconds until the layout
        that was added was complete.
    """
    clock = Clock(store.layouts.placer.day)
    placer = partial(Placer, today=clock.today)
    store.change_layouts(placer(layouts))
    changes: Mapping[str, Callable[[], object]] = {
        "unchanged": lambda: None,
        "removed": lambda: store.change_layouts(placer([*layouts[:-2], layouts[-1]])),
        "added": lambda: store.change_layouts(placer(layouts)),
        "midnight": lambda: setattr(clock, "day", clock.day + timedelta(days=1)),
    }
    found: dict[str, float] = {}
    placing = LayoutPlacing(catalog, lambda: None)
    placing.start()
    try:
        for name, change in changes.items():
            with _clients(archive, catalog, tree) as waits:
                began = time.perf_counter()
                change()
                _wait_until_done(store, layouts[-2])
                found[f"{name}_seconds"] = time.perf_counter() - began
                time.sleep(max(0.0, _LEAST - found[f"{name}_seconds"]))
            found[f"{name}_wait_ms"] = max(waits) * 1000
            found[f"{name}_p99_ms"] = sorted(waits)[int(len(waits) * 0.99)] * 1000
    finally:
        placing.stop(60)
    return found


def _wait_until_done(store: Store, layout: Layout) -> None:
    """Wait until a layout is complete, or its placements are deleted."""
    key = Plan.of(layout).key
    is_wanted = key in {plan.key for plan in store.layouts.wanted.plans}
    while store.layouts.progress.get(key) is not None or (key in store.layouts.progress) != is_wanted:
        time.sleep(_PAUSE)


@contextmanager
def _clients(archive: SimulatedArchive, catalog: Catalog, tree: Tree) -> Iterator[list[float]]:
    """Run a reader and a writer, and note the seconds of each request."""
    waits, stopping = list[float](), threading.Event()
    paths = itertools.cycle(_paths(archive))

    def read() -> None:
        path = next(paths)
        tree.stat(path)
        list(tree.list(path))

    def write() -> None:
        archive.arrive()
        catalog.refresh()

    threads = [threading.Thread(target=_repeat, args=(act, waits, stopping)) for act in (read, write)]
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
    patients = archive.counts().studies // STUDIES_EACH
    people = (patient_tags(number) for number in range(0, patients, max(1, patients // 100)))
    return [(f"{each['PatientName'].replace('^', ' ')} ({each['PatientID']})",) for each in people]
