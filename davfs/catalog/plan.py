"""A layout as the index uses it: the rules by which resources are placed, the folders, and the nodes of folders.

The *node* of a study's or series' folder is the resource's Orthanc id. That of a group is forty hexadecimal digits,
made from the folder that it is in, its level and its name without case: values that differ in case only share a folder.

The node of a patient folder is the Orthanc id of the patient, a slash, and thirty digits that are made like those of
a group. So studies of one Orthanc patient share a folder if their own patient attributes give it the same name; if
these contradict each other, each name has a folder.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import takewhile
from typing import Self

from davfs import names
from davfs.layout import Layout, Template
from davfs.layout.model import Dates, LayoutLevel
from davfs.layout.tags import DEFAULT, LABELS, MODALITIES
from davfs.orthanc.model import Level, OrthancId

_ID = len("01234567-01234567-01234567-01234567-01234567")
_SUFFIXED = 30
"""Digits after the slash of a patient's node."""
DEPTHS = {level: depth for depth, level in enumerate(Level)}
"""How far below a patient a level is."""
_OF_STUDIES = DEFAULT[Level.PATIENT] | DEFAULT[Level.STUDY] | {LABELS}
"""Tags that conditions can use without those of the series."""


@dataclass(frozen=True, slots=True)
class PlacementRule:
    """Places the resources of a level, and the groups right above them.

    Attributes:
        level: Level of the resources.
        above: Level of the resource in whose folder all this is; None for the layout's root.
        groups: Index in the layout and template of each group, from the top down.
        template: Template of the resources' names; None for series without a folder, placed to find their files.
    """

    level: Level
    above: Level | None
    groups: tuple[tuple[int, Template], ...]
    template: Template | None

    @property
    def is_read(self) -> bool:
        """True if nothing is stored by it: the series of a study are found without that."""
        return (self.level, self.above, self.groups) == (Level.SERIES, Level.STUDY, ()) and self.template is not None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The rules by which a layout places resources.

    Attributes:
        layout: The layout.
        key: A digest of all on which its placements depend, under which they are stored; layouts that differ in title,
            description, or the names of files only have the same one.
        rules: The rules for studies and for series.
        patients: The rule for patient folders; None if the layout has none.
        series: Template of the series right in a study's folder, whose rows are computed when they are read; or None.
        conditional: Whether there are conditions.
        relative: Whether a condition depends on today's date.
        reads_series: Whether the placements of a study depend on the tags of its series.
        dated_by_reception: Whether it shows the date of a resource's last change in Orthanc.
        labels: Number of levels, from the patient down, whose labels matter: Orthanc does not log changes of labels.
    """

    layout: Layout
    key: str
    rules: Mapping[Level, tuple[PlacementRule, ...]]
    patients: PlacementRule | None
    series: Template | None
    conditional: bool
    relative: bool
    reads_series: bool
    dated_by_reception: bool
    labels: int

    @classmethod
    def of(cls, layout: Layout) -> Self:
        """Make the plan of a layout."""
        rules = tuple(_rules(layout))
        in_conditions = {condition.keyword for condition in layout.where}
        read = {(keyword, Level.STUDY) for keyword in in_conditions}
        for level in layout.levels:
            templates = (level.template, *(file.template for file in level.files))
            read |= {(keyword, level.tag_level) for template in templates for keyword in template.keywords}
        reads_series = bool(in_conditions - _OF_STUDIES) or any(keyword == MODALITIES for keyword, _ in read)
        labels = max((min(DEPTHS[level] + 1, 3) for keyword, level in read if keyword == LABELS), default=0)
        deciding = rules, layout.where, layout.dates, layout.options, layout.anonymised, reads_series, labels
        return cls(
            layout,
            hashlib.sha256(repr(deciding).encode("utf-8", "backslashreplace")).hexdigest()[:16],
            {level: _placed_with(level, rules) for level in (Level.STUDY, Level.SERIES)},
            next((rule for rule in rules if rule.level is Level.PATIENT), None),
            next((rule.template for rule in rules if rule.is_read), None),
            conditional=bool(layout.where),
            relative=any(condition.relative for condition in layout.where),
            reads_series=reads_series,
            dated_by_reception=layout.dates is Dates.RECEPTION and layout.anonymised is None,
            labels=labels,
        )


def _placed_with(level: Level, rules: Sequence[PlacementRule]) -> tuple[PlacementRule, ...]:
    """Return the rules by which studies or series are stored.

    A study is a member of its patient folders by that rule only if no other one places it there.
    """
    if level is Level.SERIES:
        return tuple(rule for rule in rules if rule.level is level and not rule.is_read)
    below_patients = any(rule.level is level and rule.above is Level.PATIENT for rule in rules)
    levels = {level} if below_patients else {level, Level.PATIENT}
    return tuple(rule for rule in rules if rule.level in levels)


def _rules(layout: Layout) -> Iterator[PlacementRule]:
    above: Level | None = None
    groups: list[tuple[int, Template]] = []
    for index, level in enumerate(layout.levels):
        if level.resource is None:
            groups.append((index, level.template))
            continue
        if level.resource is not Level.INSTANCE:
            yield PlacementRule(level.resource, above, tuple(groups), level.template)
        elif groups or (layout.where and above in {None, Level.PATIENT}):
            yield PlacementRule(Level.SERIES, above, tuple(groups), None)
        above, groups = level.resource, []


@dataclass(frozen=True)  # without slots, for what is computed once
class Folder:
    """A folder of a layout.

    Attributes:
        plan: That of the layout.
        depth: Levels above what is in it; 0 for the layout's root.
        id: Its node; None for the layout's root.
    """

    plan: Plan
    depth: int = 0
    id: str | None = None

    @cached_property
    def level(self) -> Level | None:
        """Level of the folder's resource; None for a group and for the layout's root."""
        return self.plan.layout.levels[self.depth - 1].resource if self.depth else None

    @cached_property
    def is_group(self) -> bool:
        """True for the folder of a group."""
        return self.depth > 0 and self.level is None

    @cached_property
    def is_shared(self) -> bool:
        """True if it contains groups or patients, each of which is shared by several resources, its members."""
        return self.shows in {None, Level.PATIENT}

    @cached_property
    def shown(self) -> LayoutLevel:
        """The layout's level of its entries."""
        return self.plan.layout.levels[self.depth]

    @cached_property
    def shows(self) -> Level | None:
        """Level of the resources that it contains; None for groups."""
        return self.shown.resource

    @cached_property
    def member_level(self) -> Level:
        """Level of the members of what it contains: study or series."""
        levels = self.plan.layout.levels[self.depth :]
        groups = len(list(takewhile(lambda level: level.resource is None, levels)))
        return Level.STUDY if levels[groups].resource in {Level.PATIENT, Level.STUDY} else Level.SERIES

    @cached_property
    def deciding_level(self) -> Level:
        """Lowest level of the resources on which its content depends."""
        below = Level.SERIES if self.plan.reads_series else Level.STUDY
        return max(below, self.member_level, key=DEPTHS.__getitem__)

    @cached_property
    def from_series(self) -> bool:
        """True if it contains the files of those series that are placed in it."""
        nameless = any(rule.template is None for rule in self.plan.rules[Level.SERIES])
        return self.shows is Level.INSTANCE and nameless

    def below(self, node: str) -> "Folder | None":
        """Return the folder of one of its entries; None below the layout's last level."""
        deeper = self.depth + 1
        return Folder(self.plan, deeper, node) if deeper < len(self.plan.layout.levels) else None


@lru_cache(maxsize=1000)  # for the studies of a patient, which often come together
def patient_node(owner: str, layout: str, folder: str, name: str) -> str:
    """Return the node of a patient folder.

    Args:
        owner: The Orthanc id of the patient, and for an anonymised layout a digest of the person.
        layout: `Plan.key`.
        folder: Node of the folder that it is in, empty for the layout's root.
        name: Its name.
    """
    text = f"{layout}/{folder}/{names.folded(name)}"
    return f"{owner}/{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:_SUFFIXED]}"


def patient_of(node: str) -> OrthancId:
    """Return the Orthanc id of the patient of a patient folder; for any other node, the node itself."""
    return OrthancId(node[:_ID])


@lru_cache(maxsize=20_000)
def group_node(folder: str, index: int, name: str) -> str:
    """Return the node of a group's folder.

    Args:
        folder: Node of the folder that it is in, empty for the layout's root.
        index: Index of its level in the layout.
        name: Its name.
    """
    text = f"{folder}/{index}/{names.folded(name)}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
