"""Computes placements: the folders of a layout in which a resource appears, and its base name there."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice, product

from davfs import names
from davfs.catalog.acquisition import shown_date
from davfs.catalog.plan import PlacementRule, Plan, group_node, patient_node
from davfs.layout import Layout
from davfs.layout.condition import matches
from davfs.layout.tags import SUBJECT
from davfs.orthanc.model import Level, OrthancId

_MAX_FOLDERS = 256
"""Folders in which one resource appears at most: the first combinations of the values of its groups."""


@dataclass(frozen=True, slots=True)
class TaggedResource:
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
class Placement:
    """An entry of a folder of a layout.

    Attributes:
        folder: Node of the folder, empty for the layout's root.
        node: Node of the entry.
        key: The name as it is compared (`davfs.names.folded`).
        name: Base name, without a suffix.
        shared: Whether it is a group or a patient, which other resources may place there too.
        date: Date of acquisition, if the layout shows that and the tags have it; otherwise the last change counts.
    """

    folder: str
    node: str
    key: str
    name: str
    shared: bool
    date: datetime | None


class Placer:
    """Places studies and series by layouts; instances get their names when their folder is listed.

    Args:
        layouts: The layouts.
        today: Returns today's date, in local time, for conditions.

    Attributes:
        plans: The layouts as plans.
        relative: Whether a condition of one of them depends on today's date.
    """

    def __init__(self, layouts: Iterable[Layout], today: Callable[[], date] = date.today) -> None:
        self.plans = tuple(map(Plan.of, layouts))
        self.relative = any(plan.relative for plan in self.plans)
        self.today = today

    def place(self, plan: Plan, lineage: Sequence[TaggedResource]) -> Iterator[Placement]:
        """Yield the placements of the last resource of a lineage, which is a study, or a study and its series."""
        resource = lineage[-1]
        rules = plan.rules[resource.level]
        if not rules or (plan.conditional and not self._matches(plan, lineage[0])):
            return
        moment = shown_date(plan.layout, resource.level, resource.merged)
        for rule in rules:
            groups: dict[str, Placement] = {}
            for folder in _folders(rule, _roots(plan, rule, lineage), resource.merged, groups, moment):
                if rule.level is Level.PATIENT:
                    yield _patient(plan, rule, folder, resource, moment)
                else:
                    digits = plan.layout.digest(resource.id)
                    name = rule.template.render(resource.merged, digits) if rule.template else ""
                    yield Placement(folder, resource.id, names.folded(name), name, shared=False, date=moment)
            yield from groups.values()

    def _matches(self, plan: Plan, study: TaggedResource) -> bool:
        return matches(plan.layout.where, study.patient, study.tags, study.series, self.today())


def _roots(plan: Plan, rule: PlacementRule, lineage: Sequence[TaggedResource]) -> list[str]:
    """Return the nodes of the folders right above the groups of a rule, empty for the layout's root."""
    if rule.above is Level.PATIENT and plan.patients:
        study = lineage[0]
        folders = _folders(plan.patients, [""], study.merged, {})
        return [_patient(plan, plan.patients, folder, study).node for folder in folders]
    return [next((each.id for each in lineage if each.level is rule.above), "")]


def _folders(
    rule: PlacementRule,
    roots: Iterable[str],
    tags: Mapping[str, str],
    groups: dict[str, Placement],
    moment: datetime | None = None,
) -> Iterator[str]:
    """Yield the nodes of the folders of a resource; add the groups on the way there to ``groups``."""
    values_of_groups = (template.values(tags) for _, template in rule.groups)
    for folder, *values in islice(product(roots, *values_of_groups), _MAX_FOLDERS):
        node = folder
        for (index, _), value in zip(rule.groups, values, strict=True):
            above, node = node, group_node(node, index, value)
            groups[node] = Placement(above, node, names.folded(value), value, shared=True, date=moment)
        yield node


def _patient(
    plan: Plan, rule: PlacementRule, folder: str, study: TaggedResource, moment: datetime | None = None
) -> Placement:
    """Place the patient folder of a study; the patient folder name comes from the study's own patient attributes."""
    owner = study.parent
    if plan.layout.anonymised:  # equal digests would reveal that several people share one ID
        person = study.merged[SUBJECT].encode(errors="surrogatepass")
        owner += f".{hashlib.sha1(person, usedforsecurity=False).hexdigest()}"
    name = rule.template.render(study.merged, plan.layout.digest(owner)) if rule.template else ""
    node = patient_node(owner, plan.key, folder, name)
    return Placement(folder, node, names.folded(name), name, shared=True, date=moment)
