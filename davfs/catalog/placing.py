"""From facts and layouts to placements: which base name a resource has in which folders of which layout."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice, product
from typing import Protocol

from davfs import names
from davfs.catalog.acquisition import shown_date
from davfs.catalog.plan import Plan, Step, group_node, patient_node
from davfs.layout import Layout
from davfs.layout.condition import matches
from davfs.layout.tags import SUBJECT
from davfs.orthanc.model import Level, OrthancId

_MOST = 256
"""Folders that one resource is in at most: the first combinations of the values of its groups."""


@dataclass(frozen=True, slots=True)
class Link:
    """A resource, as a link of a chain that begins with the study.

    Attributes:
        id: Its id.
        level: Its level.
        parent: Orthanc's id of the resource above.
        tags: Its own tags, and ``Labels`` (those above it included) and ``ModalitiesInStudy`` as if they were tags.
        merged: These and the tags above it; a tag of a lower level hides one of a higher.
        updated: Its last change, in seconds.
        patient: Of a study, its own patient attributes.
        series: Of a study, the tags of each of its series, where they are asked for.
    """

    id: OrthancId
    level: Level
    parent: str
    tags: Mapping[str, str]
    merged: Mapping[str, str]
    updated: int
    patient: Mapping[str, str] = field(default_factory=dict)
    series: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """One placement.

    Attributes:
        folder: Node of the folder that it is in, empty for the layout's root.
        node: What is in it.
        key: What decides whether two names are the same (`davfs.names.folded`).
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

    @property
    def relative(self) -> bool:
        """Whether a condition of one of them goes by today's date."""

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
        self.relative = any(plan.relative for plan in self.plans)
        self.today = today

    def place(self, plan: Plan, chain: Sequence[Link]) -> Iterator[Placed]:
        """See `Placer`."""
        resource = chain[-1]
        steps = plan.steps[resource.level]
        if not steps or (plan.narrowed and not self._matches(plan, chain[0])):
            return
        moment = shown_date(plan.layout, resource.level, resource.merged)
        for step in steps:
            groups: dict[str, Placed] = {}
            for folder in _folders(step, _roots(plan, step, chain), resource.merged, groups, moment):
                if step.level is Level.PATIENT:
                    yield _patient(plan, step, folder, resource, moment)
                else:
                    digits = plan.layout.digest(resource.id)
                    name = step.template.render(resource.merged, digits) if step.template else ""
                    yield Placed(folder, resource.id, names.folded(name), name, shared=False, date=moment)
            yield from groups.values()

    def _matches(self, plan: Plan, study: Link) -> bool:
        return matches(plan.layout.where, study.patient, study.tags, study.series, self.today())


def _roots(plan: Plan, step: Step, chain: Sequence[Link]) -> list[str]:
    """Return the nodes of the folders right above the groups of a step, empty for the layout's root."""
    if step.above is Level.PATIENT and plan.patients:
        study = chain[0]
        folders = _folders(plan.patients, [""], study.merged, {})
        return [_patient(plan, plan.patients, folder, study).node for folder in folders]
    return [next((link.id for link in chain if link.level is step.above), "")]


def _folders(
    step: Step, roots: Iterable[str], tags: Mapping[str, str], groups: dict[str, Placed], moment: datetime | None = None
) -> Iterator[str]:
    """Yield the nodes of the folders that a resource belongs into; put the groups on the way there into ``groups``."""
    for folder, *values in islice(product(roots, *(template.values(tags) for _, template in step.groups)), _MOST):
        node = folder
        for (index, _), value in zip(step.groups, values, strict=True):
            above, node = node, group_node(node, index, value)
            groups[node] = Placed(above, node, names.folded(value), value, shared=True, date=moment)
        yield node


def _patient(plan: Plan, step: Step, folder: str, study: Link, moment: datetime | None = None) -> Placed:
    """Place the folder of a study's patient in a folder, under the name that the study's own attributes give it."""
    owner = study.parent
    if plan.layout.anonymised:  # that several people are one patient of Orthanc's tells something about their IDs
        whose = study.merged[SUBJECT].encode(errors="surrogatepass")
        owner += f".{hashlib.sha1(whose, usedforsecurity=False).hexdigest()}"
    name = step.template.render(study.merged, plan.layout.digest(owner)) if step.template else ""
    node = patient_node(owner, plan.key, folder, name)
    return Placed(folder, node, names.folded(name), name, shared=True, date=moment)
