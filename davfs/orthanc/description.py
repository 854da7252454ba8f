"""Builds JSON in the form in which Orthanc describes a patient, study or series."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from davfs.orthanc.model import Level, OrthancId, Resource

DATE = "%Y%m%dT%H%M%S"
"""Orthanc's form of a date in UTC."""
NAMES = {Level.PATIENT: "Patient", Level.STUDY: "Study", Level.SERIES: "Series", Level.INSTANCE: "Instance"}
"""The type of a resource of each level."""
LEVELS = {name: level for level, name in NAMES.items()}
"""The level of each type."""
PARENTS = {Level.STUDY: "ParentPatient", Level.SERIES: "ParentStudy", Level.INSTANCE: "ParentSeries"}
"""Key of the resource above."""
CHILDREN = {Level.PATIENT: "Studies", Level.STUDY: "Series", Level.SERIES: "Instances"}
"""Key of the resources below."""


def described(resource: Resource, children: Sequence[OrthancId]) -> bytes:
    """Return JSON in the form of ``GET /{level}/{id}``, with as much of it as is known.

    Args:
        resource: A patient, study or series.
        children: The ids right below it.
    """
    found: dict[str, Any] = {
        "ID": resource.id,
        "Type": NAMES[resource.level],
        "MainDicomTags": dict(resource.tags),
        CHILDREN[resource.level]: list(children),
    }
    if resource.parent:
        found[PARENTS[resource.level]] = resource.parent
    if resource.updated:
        found["LastUpdate"] = resource.updated.strftime(DATE)
    if resource.level is Level.STUDY:
        found["PatientMainDicomTags"] = dict(resource.patient)
    return json.dumps(found, ensure_ascii=False, indent=3, sort_keys=True).encode()


def agreed(people: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """Return those of the patient attributes of several studies that do not contradict each other."""
    keywords = {keyword for one in people for keyword in one}
    values = {keyword: {one.get(keyword, "") for one in people} for keyword in sorted(keywords)}
    return {keyword: found.pop() for keyword, found in values.items() if len(found) == 1}
