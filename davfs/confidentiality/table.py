"""Looks up the action on an attribute in DICOM PS3.15, Table E.1-1, and in Table E.3.4-1 for content items of reports.

`davfs.confidentiality.build` generates ``table.json`` from the text of the standard. If the standard leaves a choice,
the type of the attribute at the top level of the SOP class's data sets decides (PS3.3). In items of sequences, and for
unknown SOP classes, it is the last one of ``X/Z/D``, with which the file is valid for any type.
"""

import json
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from importlib import resources
from typing import Any

from davfs.confidentiality.options import Options

_CURVES, _OVERLAYS = 0x5000, 0x6000
_REPEATING = 0xFF00
_REFERENCES = "U*"


class Action(Enum):
    """Action on an attribute: the codes of Table E.1-1a."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"
    KEEP = "K"
    """Unchanged; of a sequence, the rules apply to each item."""
    CLEAN = "C"
    """Structured content: the items of a sequence are content items, and are cleaned."""
    SHIFT = "dates"
    """A date that is shifted: the way of ``C`` for dates."""


@dataclass(frozen=True, slots=True)
class AttributePlace:
    """The place of an attribute in a file.

    Attributes:
        sop_class: SOPClassUID of the instance.
        nested: Whether it is in an item of a sequence.
    """

    sop_class: str
    nested: bool = False


_loaded: dict[str, Any] = json.loads(resources.files(__package__).joinpath("table.json").read_bytes())
EDITION: str = _loaded["edition"]
"""The edition of the standard, such as ``PS3.15 2026c``."""
_attributes: dict[str, dict[str, Any]] = _loaded["attributes"]
_classes = frozenset(_loaded["classes"])
_concepts = {tuple(one[:3]): one[3:] for one in _loaded["concepts"]}


@lru_cache(maxsize=10_000)
def listed_action(tag: int, options: Options, place: AttributePlace) -> Action | None:
    """Return the action on an attribute; None if the table does not list it.

    Args:
        tag: Its tag.
        options: The options.
        place: Its place.
    """
    if tag >> 16 & 1 or tag >> 16 & _REPEATING in {_CURVES, _OVERLAYS}:
        return Action.REMOVE  # all attributes of an overlay are removed with its data
    row = _attributes.get(f"{tag:08x}")
    if row is None:
        return None
    if options.structured_content and row.get("structured"):
        return Action.CLEAN
    if options.modified_dates and row.get("dates"):
        return Action.SHIFT
    if options.patient_characteristics and row.get("patient") == Action.KEEP.value:
        return Action.KEEP  # texts that were to be cleaned are not kept: a program cannot tell what a text says
    return _of_profile(row, place)


def profile_action(tag: int, place: AttributePlace) -> Action:
    """Return the action of the profile without options, for a date that cannot be shifted."""
    row = _attributes.get(f"{tag:08x}")
    return Action.DUMMY if row is None else _of_profile(row, place)


def _of_profile(row: dict[str, Any], place: AttributePlace) -> Action:
    choices = row["action"].split("/")
    if choices[-1] == _REFERENCES:
        return Action.KEEP  # its items hold references, whose UIDs are replaced
    if len(choices) == 1 or place.nested or place.sop_class not in _classes:
        return Action(choices[-1])
    required = row.get("required", {})
    if place.sop_class in required.get("1", ()):
        return Action(choices[-1])
    if place.sop_class in required.get("2", ()):
        return Action.EMPTY if Action.EMPTY.value in choices else Action(choices[-1])
    return Action(choices[0])


def hides_value(code: str, scheme: str, value_type: str, options: Options) -> bool | None:
    """Return True if the value of a content item is replaced; None if the table does not list its concept.

    Args:
        code: CodeValue of its concept name.
        scheme: CodingSchemeDesignator of its concept name.
        value_type: Its ValueType.
        options: The options.
    """
    row = _concepts.get((code, scheme, value_type))
    if row is None:
        return None
    _action, patient, dates = row
    return not ((patient and options.patient_characteristics) or (dates and options.modified_dates))
