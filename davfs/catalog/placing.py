"""From facts and layouts to placements: which base name a resource has in which folder of which layout."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from davfs import names
from davfs.layout import Layout, LayoutLevel
from davfs.orthanc.model import Level, OrthancId


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A resource with its own tags, as a link of a chain that begins with the patient."""

    id: OrthancId
    level: Level
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Placed:
    """One placement.

    Attributes:
        layout: Title of the layout.
        folder: Resource whose folder it is in; None for the layout's root.
        key: What decides whether two names are the same (`davfs.names.key`).
        name: Base name, without a suffix.
    """

    layout: str
    folder: OrthancId | None
    key: str
    name: str


class Placer(Protocol):
    """Computes placements."""

    @property
    def signature(self) -> str:
        """Differs whenever the same facts would be placed elsewhere."""

    def place(self, chain: Sequence[Ancestor]) -> Iterator[Placed]:
        """Yield the placements of the last resource of a chain."""


class LayoutPlacer:
    """Places resources by layouts; instances are not placed, a series' files are named when it is shown."""

    def __init__(self, layouts: Sequence[Layout]) -> None:
        self._layouts = layouts

    @property
    def signature(self) -> str:
        """See `Placer`."""
        return hashlib.sha256(repr(self._layouts).encode()).hexdigest()

    def place(self, chain: Sequence[Ancestor]) -> Iterator[Placed]:
        """See `Placer`."""
        resource = chain[-1]
        for layout in self._layouts:
            levels = {level.resource: level for level in layout.levels}
            if resource.level in levels:
                name = base_name(levels[resource.level], [link.tags for link in chain], resource.id)
                yield Placed(layout.title, _folder(levels, chain), names.key(name), name)


def _folder(levels: Mapping[Level, LayoutLevel], chain: Sequence[Ancestor]) -> OrthancId | None:
    above = [link.id for link in chain[:-1] if link.level in levels]
    return above[-1] if above else None


def base_name(level: LayoutLevel, tags: Sequence[Mapping[str, str]], resource: OrthancId) -> str:
    """Return the name of a resource before suffixes; a tag of a lower level hides one of a higher."""
    merged: dict[str, str] = {}
    for one in tags:
        merged.update(one)
    return level.template.render(merged, resource)
