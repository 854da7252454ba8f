"""Measure the drive beside Orthanc's REST API, Orthanc's own WebDAV, and other WebDAV servers (see README.md)."""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import large, layouts, second_door
from bench.archive import Archive
from bench.connection import Connection, WrongAnswer, question
from bench.memory import Growth
from bench.places import wait_for_index
from bench.race import Comparison
from bench.races import CLIENTS, compare
from bench.report import layouts_table, table, write_json
from bench.studies import Studies
from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancFailed, OrthancProcess

BUILD = Path(__file__).resolve().parent.parent / "build"
KEPT = BUILD / "bench"
"""The archives of former runs."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Attributes:
        archive: What is compared with other ways to the same files.
        rounds: Blocks of each contestant.
        megabytes: Size of the large instance.
        studies: What is listed in all layouts.
        listings: Blocks of each folder.
    """

    archive: Archive
    rounds: int
    megabytes: int
    studies: Studies
    listings: int


FULL = Scale(
    Archive(patients=4999, images=1000),  # with the one of the big series, 5,000 patients
    rounds=24,
    megabytes=1024,
    studies=Studies.of_this_week(3000, images=500),
    listings=12,
)
QUICK = Scale(
    Archive(patients=200, images=50), rounds=5, megabytes=64, studies=Studies.of_this_week(60, images=120), listings=2
)


def main() -> int:
    """Run the benchmark.

    The exit code is 0 whether the goals of speed are met or not, and 1 where a server answers wrongly or takes too much
    memory.
    """
    options = _options()
    scale = QUICK if options.quick else FULL
    if options.large:
        scale = replace(scale, megabytes=options.large)
    start = time.monotonic()
    try:
        listed = layouts.measure(options.plugin, options.static, KEPT, scale.studies, scale.listings)
        settings, found, growths = ({}, [], []) if options.layouts else _others(options.plugin, scale)
    except (OrthancFailed, WrongAnswer) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    if found:
        print(f"\n{_title(settings)}\n\n{table(found, growths)}")
    print(f"\n{_layouts_title(scale)}\n\n{layouts_table(listed)}\n\nin {time.monotonic() - start:.0f} s")
    if options.json:
        of_layouts = {"studies": scale.studies.number, "listing_rounds": scale.listings}
        write_json(options.json, settings | of_layouts, found, growths, listed)
    return 0 if all(each.met for each in growths) else 1


def _others(plugin: Path, scale: Scale) -> tuple[dict[str, Any], list[Comparison], list[Growth]]:
    """Measure all but the layouts."""
    settings, found = measure(plugin, scale.archive, scale.rounds)
    downloads, growths = large.measure(plugin, KEPT / f"large-{scale.megabytes}", scale.megabytes)
    return settings, [*found, *downloads], growths


def _options() -> Namespace:
    parser = ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small archive and few rounds: does the benchmark work?")
    parser.add_argument("--layouts", action="store_true", help="measure the layouts, and nothing else")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file too")
    parser.add_argument("--plugin", type=Path, default=BUILD / "libOrthancDavfs.so", help="its library")
    parser.add_argument("--static", type=Path, default=BUILD / "libOrthancStatic.so", help="that of bench/static.c")
    parser.add_argument(
        "--large",
        type=int,
        metavar="MB",
        help=f"size of the large instance: {FULL.megabytes}, and {QUICK.megabytes} if quick",
    )
    return parser.parse_args()


def measure(plugin: Path, archive: Archive, rounds: int) -> tuple[dict[str, Any], list[Comparison]]:
    """Start Orthanc, fill it, and run all races.

    Args:
        plugin: The plugin's library.
        archive: What Orthanc is filled with, unless an earlier run did.
        rounds: How many blocks each contestant gets in each race.

    Returns:
        What was measured on, and the comparisons.

    Raises:
        OrthancFailed: Orthanc did not start.
        WrongAnswer: Orthanc did not answer as it has to.
    """
    folder = KEPT / f"{archive.patients}-{archive.images}"
    (door,) = free_ports(1)
    server = {"Server": {"Enabled": True, "Port": door}}
    with OrthancProcess(folder, plugins=[plugin], davfs=server) as orthanc, ExitStack() as stack:
        connections = [stack.enter_context(Connection(orthanc.http_port)) for _ in range(CLIENTS)]
        drive = urlsplit(orthanc.drive_url).path
        archive.fill(connections[0])
        wait_for_index(connections[0], f"{drive}by-patient", archive)
        connections[0].ask(question("GET", "/system"))
        settings = {
            "orthanc": json.loads(connections[0].body)["Version"],
            "patients": archive.patients,
            "images": archive.images,
            "rounds": rounds,
        }
        found = compare(connections, drive, archive, rounds)
        return settings, found + second_door.compare(folder / "mirror", orthanc.http_port, door, archive, rounds)


def _title(settings: dict[str, Any]) -> str:
    return (
        f"Orthanc {settings['orthanc']}, {settings['patients']:,} patients with one small instance and "
        f"one series of {settings['images']:,} CT images; medians of {settings['rounds']} rounds"
    )


def _layouts_title(scale: Scale) -> str:
    return (
        f"{scale.studies.number:,} studies: how many times as long as a static plugin the drive takes to list folders, "
        f"and the seconds after which a changed layout is listed; medians of {scale.listings} rounds for each folder"
    )


if __name__ == "__main__":
    sys.exit(main())
