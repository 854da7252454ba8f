"""From facts and layouts to placements: which base name a resource has in which folders of which layout."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice, product
from typing import Protocol

from davfs import names
from davfs.catalog.acquisition import acquired
from davfs.catalog.plan import DEPTHS, Plan, Step, group_node
from davfs.layout import Layout
from davfs.layout.condition import matches
from davfs.layout.model import Dates
from davfs.orthanc.model import Level, OrthancId

_MOST = 256
"""Folders that one resource is in at most: the first combinations of the values of its groups."""


@dataclass(frozen=True, slots=True)
class Link:
    """A resource, as a link of a chain that begins with the patient.

    Attributes:
        id: Its id.
        level: Its level.
        tags: Its own tags, and ``Labels`` (those above it included) and ``ModalitiesInStudy`` as if they were tags.
        merged: These and the tags above it; a tag of a lower level hides one of a higher.
        updated: Its last change, in seconds.
        series: Of a study, the tags of each of its series, where they are asked for.
    """

    id: OrthancId
    level: Level
    tags: Mapping[str, str]
    merged: Mapping[str, str]
    updated: int
    series: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """One placement.

    Attributes:
        folder: Node of the folder that it is in, empty for the layout's root.
        node: What is in it.
        key: What decides whether two names are the same (`davfs.names.key`).
        name: Base name, without a suffix.
        shared: Whether other resources may have the same placement: it is there until the last of them is gone.
        date: When it was acquired, where the layout shows that and the tags tell; otherwise its last change counts.
    """

    folder: str
    node: str
    key: str
    name: str
    shared: bool
    date: datetime | None


class Placer(Protocol):
    """Computes placements."""

    @property
    def plans(self) -> Sequence[Plan]:
        """The layouts that resources are placed by."""

    def today(self) -> date:
        """Return the day that conditions go by."""

    def place(self, plan: Plan, chain: Sequence[Link]) -> Iterable[Placed]:
        """Return the placements that are there because of the last resource of a chain."""


class LayoutPlacer:
    """Places resources by layouts; instances are not placed, a series' files are named when it is shown.

    Args:
        layouts: The layouts.
        today: Tells the day, in the time of the place where studies are dated.
    """

    def __init__(self, layouts: Iterable[Layout], today: Callable[[], date] = date.today) -> None:
        self.plans = tuple(map(Plan.of, layouts))
        self.today = today

    def place(self, plan: Plan, chain: Sequence[Link]) -> Iterator[Placed]:
        """See `Placer`."""
        level = chain[-1].level
        steps = plan.steps[level]
        if not steps or (plan.narrowed and not self._matches(plan, chain)):
            return
        moment = acquired(level, chain[-1].merged) if plan.dates is Dates.ACQUISITION else None
        for step in steps:
            own = step.level is level
            upper = chain if own else [link for link in chain if DEPTHS[link.level] <= DEPTHS[step.level]]
            yield from _placed(plan.layout, step, upper, moment, shared=not own)

    def _matches(self, plan: Plan, chain: Sequence[Link]) -> bool:
        patient = next((link.tags for link in chain if link.level is Level.PATIENT), {})
        studies = (link for link in chain if link.level is Level.STUDY)
        return any(matches(plan.layout.where, patient, study.tags, study.series, self.today()) for study in studies)


def _placed(
    layout: Layout, step: Step, chain: Sequence[Link], moment: datetime | None, *, shared: bool
) -> Iterator[Placed]:
    resource = chain[-1]
    root = next((link.id for link in chain if link.level is step.above), "")
    name = step.template.render(resource.merged, layout.mark(resource.id)) if step.template else ""
    date = None if shared else moment
    groups: dict[str, Placed] = {}
    for values in islice(product(*(template.values(resource.merged) for _, template in step.groups)), _MOST):
        folder: str = root
        for (index, _), value in zip(step.groups, values, strict=True):
            node = group_node(folder, index, value)
            groups[node] = Placed(folder, node, names.key(value), value, shared=True, date=moment)
            folder = node
        yield Placed(folder, resource.id, names.key(name), name, shared, date)
    yield from groups.values()
