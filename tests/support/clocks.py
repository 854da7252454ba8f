"""A clock that a test sets."""

from dataclasses import dataclass

import pytest


@dataclass
class Clock:
    """Goes on only where a test sets it.

    Attributes:
        now: Seconds.
    """

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that begins at 0."""
    return Clock()
