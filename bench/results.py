"""The results of a run: printed at once, and again as tables at its end, and kept as JSON."""

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import report
from bench.connection import WrongAnswer
from bench.figures import Figure
from davfs.demo.process import OrthancFailed

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class Part:
    """What one part of the benchmark has found.

    Attributes:
        title: What it measures, and over what.
        figures: The lines of its tables.
        failure: Why there are no more of them; empty if all was measured.
    """

    title: str
    figures: list[Figure] = field(default_factory=list)
    failure: str = ""

    def add(self, *figures: Figure) -> None:
        """Add figures, and print them."""
        for each in figures:
            self.figures.append(each)
            print("   ".join(cell for cell in each.row() if cell), flush=True)

    def tables(self) -> str:
        """Return its tables, and why it ended early."""
        lefts = {each.HEADINGS: each.LEFT for each in self.figures}
        shown = [report.text(headings, rows, lefts[headings]) for headings, rows in report.tables(self.figures)]
        return "\n\n".join([self.title, *shown, *([f"NOT ALL WAS MEASURED: {self.failure}"] if self.failure else [])])


class Results:
    """The parts of one run."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self._stamp = _stamp()

    @property
    def failed(self) -> bool:
        """Whether a server answered wrongly, or something did not start."""
        return any(part.failure for part in self._parts.values())

    @contextmanager
    def part(self, name: str, title: str) -> Iterator[Part]:
        """Begin a part. If it fails the next one can be measured all the same, and what it had found is kept.

        Raises:
            KeyboardInterrupt: The run was interrupted.
        """
        print(f"\n{title}", flush=True)
        part = self._parts[name] = Part(title)
        try:
            yield part
        except (OrthancFailed, WrongAnswer) as error:
            part.failure = str(error)
            print(f"FAILED: {error}", flush=True)
        except KeyboardInterrupt:
            part.failure = "interrupted"
            raise

    def print(self) -> None:
        """Print all tables."""
        for part in self._parts.values():
            print(f"\n{part.tables()}")

    def write(self, file: Path) -> None:
        """Write all parts to a JSON file; parts in it that this run has not measured stay.

        Times are in seconds, memory is in bytes.
        """
        kept = json.loads(file.read_text()) if file.exists() else {}
        found = {name: self._json(part) for name, part in self._parts.items()}
        file.write_text(json.dumps(kept | found, indent=1, ensure_ascii=False) + "\n")

    def _json(self, part: Part) -> dict[str, Any]:
        return {
            **self._stamp,
            "title": part.title,
            "failure": part.failure,
            "tables": [{"headings": headings, "rows": rows} for headings, rows in report.tables(part.figures)],
            "goals": [asdict(goal) for each in part.figures for goal in each.goals()],
            "figures": [{"kind": type(each).__name__} | asdict(each) for each in part.figures],
        }


def _stamp() -> dict[str, Any]:
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _output("git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=12"),
        "machine": _machine(),
        "versions": _versions(),
    }


def _machine() -> dict[str, str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processors": f"{os.cpu_count()} of {model[1] if model else platform.machine()}",
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "load before the run": f"{os.getloadavg()[0]:.1f}",
    }


def _versions() -> dict[str, str]:
    orthanc = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "Orthanc"
    return {
        "orthanc-davfs": version("orthanc-davfs"),
        "Orthanc": _output(orthanc, "--version"),
        "rclone": _output("rclone", "version"),
        "wrk": _output("wrk", "-v"),
        "WsgiDAV": version("wsgidav"),
        "cheroot": version("cheroot"),
        "Python": platform.python_version(),
    }


def _output(*command: str) -> str:
    """Return the first line that a program prints; an empty one if there is no such program."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603
    return (done.stdout.splitlines() or [""])[0]
