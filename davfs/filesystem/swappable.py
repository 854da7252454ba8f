"""A mapping whose content can be swapped as a whole while other threads read it."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Swappable(Mapping[str, T], Generic[T]):
    """A mapping for many threads; an iteration sees one content from its beginning to its end.

    Args:
        content: The first content.
    """

    def __init__(self, content: Mapping[str, T]) -> None:
        self._content = dict(content)

    def swap(self, content: Mapping[str, T]) -> None:
        """Replace the content."""
        self._content = dict(content)

    def __getitem__(self, name: str) -> T:
        return self._content[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)
