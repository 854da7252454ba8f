"""Draws the figures of the benchmark as SVG, by matplotlib."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Figures = Sequence[Mapping[str, Any]]

# The same figures give the same file, whose text is text and not paths.
mpl.rcParams.update({"svg.hashsalt": "orthanc-davfs", "svg.fonttype": "none"})
_METADATA = {"Date": None}


def draw(name: str, figures: Figures, folder: Path) -> list[Path]:
    """Draw the plots of one part of the benchmark, and return their files.

    Args:
        name: The part; files are named after it.
        figures: As `Results.write` writes them.
        folder: Where the files go.
    """
    found = []
    for kind, drawing in _DRAWINGS.items():
        some = [each for each in figures if each["kind"] == kind]
        for number, figure in enumerate(drawing(some) if some else ()):
            file = folder / f"{name}-{kind.lower()}{number or ''}.svg"
            figure.savefig(file, metadata=_METADATA, bbox_inches="tight")
            found.append(file)
    return found


def _comparisons(figures: Figures) -> Iterator[Figure]:
    """Draw a bar for each ratio, on a scale on which twice as fast is as far from a draw as half as fast."""
    figure, axes = _empty(len(figures))
    for row, each in enumerate(figures):
        ratios = sorted(each["ratios"])
        median = ratios[len(ratios) // 2]
        axes.barh(row, median - 1, left=1, color="tab:green" if median >= 1 else "tab:orange")
        axes.plot([ratios[0], ratios[-1]], [row, row], color="black", linewidth=1)
        if each["goal"] is not None:
            axes.plot([each["goal"]], [row], marker="|", color="tab:red", markersize=12)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=1)
    _rows(axes, [f"{each['title']} / {each['peer']}" for each in figures])
    axes.set_xlabel("times as fast as the peer: median, lowest and highest round; red: the goal")
    yield figure


def _processors(figures: Figures) -> Iterator[Figure]:
    """Draw the CPU time of each contestant with ten clients beside the time from one answer to the next."""
    yield from _comparisons(figures)
    contestants: dict[str, tuple[float, float]] = {}
    for each in figures:
        who, _, what = each["title"].partition(": ")
        if "clients" in what:
            contestants[who] = (each["own"], each["own_cpu"])
            contestants[each["peer"]] = (each["peers"], each["peers_cpu"])
    if contestants:
        figure, axes = _empty(len(contestants))
        for row, (wall, cpu) in enumerate(contestants.values()):
            axes.barh(
                row - 0.2, wall * 1000, height=0.35, color="tab:blue", label=None if row else "one answer to the next"
            )
            axes.barh(row + 0.2, cpu * 1000, height=0.35, color="tab:gray", label=None if row else "CPU of the server")
        _rows(axes, list(contestants))
        axes.set_xlabel("GET of 512 KB, ten clients at once: ms for one request")
        axes.legend()
        yield figure


def _layouts(figures: Figures) -> Iterator[Figure]:
    """Draw what a listing takes beside the static plugin, by the number of entries."""
    figure, axes = _empty(14)
    listings = [listing for each in figures for listing in each["listings"]]
    for key, label in (("own", "drive"), ("floor", "static plugin")):
        entries = [listing["folder"]["entries"] for listing in listings]
        axes.plot(entries, [listing[key] * 1000 for listing in listings], "o", markersize=3, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("entries of the folder")
    axes.set_ylabel("ms for a listing")
    axes.legend()
    yield figure


def _trends(figures: Figures) -> Iterator[Figure]:
    """Draw the time of each request by the size of the archive."""
    titles = list(dict.fromkeys(each["title"] for each in figures))
    figure = Figure(figsize=(10, 3 * (len(titles) + 1) // 2))
    for position, title in enumerate(titles):
        axes = figure.add_subplot((len(titles) + 1) // 2, 2, position + 1)
        for each in figures:
            if each["title"] == title:
                axes.plot(each["studies"], [seconds * 1000 for seconds in each["seconds"]], "o-", label=each["who"])
        axes.set_title(title, fontsize=9)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylabel("ms")
        axes.legend(fontsize=7)
    figure.tight_layout()
    yield figure


def _quantities(figures: Figures) -> Iterator[Figure]:
    """Draw each quantity of the index by the size of the archive."""
    figure = Figure(figsize=(10, 3 * (len(figures) + 1) // 2))
    for position, each in enumerate(figures):
        axes = figure.add_subplot((len(figures) + 1) // 2, 2, position + 1)
        axes.plot(each["studies"], each["values"], "o-")
        axes.set_title(each["quantity"]["title"], fontsize=9)
        axes.set_xscale("log")
        axes.set_yscale("log")
    figure.tight_layout()
    yield figure


def _empty(rows: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 1 + 0.25 * rows))
    return figure, figure.add_subplot()


def _rows(axes: Axes, names: Iterable[str]) -> None:
    labels = list(names)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.invert_yaxis()


_DRAWINGS: Mapping[str, Callable[[Figures], Iterator[Figure]]] = {
    "Comparison": _processors,
    "Measured": _layouts,
    "Trend": _trends,
    "Sized": _quantities,
}
