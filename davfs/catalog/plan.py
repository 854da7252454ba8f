"""A layout as the catalog sees it: what is placed for each resource, and what that depends on.

A folder is a *node*. That of a study or series has the resource's Orthanc id. That of a group has forty hexadecimal
digits of its own, made from the folder that it is in, its level and its name without case: so values that differ in
case alone share a folder, and `davfs.names` treats groups as it treats resources.

A patient's folder is there for the sake of studies, as a group's is. Its node is the Orthanc id of their patient, a
slash, and thirty digits that are made like those of a group. So studies of one Orthanc patient share a folder where
their own attributes give it the same name; where those contradict each other, each name has a folder.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from typing import Self

from davfs import names
from davfs.layout import Layout, Template
from davfs.layout.model import Dates, LayoutLevel
from davfs.layout.tags import DEFAULT, LABELS, MODALITIES
from davfs.orthanc.model import Level, OrthancId

_ID = len("01234567-01234567-01234567-01234567-01234567")
_SUFFIXED = 30
"""Digits of a patient's node that are its own."""
DEPTHS = {level: depth for depth, level in enumerate(Level)}
"""How far below a patient a level is."""
_OF_STUDIES = DEFAULT[Level.PATIENT] | DEFAULT[Level.STUDY] | {LABELS}
"""What a condition can read without looking at series."""
_PLACED_FOR = {Level.STUDY: (Level.PATIENT, Level.STUDY), Level.SERIES: (Level.SERIES,)}
"""Levels of what is placed for the sake of a study, and of a series."""


@dataclass(frozen=True, slots=True)
class Step:
    """A level of resources, and the groups right above it.

    Attributes:
        level: Level of the resources.
        above: Level of the resource in whose folder all this is; None for the layout's root.
        groups: Template and place in the layout of each group, from the top down.
        template: How the resources are called; None for series that are placed so that their files are found.
    """

    level: Level
    above: Level | None
    groups: tuple[tuple[int, Template], ...]
    template: Template | None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What of the facts appears where in one layout.

    Attributes:
        layout: The layout.
        key: Another one for each other tree: placements are stored under it.
        steps: What is placed for the sake of each study and series.
        patients: That of the steps that places the folders of patients; None where the layout has none.
        narrowed: Whether there are conditions.
        relative: Whether a condition goes by today's date.
        reads_series: Whether the place of a study, or what is below it, depends on the tags of its series.
        labels: Number of levels, from the patient down, whose labels anything depends on: of these, Orthanc's log does
            not tell.
    """

    layout: Layout
    key: str
    steps: Mapping[Level, tuple[Step, ...]]
    patients: Step | None
    narrowed: bool
    relative: bool
    reads_series: bool
    labels: int

    @classmethod
    def of(cls, layout: Layout) -> Self:
        """Make the plan of a layout."""
        anonymous, steps = replace(layout, description="", file=""), tuple(_steps(layout))
        asked = {condition.keyword for condition in layout.where}
        read = {(keyword, Level.STUDY) for keyword in asked}
        for level in layout.levels:
            templates = (level.template, *(file.template for file in level.files))
            read |= {(keyword, level.over) for template in templates for keyword in template.keywords}
        return cls(
            layout,
            hashlib.sha256(repr(anonymous).encode("utf-8", "backslashreplace")).hexdigest()[:16],
            {level: tuple(step for step in steps if step.level in _PLACED_FOR[level]) for level in _PLACED_FOR},
            next((step for step in steps if step.level is Level.PATIENT), None),
            narrowed=bool(layout.where),
            relative=any(test.relative for condition in layout.where for test in condition.tests),
            reads_series=bool(asked - _OF_STUDIES) or any(keyword == MODALITIES for keyword, _ in read),
            labels=max((min(DEPTHS[over] + 1, 3) for keyword, over in read if keyword == LABELS), default=0),
        )

    @property
    def shows_changes(self) -> bool:
        """True where folders have the dates of the last change in them."""
        return self.layout.dates is Dates.RECEPTION and self.layout.anonymised is None


def _steps(layout: Layout) -> Iterator[Step]:
    above: Level | None = None
    groups: list[tuple[int, Template]] = []
    for index, level in enumerate(layout.levels):
        if level.resource is None:
            groups.append((index, level.template))
            continue
        if level.resource is not Level.INSTANCE:
            yield Step(level.resource, above, tuple(groups), level.template)
        elif groups or (layout.where and above in {None, Level.PATIENT}):
            yield Step(Level.SERIES, above, tuple(groups), None)
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
        """Level of the resource whose folder it is; None for a group and for the layout's root."""
        return self.plan.layout.levels[self.depth - 1].resource if self.depth else None

    @cached_property
    def is_group(self) -> bool:
        """Whether it is the folder of a group."""
        return self.depth > 0 and self.level is None

    @cached_property
    def is_shared(self) -> bool:
        """Whether what is in it is there for the sake of several resources: groups and patients."""
        return self.shows in {None, Level.PATIENT}

    @cached_property
    def shown(self) -> LayoutLevel:
        """The level of what is in it."""
        return self.plan.layout.levels[self.depth]

    @cached_property
    def shows(self) -> Level | None:
        """Level of the resources in it; None for groups."""
        return self.shown.resource

    @cached_property
    def holders(self) -> Level:
        """Level of the resources for whose sake there is something in it: study or series."""
        levels = self.plan.layout.levels[self.depth :]
        groups = len(list(takewhile(lambda level: level.resource is None, levels)))
        return Level.STUDY if levels[groups].resource in {Level.PATIENT, Level.STUDY} else Level.SERIES

    @cached_property
    def decided_by(self) -> Level:
        """Level of the resources that have to be known to tell what is in it."""
        below = Level.SERIES if self.plan.reads_series else Level.STUDY
        return max(below, self.holders, key=DEPTHS.__getitem__)

    @cached_property
    def from_series(self) -> bool:
        """Whether it shows the files of those series that are placed in it."""
        nameless = any(step.template is None for step in self.plan.steps[Level.SERIES])
        return self.shows is Level.INSTANCE and nameless

    def below(self, node: str) -> "Folder | None":
        """Return the folder of something in it; None where the layout ends."""
        deeper = self.depth + 1
        return Folder(self.plan, deeper, node) if deeper < len(self.plan.layout.levels) else None


def patient_node(owner: str, layout: str, folder: str, name: str) -> str:
    """Return the node of a patient's folder.

    Args:
        owner: The Orthanc id of the patient, and what else decides whose it is.
        layout: `Plan.key`.
        folder: Node of the folder that it is in, empty for the layout's root.
        name: Its name.
    """
    text = f"{layout}/{folder}/{names.folded(name)}"
    return f"{owner}/{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:_SUFFIXED]}"


def patient_of(node: str) -> OrthancId:
    """Return the Orthanc id of the patient whose folder it is; of any other node, the node itself."""
    return OrthancId(node[:_ID])


def group_node(folder: str, index: int, name: str) -> str:
    """Return the node of a group's folder.

    Args:
        folder: Node of the folder that it is in, empty for the layout's root.
        index: Place of its level in the layout.
        name: Its name.
    """
    text = f"{folder}/{index}/{names.folded(name)}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
