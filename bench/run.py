"""Measure the drive beside Orthanc's REST API, Orthanc's own WebDAV, and other WebDAV servers (see README.md)."""

import json
import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import large, second_door
from bench.archive import Archive
from bench.connection import Connection, WrongAnswer, question
from bench.places import wait_for_index
from bench.race import Comparison
from bench.races import CLIENTS, compare
from bench.report import table, write_json
from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancFailed, OrthancProcess

ROOT = Path(__file__).resolve().parent.parent
FULL = Archive(patients=4999, images=1000)  # with the one of the big series, 5,000 patients
QUICK = Archive(patients=200, images=50)
FULL_ROUNDS, QUICK_ROUNDS = 24, 5
FULL_LARGE, QUICK_LARGE = 1024, 64  # megabytes


def main() -> int:
    """Run the benchmark.

    The exit code is 0 whether the goals of speed are met or not, and 1 where a server answers wrongly or takes too much
    memory.
    """
    parser = ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small archive and few rounds: does the benchmark work?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file too")
    parser.add_argument("--plugin", type=Path, default=ROOT / "build" / "libOrthancDavfs.so", help="its library")
    parser.add_argument(
        "--large", type=int, metavar="MB", help=f"size of the large instance: {FULL_LARGE}, and {QUICK_LARGE} if quick"
    )
    options = parser.parse_args()
    archive, rounds, size = (QUICK, QUICK_ROUNDS, QUICK_LARGE) if options.quick else (FULL, FULL_ROUNDS, FULL_LARGE)
    size = options.large or size
    start = time.monotonic()
    try:
        settings, found = measure(options.plugin, archive, rounds)
        downloads, growths = large.measure(options.plugin, ROOT / "build" / "bench" / f"large-{size}", size)
    except (OrthancFailed, WrongAnswer) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(f"\n{_title(settings)}\n\n{table([*found, *downloads], growths)}\n\nin {time.monotonic() - start:.0f} s")
    if options.json:
        write_json(options.json, settings, [*found, *downloads], growths)
    return 0 if all(each.met for each in growths) else 1


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
    folder = ROOT / "build" / "bench" / f"{archive.patients}-{archive.images}"
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


if __name__ == "__main__":
    sys.exit(main())
