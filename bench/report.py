"""The table for people, and the same figures for programs."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.changes import SECONDS
from bench.layouts import AS_LONG_AS_STATIC, LARGE, Listing, Measured
from bench.memory import Growth
from bench.race import Comparison

_HEADINGS = ("", "drive ms", "peer", "peer ms", "times as fast as the peer", "goal", "met")
_LEFT = frozenset({0, 2})
"""Columns that are set to the left."""
_LAYOUT_HEADINGS = (
    "layout",
    f"below {LARGE} entries",
    "ms more",
    "larger folders",
    "worst folder",
    "goal",
    "met",
    "change s",
    "goal",
    "met",
)
_LAYOUT_LEFT = frozenset({0, 4})
_MET = {None: "", True: "yes", False: "NO"}


def table(comparisons: Sequence[Comparison], growths: Sequence[Growth]) -> str:
    """Return a line for each comparison, whose title stands in the first line of its race alone, and each growth."""
    rows = [*map(_row, comparisons), *map(_memory_row, growths)]
    titles = ["", *(row[0] for row in rows)]
    shown = [("" if row[0] == last else row[0], *row[1:]) for row, last in zip(rows, titles, strict=False)]
    return _lines([_HEADINGS, *shown], _LEFT)


def layouts_table(layouts: Sequence[Measured]) -> str:
    """Return a line for each layout: times as long as the static plugin, and the seconds of a change."""
    return _lines([_LAYOUT_HEADINGS, *map(_layout_row, layouts)], _LAYOUT_LEFT)


def _lines(rows: Sequence[Sequence[str]], left: frozenset[int]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths, left) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


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


def _layout_row(layout: Measured) -> tuple[str, ...]:
    small = [each for each in layout.listings if not each.is_large]
    worst = layout.worst
    return (
        layout.title,
        _ratios(small),
        f"{statistics.median(each.own - each.floor for each in small) * 1000:.2f}",
        _ratios([each for each in layout.listings if each.is_large]),
        f"{worst.ratio:.2f} at depth {worst.folder.depth}, entries: {worst.folder.entries:,}",
        f"<= {AS_LONG_AS_STATIC:g}",
        _MET[layout.lists_well],
        _spread(layout.changes),
        f"< {SECONDS:g}",
        _MET[layout.changes_well],
    )


def _ratios(listings: Sequence[Listing]) -> str:
    return _spread([each.ratio for each in listings]) if listings else ""


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _line(cells: Sequence[str], widths: Sequence[int], left: frozenset[int]) -> str:
    padded = [
        cell.ljust(width) if column in left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "   ".join(padded)


def write_json(
    path: Path,
    settings: Mapping[str, Any],
    comparisons: Sequence[Comparison],
    growths: Sequence[Growth],
    layouts: Sequence[Measured],
) -> None:
    """Write all figures, times in seconds and memory in bytes, with what they were measured on."""
    figures = {
        "comparisons": [_comparison(each) for each in comparisons],
        "growths": [
            {"title": each.title, "bytes": each.size, "limit": each.limit, "met": each.met} for each in growths
        ],
        "layouts": [_layout(each) for each in layouts],
    }
    path.write_text(json.dumps({**settings, **figures}, indent=2) + "\n")


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "title": comparison.title,
        "drive_seconds": comparison.own,
        "peer": comparison.peer,
        "peer_seconds": comparison.peers,
        "ratio": comparison.ratio,
        "ratios": list(comparison.ratios),
        "goal": comparison.goal,
        "met": comparison.met,
    }


def _layout(layout: Measured) -> dict[str, Any]:
    listings = [
        {
            "depth": each.folder.depth,
            "entries": each.folder.entries,
            "drive_seconds": each.own,
            "static_seconds": each.floor,
            "ratio": each.ratio,
            "ratios": list(each.ratios),
        }
        for each in layout.listings
    ]
    return {
        "title": layout.title,
        "listings": listings,
        "listings_goal": AS_LONG_AS_STATIC,
        "listings_met": layout.lists_well,
        "change_seconds": list(layout.changes),
        "change_goal": SECONDS,
        "change_met": layout.changes_well,
    }
