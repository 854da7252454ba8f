"""The images of an entry of the trash, by study and series."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from davfs.orthanc.model import Level, OrthancId

Instances: TypeAlias = Mapping[OrthancId, frozenset[OrthancId]]
"""Ids of instances by series."""


@dataclass(frozen=True)  # without slots, for what is computed once
class EntryImages:
    """Images in the trash.

    Attributes:
        by_study: Those of each study, by series.
    """

    by_study: Mapping[OrthancId, Instances] = field(default_factory=dict)

    @cached_property
    def ids(self) -> frozenset[OrthancId]:
        """Ids of all studies, series and instances, in whole or in part."""
        return frozenset(one for level in (Level.STUDY, Level.SERIES, Level.INSTANCE) for one in self.ids_of(level))

    def ids_of(self, level: Level) -> Collection[OrthancId]:
        """Return the ids of its studies, series or instances, in whole or in part."""
        if level is Level.STUDY:
            return self.by_study.keys()
        if level is Level.SERIES:
            return [series for study in self.by_study.values() for series in study]
        return [one for study in self.by_study.values() for ids in study.values() for one in ids]

    def part(self, resources: Iterable[OrthancId]) -> "EntryImages":
        """Return those of the images that are below resources, of any level but patients."""
        wanted = set(resources)
        found = dict[OrthancId, Instances]()
        for study, instances in self.by_study.items():
            taken = {
                series: ids if study in wanted or series in wanted else ids & wanted
                for series, ids in instances.items()
            }
            if left := {series: ids for series, ids in taken.items() if ids}:
                found[study] = left
        return EntryImages(found)
