"""Writes docs/performance.md and its plots from figures that ``bench/run.py --json`` has written; measures nothing."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import plots, report
from bench.figures import MET

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_INTRODUCTION = """\
# Performance

This page is written by `make performance`, from [figures.json](performance/figures.json), which
`make bench ARGS="--scale --json docs/performance/figures.json"` writes. [bench/README.md](../bench/README.md) says what
is measured, and how. Read the ratios: they come from contestants that took turns, so that whatever else the
machine does hits all of them. Milliseconds tell about the machine as well. CPU is the processor time that the server
used for one request.
"""


def main() -> int:
    """Write the page. Its parts say when and on what each of them was measured."""
    parser = ArgumentParser(prog="bench/performance.py", description=__doc__)
    parser.add_argument("--figures", type=Path, default=_DOCS / "performance" / "figures.json", help="measured before")
    parser.add_argument("--page", type=Path, default=_DOCS / "performance.md", help="the page; plots go beside it")
    options = parser.parse_args()
    parts = json.loads(options.figures.read_text("utf-8"))
    folder = options.page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    shown = {name: plots.draw(name, part["figures"], folder) for name, part in parts.items()}
    options.page.write_text(page(parts, shown), "utf-8")
    return 0


def page(parts: Mapping[str, Mapping[str, Any]], shown: Mapping[str, Iterable[Path]]) -> str:
    """Return the page in Markdown.

    Args:
        parts: What was measured, as `Results.write` writes it.
        shown: The plots of each part.
    """
    sections = [_INTRODUCTION, _goals(parts.values())]
    for name, part in parts.items():
        images = [f"![{plot.stem}]({plot.parent.name}/{plot.name})" for plot in shown[name]]
        sections += [f"## {part['title'].partition(':')[0]}", part["title"] + ".", _stamp(part), *images]
        sections += [report.markdown(table["headings"], table["rows"]) for table in part["tables"]]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _goals(parts: Iterable[Mapping[str, Any]]) -> str:
    goals = [goal for part in parts for goal in part["goals"]]
    rows = [(each["what"], each["wanted"], each["found"], MET[each["met"]]) for each in goals]
    met = sum(each["met"] for each in goals)
    table = report.markdown(("", "goal", "measured", "met"), rows)
    return f"## Goals\n\n{met} of {len(goals)} goals are met.\n\n{table}"


def _stamp(part: Mapping[str, Any]) -> str:
    """Return when and on what a part was measured, and what went wrong."""
    return "\n".join(_stamp_lines(part))


def _stamp_lines(part: Mapping[str, Any]) -> Iterator[str]:
    machine, versions = part["machine"], part["versions"]
    yield f"- Measured on {part['date']} at commit `{part['commit']}`, with " + ", ".join(
        version if name in version else f"{name} {version}" for name, version in versions.items()
    )
    yield f"- Machine: {machine['processors']}, {machine['memory']}, {machine['system']}"
    busy, processors = float(machine["load before the run"]), int(machine["processors"].partition(" ")[0])
    if busy > processors / 2:
        yield (
            f"- **The machine was busy with other work** (load {busy:g} on {processors} processors before the run): "
            "all milliseconds are longer than on an idle one, and ratios are less certain than the brackets suggest"
        )
    if part["failure"]:
        yield f"- **Not all was measured**: {part['failure']}"


if __name__ == "__main__":
    sys.exit(main())
