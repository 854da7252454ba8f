"""Tables of figures, for the terminal and in Markdown."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from bench.figures import Figure


def tables(figures: Iterable[Figure]) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Return headings and rows of each table; a title that stands in the row before is left out."""
    by_headings = groupby(sorted(figures, key=lambda each: each.HEADINGS), key=lambda each: each.HEADINGS)
    return [(headings, _once([each.row() for each in some])) for headings, some in by_headings]


def _once(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    titles = ["", *(row[0] for row in rows)]
    return [("" if row[0] == last else row[0], *row[1:]) for row, last in zip(rows, titles, strict=False)]


def text(headings: Sequence[str], rows: Sequence[Sequence[str]], left: frozenset[int]) -> str:
    """Return a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    first, *others = [_line(row, widths, left) for row in (headings, *rows)]
    return "\n".join([first, "-" * len(first), *others])


def _line(cells: Sequence[str], widths: Sequence[int], left: frozenset[int]) -> str:
    padded = [
        cell.ljust(width) if column in left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "   ".join(padded).rstrip()


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
