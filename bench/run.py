"""Measure the drive beside Orthanc's REST API, Orthanc's own WebDAV, and other WebDAV servers (see README.md)."""

import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bench import audit, index, large, layouts, races, scale, second_door
from bench.archive import Archive, kept
from bench.connection import Connection
from bench.places import wait_for_index
from bench.required import missing
from bench.results import Results
from bench.studies import Studies
from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess

BUILD = Path(__file__).resolve().parent.parent / "build"
KEPT = BUILD / "bench"
"""The archives of former runs."""


@dataclass(frozen=True, slots=True)
class Scope:
    """How much is measured.

    Attributes:
        archive: What is compared with other ways to the same files.
        rounds: Blocks of each contestant.
        megabytes: Size of the large instance.
        studies: What is listed in all layouts.
        listings: Blocks of each folder.
        sizes: Numbers of studies in the archives of several sizes.
    """

    archive: Archive
    rounds: int
    megabytes: int
    studies: Studies
    listings: int
    sizes: Sequence[int]


FULL = Scope(
    Archive(patients=4999, images=1000),  # with the one of the big series, 5,000 patients
    rounds=24,
    megabytes=1024,
    studies=Studies.of_this_week(3000, images=500),
    listings=12,
    sizes=(1000, 10_000, 100_000),
)
QUICK = Scope(
    Archive(patients=200, images=50),
    rounds=5,
    megabytes=64,
    studies=Studies.of_this_week(60, images=120),
    listings=2,
    sizes=(50, 200),
)


def main() -> int:
    """Run the benchmark.

    The exit code is 0 whether the goals of speed are met or not; 1 where a server answers wrongly or takes too much
    memory; 2 where something that is needed is missing; 130 where the run was interrupted.
    """
    options = _options()
    scope = QUICK if options.quick else FULL
    if options.large:
        scope = replace(scope, megabytes=options.large)
    parts = options.only or list(PARTS if options.scale else _SHORT)
    if parts != ["index"] and (needed := missing(options.plugin, options.static)):
        print("\n".join(needed), file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was measured is printed
    start, results, code = time.monotonic(), Results(), 0
    try:
        for name in parts:
            PARTS[name](results, options, scope)
    except KeyboardInterrupt:
        code = 130
    results.print()
    print(f"\nin {time.monotonic() - start:.0f} s")
    if options.json:
        results.write(options.json)
    return code or int(results.failed)


def _options() -> Namespace:
    parser = ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small archives and few rounds: does the benchmark work?")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file; other parts in it stay")
    parser.add_argument("--scale", action="store_true", help="measure part scale too, which no run does otherwise")
    parser.add_argument(
        "--studies", type=int, nargs="+", metavar="N", help="sizes of the archives of parts index and scale"
    )
    parser.add_argument("--plugin", type=Path, default=BUILD / "libOrthancDavfs.so", help="its library")
    parser.add_argument("--static", type=Path, default=BUILD / "libOrthancStatic.so", help="that of bench/static.c")
    parser.add_argument(
        "--large",
        type=int,
        metavar="MB",
        help=f"size of the large instance: {FULL.megabytes}, and {QUICK.megabytes} if quick",
    )
    return parser.parse_args()


def _layouts(results: Results, options: Namespace, scope: Scope) -> None:
    """Measure all shipped layouts beside the static plugin."""
    title = (
        f"Layouts: {scope.studies.number:,} studies; how many times as long as a static plugin the drive takes to list "
        f"folders, and the seconds after which a changed layout is listed; medians of {scope.listings} rounds"
    )
    with results.part("layouts", title) as part:
        layouts.measure(part, (options.plugin, options.static), KEPT, scope.studies, scope.listings)


def _doors(results: Results, options: Namespace, scope: Scope) -> None:
    """Measure both doors of one Orthanc beside other ways to the same files."""
    archive = scope.archive
    folder, (door,) = kept(KEPT, f"{archive.patients}-{archive.images}"), free_ports(1)
    title = (
        f"Doors: {archive.patients:,} patients with one small instance and one series of {archive.images:,} CT images; "
        f"medians of {scope.rounds} rounds"
    )
    server = {"Server": {"Enabled": True, "Port": door}}
    with (
        results.part("doors", title) as part,
        OrthancProcess(folder, plugins=[options.plugin], davfs=server) as orthanc,
        Connection(orthanc.http_port) as client,
    ):
        archive.fill(client)
        wait_for_index(client, f"{urlsplit(orthanc.drive_url).path}by-patient", archive)
        races.compare(part, client, orthanc, archive, scope.rounds)
        second_door.compare(part, folder, orthanc, archive, scope.rounds)


def _large(results: Results, options: Namespace, scope: Scope) -> None:
    """Measure ``davfs serve`` with one large instance."""
    title = f"davfs serve: one multi-frame instance of {scope.megabytes:,} MB"
    with results.part("large", title) as part:
        large.measure(part, options.plugin, kept(KEPT, f"large-{scope.megabytes}"), scope.megabytes)


def _scale(results: Results, options: Namespace, scope: Scope) -> None:
    """Measure the same requests in archives of several sizes."""
    sizes = sorted(options.studies or scope.sizes)
    title = f"Scale: the same requests with {' / '.join(f'{size:,}' for size in sizes)} studies"
    with results.part("scale", title) as part:
        scale.measure(part, options.plugin, KEPT, sizes)


def _index(results: Results, options: Namespace, scope: Scope) -> None:
    """Measure the local index alone, over simulated archives of several sizes."""
    sizes = sorted(options.studies or scope.sizes)
    title = f"Index: the local index of {' / '.join(f'{size:,}' for size in sizes)} studies, over a simulated archive"
    with results.part("index", title) as part:
        index.measure(part, sizes)


def _audit(results: Results, options: Namespace, scope: Scope) -> None:
    """Measure the price of the audit trail."""
    title = f"Audit trail: the CPU time of a read at 10,000 reads a minute; medians of {scope.rounds // 2} rounds"
    with results.part("audit", title) as part:
        audit.measure(part, options.plugin, KEPT, scope.rounds // 2)


PARTS: Mapping[str, Callable[[Results, Namespace, Scope], None]] = {
    "index": _index,
    "layouts": _layouts,
    "doors": _doors,
    "large": _large,
    "audit": _audit,
    "scale": _scale,
}
_SHORT = ("index", "layouts", "doors", "large", "audit")
"""The parts that are measured unless others are named: the large archives take long to fill."""


if __name__ == "__main__":
    sys.exit(main())
