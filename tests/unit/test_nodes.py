"""The checks of drives on one database, over answers that a test gives in PostgreSQL's place."""

from typing import Any, cast

import pytest

from davfs.orthanc import nodes


class Answer:
    """A connection that answers each query with the same rows."""

    def __init__(self, *rows: tuple[Any, ...]) -> None:
        self._rows = rows

    def execute(self, _query: str) -> "Answer":
        """Answer a query."""
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""
        return list(self._rows)

    def fetchone(self) -> tuple[Any, ...]:
        """Return the first row."""
        return self._rows[0]


def test_nodes_that_differ() -> None:
    """Each drive with another digest is named, and those with the same are not, nor is a name cut short an error."""
    others = Answer(("davfs 11 one", "10.0.0.1"), ("davfs 22 two", "10.0.0.2"), ("davfs ", "10.0.0.3"))
    found = [each.partition(" is ")[0] for each in nodes.unlike(cast("Any", others), "davfs 11 here")]
    assert found == ["the drive on two (10.0.0.2)", "the drive on  (10.0.0.3)"]


@pytest.mark.parametrize(("now", "expected"), [(1000.0, ""), (1059.0, ""), (1061.0, "+61 "), (700.0, "-300 ")])
def test_clock(now: float, expected: str) -> None:
    """A clock that is more than a minute off is named, with the seconds."""
    found = list(nodes.clock(cast("Any", Answer((1000,))), now))
    assert bool(found) is bool(expected)
    assert all(f"clock is {expected}seconds" in each for each in found)
