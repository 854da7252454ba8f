"""Computes placements: the folders of a layout in which a resource appears, and its base name there."""

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import islice, product
from types import MappingProxyType
from typing import NamedTuple, Self, TypeAlias

from davfs.catalog.acquisition import shown_date
from davfs.catalog.plan import PlacementRule, Plan, group_node, patient_node
from davfs.layout import Layout, Template
from davfs.layout.condition import matches
from davfs.layout.relative_dates import days_of
from davfs.layout.tags import SUBJECT
from davfs.orthanc.model import Level, OrthancId

_MAX_FOLDERS = 256
"""Folders in which one resource appears at most: the first combinations of the values of its groups."""
_ROOT = (("", ""),)
_GROUPS = 10_000
"""Values of groups whose folders are cached."""


class TaggedResource(NamedTuple):  # quicker to make than a dataclass, as are placements: an archive has many
    """A study or series with all tags on which its placements can depend.

    Attributes:
        id: Its id.
        level: Its level.
        parent: Orthanc's id of the resource above.
        tags: Its own tags, with ``Labels`` (also those of the resources above) and ``ModalitiesInStudy`` as tags.
        merged: Its tags and those above it; a tag of a lower level hides one of a higher level.
        updated: Its last change, in seconds.
        patient: Patient attributes of a study.
        series: Tags of each series of a study, if a layout needs them.
        row: Its number in the index's file.
    """

    id: OrthancId
    level: Level
    parent: str
    tags: Mapping[str, str]
    merged: Mapping[str, str]
    updated: int
    patient: Mapping[str, str] = MappingProxyType({})
    series: tuple[Mapping[str, str], ...] = ()
    row: int = 0


FolderPath: TypeAlias = tuple[tuple[str, str], ...]
"""Node and base name of each folder of groups and patients, from the top down. The first one is the folder in which
they begin, a resource's or the layout's root, whose node is empty; it has no name here."""


class Placement(NamedTuple):
    """A resource in a folder of a layout, and thereby in those above it.

    Attributes:
        path: The folder.
        name: Base name, without a suffix; empty for a series that is placed to find its files; None for a member that
            is not listed itself.
        date: The shown date, in seconds.
    """

    path: FolderPath
    name: str | None
    date: int


class Placer:
    """Places studies and series by layouts; instances get their names when their folder is listed.

    Args:
        layouts: The layouts.
        today: Returns today's date, in local time.

    Attributes:
        plans: The layouts as plans, each key once.
        today: See the argument.
        day: The date for which conditions are evaluated; at first today's.
    """

    def __init__(self, layouts: Iterable[Layout], today: Callable[[], date] = date.today) -> None:
        self.plans: Sequence[Plan] = tuple({plan.key: plan for plan in map(Plan.of, layouts)}.values())
        self.today = today
        self.day = today()

    def with_plans(self, plans: Sequence[Plan], day: date) -> Self:
        """Return a placer by other plans, or for another day."""
        other = copy.copy(self)
        other.plans, other.day = plans, day
        return other

    def place(self, plan: Plan, lineage: Sequence[TaggedResource]) -> Sequence[Placement]:
        """Return the placements of the last resource of a lineage, which is a study, or a study and its series."""
        resource = lineage[-1]
        rules, found = plan.rules[resource.level], list[Placement]()
        if not rules or (plan.conditional and not self.is_shown(plan, lineage[0])):
            return found
        date = date_of(plan, resource)
        for rule in rules:
            name = None if rule.level is Level.PATIENT else name_of(plan, rule.template, resource)
            found += [Placement(path, name, date) for path in _paths(plan, rule, lineage)]
        return found

    def is_shown(self, plan: Plan, study: TaggedResource) -> bool:
        """Return True if a study meets the conditions of a layout."""
        return not plan.conditional or matches(plan.layout.where, study.patient, study.tags, study.series, self.day)

    def days(self, plan: Plan, study: TaggedResource) -> set[int]:
        """Return the days on which the placements of a study by a layout with relative dates depend."""
        return days_of(plan.layout.where, study.patient, study.tags, study.series)


def name_of(plan: Plan, template: Template | None, resource: TaggedResource) -> str:
    """Return the base name of a study's or series' folder; an empty text without a template."""
    return _rendered(plan, template, resource.merged, resource.id)


def _rendered(plan: Plan, template: Template | None, tags: Mapping[str, str], node: str) -> str:
    if template is None:
        return ""
    return template.render(tags, plan.layout.digest(node) if template.has_id else "")


def date_of(plan: Plan, resource: TaggedResource) -> int:
    """Return the date that a layout shows for a resource, in seconds: of acquisition, or of the last change."""
    if plan.dated_by_reception:
        return resource.updated
    moment = shown_date(plan.layout, resource.level, resource.merged)
    return int(moment.timestamp()) if moment else resource.updated


def _paths(plan: Plan, rule: PlacementRule, lineage: Sequence[TaggedResource]) -> Sequence[FolderPath]:
    """Return the folders in which a rule places the last resource of a lineage."""
    tags = lineage[-1].merged
    if rule.level is Level.PATIENT:
        return _patients(plan, rule, lineage[0])
    if rule.above is Level.PATIENT and plan.patients:
        return _below(rule, _patients(plan, plan.patients, lineage[0]), tags)
    if rule.above is None:
        return _below(rule, (_ROOT,), tags)
    return _below(rule, (((next((each.id for each in lineage if each.level is rule.above), ""), ""),),), tags)


def _below(rule: PlacementRule, tops: Sequence[FolderPath], tags: Mapping[str, str]) -> Sequence[FolderPath]:
    """Return the folders of the groups of a rule, for each combination of their values."""
    if not rule.groups:
        return tops[:_MAX_FOLDERS]
    groups = tuple([(index, template.values(tags)) for index, template in rule.groups])
    return _of_groups(tops, groups)


@lru_cache(_GROUPS)  # many studies are in each folder
def _of_groups(tops: Sequence[FolderPath], groups: tuple[tuple[int, tuple[str, ...]], ...]) -> Sequence[FolderPath]:
    """Return the folders of groups below other folders; groups are given by their index and values."""
    values_of_groups = product(*(values for _, values in groups))
    some = islice(product(tops, values_of_groups), _MAX_FOLDERS)
    return tuple(_deeper(path, groups, values) for path, values in some)


def _deeper(path: FolderPath, groups: tuple[tuple[int, tuple[str, ...]], ...], values: Sequence[str]) -> FolderPath:
    for (index, _), value in zip(groups, values, strict=True):
        path = (*path, (group_node(path[-1][0], index, value), value))
    return path


def _patients(plan: Plan, rule: PlacementRule, study: TaggedResource) -> Sequence[FolderPath]:
    """Return the patient folders of a study; the patient folder name comes from the study's own patient attributes."""
    owner = study.parent
    if plan.layout.anonymised:  # equal digests would reveal that several people share one ID
        person = study.merged[SUBJECT].encode(errors="surrogatepass")
        owner += f".{hashlib.sha1(person, usedforsecurity=False).hexdigest()}"
    name = _rendered(plan, rule.template, study.merged, owner)
    paths = _below(rule, (_ROOT,), study.merged)
    return tuple([(*path, (patient_node(owner, plan.key, path[-1][0], name), name)) for path in paths])
