"""Figures that the benchmark finds, and the goals that they are held against."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

MET = {None: "", True: "yes", False: "NO"}


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal, and what was found.

    Attributes:
        what: What was measured.
        wanted: The goal.
        found: The figure.
        met: Whether it is met.
    """

    what: str
    wanted: str
    found: str
    met: bool


class Figure(Protocol):
    """One line of a table. Figures with the same headings make one table."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    HEADINGS: ClassVar[tuple[str, ...]]
    LEFT: ClassVar[frozenset[int]]
    """Columns that are set to the left."""

    def row(self) -> tuple[str, ...]:
        """Return its cells."""

    def goals(self) -> tuple[Goal, ...]:
        """Return the goals that it is held against."""


def spread(values: Sequence[float]) -> str:
    """Return the median of some values, the smallest and the largest one as text."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
