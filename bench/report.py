"""The table for people, and the same figures for programs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.race import Comparison

_HEADINGS = ("", "drive ms", "peer", "peer ms", "times as fast as the peer", "goal", "met")
_LEFT = frozenset({0, 2})
"""Columns that are set to the left."""


def table(comparisons: Sequence[Comparison]) -> str:
    """Return a line for each comparison; the title stands in the first line of its race alone."""
    rows = [_HEADINGS, *map(_row, comparisons)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines, last = [], ""
    for title, *cells in rows:
        shown = "" if title == last else title
        last = title
        lines.append(_line((shown, *cells), widths))
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)


def _row(comparison: Comparison) -> tuple[str, ...]:
    lowest, highest = min(comparison.ratios), max(comparison.ratios)
    return (
        comparison.title,
        f"{comparison.own * 1000:.3f}",
        comparison.peer,
        f"{comparison.peers * 1000:.3f}",
        f"{comparison.ratio:.2f} ({lowest:.2f} to {highest:.2f})",
        "" if comparison.goal is None else f">= {comparison.goal:g}",
        {None: "", True: "yes", False: "NO"}[comparison.met],
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if column in _LEFT else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "   ".join(padded)


def write_json(path: Path, settings: Mapping[str, Any], comparisons: Sequence[Comparison]) -> None:
    """Write all figures, times in seconds, with what they were measured on."""
    found = [
        {
            "title": each.title,
            "drive_seconds": each.own,
            "peer": each.peer,
            "peer_seconds": each.peers,
            "ratio": each.ratio,
            "ratios": list(each.ratios),
            "goal": each.goal,
            "met": each.met,
        }
        for each in comparisons
    ]
    path.write_text(json.dumps({**settings, "comparisons": found}, indent=2) + "\n")
