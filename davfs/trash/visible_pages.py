"""Pages of a list without what is in the trash: each has as many items as if the hidden ones had been deleted."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from davfs.orthanc.model import Level

_PAGE = 500

T = TypeVar("T")


class VisiblePages(Generic[T]):
    """The pages of a list, which Orthanc numbers with what is hidden.

    Args:
        fetch: Returns a page of Orthanc's own list, by level, number of items before it, and size.
        visible: Returns those of the items of a level that are visible, in their order.
    """

    def __init__(
        self,
        fetch: Callable[[Level, int, int], Sequence[T]],
        visible: Callable[[Level, Sequence[T]], Sequence[T]],
    ) -> None:
        self._fetch = fetch
        self._visible = visible
        self._places: dict[Level, dict[int, int]] = {}

    def page(self, level: Level, since: int, limit: int) -> list[T]:
        """Return a page of the visible items; see `davfs.orthanc.ResourceIndex`."""
        start = self._places.get(level, {}).get(since)
        found, last, end = self._fill(level, self._skip(level, since) if start is None else start, limit)
        behind = since + len(found)
        self._places[level] = {behind: end, behind - 1: last} if found else {}  # where the next page may begin
        return found

    def _skip(self, level: Level, count: int) -> int:
        """Return how many items of Orthanc's list stand before the first one behind so many visible ones."""
        start = 0
        while count > 0:
            found, _, end = self._fill(level, start, min(count, _PAGE))
            if end == start:
                break
            count, start = count - len(found), end
        return start

    def _fill(self, level: Level, start: int, limit: int) -> tuple[list[T], int, int]:
        """Return so many visible items from a place on, the place of the last of them, and the place behind it."""
        found, last = list[T](), start
        while len(found) < limit:
            wanted = limit - len(found)
            page = self._fetch(level, start, wanted)
            if kept := self._visible(level, page):
                found += kept
                last = start + page.index(kept[-1])
            start += len(page)
            if len(page) < wanted:
                break
        return found, last, start
