"""Parses the JSON in which Orthanc describes resources and changes, and writes that of a patient, study or series."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from davfs.orthanc.model import Change, Changes, Instance, Level, OrthancId, Resource, WithChildren
from davfs.orthanc.responses import as_list, parse_errors

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


@parse_errors()
def parse_changes(body: bytes) -> Changes:
    """Parse a page of ``/changes``, without changes of anything but the four levels."""
    page = json.loads(body)
    entries = tuple(
        Change(one["Seq"], one["ChangeType"], LEVELS[one["ResourceType"]], OrthancId(one["ID"]), one["Date"])
        for one in page["Changes"]
        if one["ResourceType"] in LEVELS
    )
    return Changes(entries, int(page["Last"]), bool(page["Done"]))


@parse_errors()
def parse_ids(body: bytes) -> Sequence[OrthancId]:
    """Parse a list of ids."""
    found: list[OrthancId] = as_list(json.loads(body))
    return found


@parse_errors()
def parse_resources(body: bytes) -> Sequence[Resource]:
    """Parse a list of resources, without the instances among them."""
    return [_resource(item) for item in as_list(json.loads(body)) if item["Type"] != "Instance"]


@parse_errors()
def parse_with_children(body: bytes) -> WithChildren:
    """Parse a patient, study or series with the ids right below it."""
    return read_with_children(json.loads(body))


def read_with_children(item: Mapping[str, Any]) -> WithChildren:
    """Return a patient, study or series with the ids right below it; call it within `parse_errors`."""
    resource = _resource(item)
    return WithChildren(resource, as_list(item[CHILDREN[resource.level]]))


def _resource(item: Mapping[str, Any]) -> Resource:
    level = LEVELS[item["Type"]]
    return Resource(
        OrthancId(item["ID"]),
        level,
        OrthancId(item[PARENTS[level]]) if level in PARENTS else None,
        _tags(item["MainDicomTags"]),
        parse_date(item.get("LastUpdate")),
        tuple(item.get("Labels", ())),
        _tags(item.get("PatientMainDicomTags", {})),
    )


def parse_instance(item: Mapping[str, Any]) -> Instance:
    """Return an instance; call it within `parse_errors`."""
    metadata = item.get("Metadata", {})
    return Instance(
        id=OrthancId(item["ID"]),
        series=OrthancId(item["ParentSeries"]),
        tags=_tags(item["MainDicomTags"]),
        size=int(item["FileSize"]),
        received=parse_date(metadata.get("ReceptionDate")),
        uuid=item["FileUuid"],
        sop_class=metadata.get("SopClassUid", ""),
    )


def parse_date(text: str | None) -> datetime | None:
    """Return Orthanc's ``YYYYMMDDTHHMMSS`` (UTC) as a date, None for anything else."""
    try:
        return datetime.strptime(text or "", DATE).replace(tzinfo=UTC)
    except ValueError:
        return None


def _tags(tags: Mapping[str, Any]) -> dict[str, str]:
    return {keyword: value for keyword, value in tags.items() if isinstance(value, str) and value}


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
