"""The memory of a process, as Linux counts it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.figures import MET, Goal

_PEAK = "5"
"""Written into ``clear_refs``, it makes the peak what is resident now (proc_pid_clear_refs(5))."""


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much a process grew at most while something was done.

    Attributes:
        title: What was done.
        size: Bytes.
        limit: It has to stay below so many bytes.
    """

    HEADINGS: ClassVar[tuple[str, ...]] = ("", "memory grew by MB", "goal", "met")
    LEFT: ClassVar[frozenset[int]] = frozenset({0})

    title: str
    size: int
    limit: int

    @property
    def met(self) -> bool:
        """Whether it stayed below the limit."""
        return self.size < self.limit

    def row(self) -> tuple[str, ...]:
        """See `Figure`."""
        (goal,) = self.goals()
        return (self.title, f"{self.size / (1 << 20):.1f}", goal.wanted, MET[self.met])

    def goals(self) -> tuple[Goal, ...]:
        """See `Figure`."""
        grown = f"{self.size / (1 << 20):.1f} MB"
        return (Goal(f"{self.title}: memory grew by", f"< {self.limit >> 20} MB", grown, self.met),)


class Memory:
    """The resident memory of a process, from now on.

    Args:
        process: Its id.
    """

    def __init__(self, process: int) -> None:
        self._folder = Path(f"/proc/{process}")
        (self._folder / "clear_refs").write_text(_PEAK)
        self._before = self._read("VmRSS")

    def growth(self) -> int:
        """Return the bytes between what was resident at the beginning and the peak since then."""
        return self._read("VmHWM") - self._before

    def _read(self, key: str) -> int:
        found = re.search(rf"^{key}:\s+(\d+) kB$", (self._folder / "status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024
