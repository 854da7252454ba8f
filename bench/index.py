"""Measure the local index at the size of a hospital, over a simulated archive (see README.md)."""

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

from bench.memory import Memory
from bench.simulated import STUDIES_EACH, SimulatedArchive, patient_tags
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
from davfs.orthanc import Level

_LAYOUTS = ("by-patient", "by-study", "by-date", "by-modality", "by-referring-physician", "recent")
"""The layouts that are placed; a search shows studies as ``by-study`` does."""
_FOLDER = Path(__file__).resolve().parent.parent / "layouts"
_TODAY, _SINCE = date(2025, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)
_HEADINGS = {
    "studies_per_cpu_second": "studies per CPU second in the first index",
    "bytes_per_study": "bytes of file per study",
    "rss_megabytes": "MB of memory that the index and its listings take",
    "cold_path_ms": "ms of a path right after a restart",
    "root_ms": "ms of the root of by-patient, the first time",
    "root_again_ms": "ms of it, the second time",
    "root_after_change_ms": "ms of it, after a change of the index",
    "search_ms": "ms of a search with one hit",
    "ready_after_kill_ms": "ms until a killed index is ready",
    "longest_save_ms": "ms of the longest step of the first index that lets nobody else write",
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """The parts of a drive that are measured."""

    store: Store
    catalog: Catalog
    tree: Tree


def main() -> int:
    """Measure each size in a process of its own, whose memory nothing else has used."""
    options = _options()
    if options.child:
        print(json.dumps(_measure(options.studies[0])))
        return 0
    found = []
    for studies in options.studies:
        command = [sys.executable, __file__, "--child", "--studies", str(studies)]
        found.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))  # noqa: S603  ours
        print(_table(options.studies[: len(found)], found), flush=True)
    if options.json:
        options.json.write_text(json.dumps(dict(zip(map(str, options.studies), found, strict=True)), indent=2))
    return 0


def _options() -> Namespace:
    parser = ArgumentParser(prog="bench/index.py", description=__doc__)
    parser.add_argument("--studies", type=int, nargs="+", default=[1000, 10_000], help="sizes of the archive")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file too")
    parser.add_argument("--child", action="store_true", help="measure the first size in this process, and print JSON")
    return parser.parse_args()


def _table(sizes: list[int], found: list[dict[str, float]]) -> str:
    width = max(map(len, _HEADINGS.values()))
    lines = [f"\n{'':{width}}" + "".join(f"{size:>12,}" for size in sizes)]
    for key, heading in _HEADINGS.items():
        lines.append(f"{heading:{width}}" + "".join(f"{each[key]:>12,.1f}" for each in found))
    return "\n".join(lines)


def _measure(studies: int) -> dict[str, float]:
    archive, layouts = SimulatedArchive.of(studies), [load_layout(_FOLDER / f"{name}.toml") for name in _LAYOUTS]
    gc.collect()
    memory = Memory(os.getpid())
    with tempfile.TemporaryDirectory(dir=Path(__file__).resolve().parent.parent / "build") as folder:
        file = Path(folder) / "catalog.sqlite"
        with _opened(file, archive, layouts) as part:
            found = _first_index(part, studies)
            found |= _killed(file, layouts)
            found |= _listings(part, archive)
            found["search_ms"] = _search(part, layouts, studies)
        found["bytes_per_study"] = file.stat().st_size / studies
        with _opened(file, archive, layouts) as part:
            person = patient_tags(studies // 4)
            path = f"{person['PatientName'].replace('^', ' ')} ({person['PatientID']})"
            found["cold_path_ms"] = _timed(lambda: part.tree.stat((path,)))[1]
    return found | {"rss_megabytes": memory.growth() / (1 << 20)}


@contextmanager
def _opened(file: Path, archive: SimulatedArchive, layouts: list[Layout]) -> Iterator[Part]:
    """Open an index as Orthanc does when it starts: nothing has been compared with it yet."""
    store = Store(file, Placer(layouts, lambda: _TODAY))
    catalog = Catalog(archive, store, InstanceCache())
    catalog.synchronizer.building = True
    try:
        yield Part(store, catalog, Tree(layouts[0], catalog, archive, None, _SINCE, DerivedFiles(archive)))
    finally:
        store.close()


def _first_index(part: Part, studies: int) -> dict[str, float]:
    steps: list[float] = []
    save = part.store.save
    part.store.save = lambda *arguments: _noted(steps, lambda: save(*arguments))  # type: ignore[method-assign]
    began = time.process_time()
    part.catalog.reconciler.reconcile(lambda _done, _total: None)
    taken = time.process_time() - began
    part.store.save = save  # type: ignore[method-assign]
    part.catalog.synchronizer.building = False
    return {"studies_per_cpu_second": studies / taken, "longest_save_ms": max(steps)}


def _killed(file: Path, layouts: list[Layout]) -> dict[str, float]:
    """Open a copy of the file as a process leaves it that is killed."""
    copy = file.with_name("copy.sqlite")
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            shutil.copy(f"{file}{suffix}", f"{copy}{suffix}")
    store, taken = _timed(lambda: Store(copy, Placer(layouts, lambda: _TODAY)))
    store.close()
    return {"ready_after_kill_ms": taken}


def _listings(part: Part, archive: SimulatedArchive) -> dict[str, float]:
    first, again = (_timed(lambda: part.tree.list(()))[1] for _ in range(2))
    study = archive.ids(Level.STUDY)[0]
    archive.rename(study, {"PatientName": "Renamed^Person"})
    return {
        "root_ms": first,
        "root_again_ms": again,
        "root_after_change_ms": _timed(lambda: part.tree.list(()))[1],
    }


def _search(part: Part, layouts: list[Layout], studies: int) -> float:
    search = StudySearch(part.store, scope_of(layouts), lambda: _TODAY)
    name = patient_tags(studies // 2 - 1)["PatientName"].partition("^")[0]
    query = parse_query(f"PatientName={name}", searchable_keywords(NO_EXTRA_TAGS, labels=True))
    hits, taken = _timed(lambda: search.find(query, 1000))
    assert len(hits) == STUDIES_EACH
    return taken


def _noted(steps: list[float], action: Callable[[], T]) -> T:
    result, taken = _timed(action)
    steps.append(taken)
    return result


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    """Call an action; return its result and the milliseconds that it took."""
    began = time.perf_counter()
    result = action()
    return result, (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
