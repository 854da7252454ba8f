"""The table for people, and the same figures for programs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.memory import Growth
from bench.race import Comparison

_HEADINGS = ("", "drive ms", "peer", "peer ms", "times as fast as the peer", "goal", "met")
_LEFT = frozenset({0, 2})
"""Columns that are set to the left."""
_MET = {None: "", True: "yes", False: "NO"}


def table(comparisons: Sequence[Comparison], growths: Sequence[Growth]) -> str:
    """Return a line for each comparison, whose title stands in the first line of its race alone, and each growth."""
    rows = [_HEADINGS, *map(_row, comparisons), *map(_memory_row, growths)]
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
        _MET[comparison.met],
    )


def _memory_row(growth: Growth) -> tuple[str, ...]:
    grew = f"memory grew by {growth.size / (1 << 20):.1f} MB"
    return (growth.title, "", "", "", grew, f"< {growth.limit >> 20} MB", _MET[growth.met])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if column in _LEFT else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "   ".join(padded)


def write_json(
    path: Path, settings: Mapping[str, Any], comparisons: Sequence[Comparison], growths: Sequence[Growth]
) -> None:
    """Write all figures, times in seconds and memory in bytes, with what they were measured on."""
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
    grown = [{"title": each.title, "bytes": each.size, "limit": each.limit, "met": each.met} for each in growths]
    path.write_text(json.dumps({**settings, "comparisons": found, "growths": grown}, indent=2) + "\n")
