"""A mapping whose whole content can be exchanged while others read it."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Swappable(Mapping[str, T], Generic[T]):
    """A mapping that is read by many threads; whoever walks over it sees one content to the end.

    Args:
        content: What it holds at first.
    """

    def __init__(self, content: Mapping[str, T]) -> None:
        self._content = dict(content)

    def become(self, content: Mapping[str, T]) -> None:
        """Exchange the content."""
        self._content = dict(content)

    def __getitem__(self, name: str) -> T:
        return self._content[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)
