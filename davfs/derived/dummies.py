"""Dummy values for attributes that identify a person, and must not be empty (DICOM PS3.15 E.1.1)."""

from collections.abc import Mapping
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.tag import BaseTag

TEXT = "ANONYMIZED"
_DAY, _CLOCK = "19000101", "000000"
_VALUES: Mapping[str, Any] = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), TEXT),
    **dict.fromkeys(("DS", "IS"), "0"),
    **dict.fromkeys(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"), 0),
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), bytes(8)),
    "AS": "000Y",
    "AT": 0,
    "DA": _DAY,
    "DT": f"{_DAY}{_CLOCK}",
    "TM": _CLOCK,
    "UR": "http://anonymized.invalid",
}


def dummy(tag: BaseTag, representation: str) -> DataElement:
    """Return an element with a dummy value.

    Args:
        tag: Its tag.
        representation: Its value representation, neither UI nor SQ.
    """
    return DataElement(tag, representation, _VALUES[representation])


def dummy_sequence(tag: BaseTag) -> DataElement:
    """Return a sequence of one item with dummy values; the item is empty if nothing is defined for the tag."""
    return DataElement(tag, "SQ", [_item(_ITEMS.get(keyword_for_tag(tag), {}))])


def unknown_code() -> Dataset:
    """Return the code for "unknown"."""
    return _item(_UNKNOWN)


def _item(values: Mapping[str, Any]) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        is_sequence = isinstance(value, list) and all(isinstance(one, dict) for one in value)
        setattr(item, keyword, [_item(one) for one in value] if is_sequence else value)
    return item


_UNKNOWN = {"CodeValue": "261665006", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Unknown"}
_FINDING = {"CodeValue": "121071", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Finding"}
_ITEMS: Mapping[str, Mapping[str, Any]] = {
    "ContentSequence": {
        "RelationshipType": "CONTAINS", "ValueType": "TEXT", "ConceptNameCodeSequence": [_FINDING], "TextValue": TEXT,
    },
    "FlowIdentifierSequence": {"FlowIdentifier": bytes(2)},
    "GraphicAnnotationSequence": {
        "GraphicLayer": TEXT,
        "TextObjectSequence": [{
            "BoundingBoxAnnotationUnits": "PIXEL", "UnformattedTextValue": TEXT,
            "BoundingBoxTopLeftHandCorner": [1.0, 1.0], "BoundingBoxBottomRightHandCorner": [1.0, 1.0],
            "BoundingBoxTextHorizontalJustification": "LEFT",
        }],
    },
    "InstitutionCodeSequence": _UNKNOWN,
    "OperatorIdentificationSequence": {"PersonIdentificationCodeSequence": [_UNKNOWN], "InstitutionName": TEXT},
    "PersonIdentificationCodeSequence": _UNKNOWN,
    "VerifyingObserverSequence": {
        "VerifyingOrganization": TEXT, "VerificationDateTime": f"{_DAY}{_CLOCK}", "VerifyingObserverName": TEXT,
        "VerifyingObserverIdentificationCodeSequence": [],
    },
    "WaveformAnnotationSequence": {"UnformattedTextValue": TEXT, "ReferencedWaveformChannels": [1, 0]},
}  # fmt: skip
"""The one item of sequences that must not be empty, by keyword."""
