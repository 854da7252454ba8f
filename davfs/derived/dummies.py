"""Dummy values for attributes that identify a person, and must not be empty (DICOM PS3.15 E.1.1)."""

from collections.abc import Callable, Mapping
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag, Tag

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
    make = _ITEMS.get(tag, Dataset)
    return DataElement(tag, "SQ", [make()])


def unknown_code() -> Dataset:
    """Return the code for "unknown"."""
    return _item(CodeValue="261665006", CodingSchemeDesignator="SCT", CodeMeaning="Unknown")


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _content_item() -> Dataset:
    finding = _item(CodeValue="121071", CodingSchemeDesignator="DCM", CodeMeaning="Finding")
    return _item(
        RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=[finding], TextValue=TEXT
    )  # fmt: skip


def _observer() -> Dataset:
    return _item(
        VerifyingOrganization=TEXT,
        VerificationDateTime=f"{_DAY}{_CLOCK}",
        VerifyingObserverName=TEXT,
        VerifyingObserverIdentificationCodeSequence=[],
    )


def _operator() -> Dataset:
    return _item(PersonIdentificationCodeSequence=[unknown_code()], InstitutionName=TEXT)


def _annotation() -> Dataset:
    text = _item(
        BoundingBoxAnnotationUnits="PIXEL",
        UnformattedTextValue=TEXT,
        BoundingBoxTopLeftHandCorner=[1.0, 1.0],
        BoundingBoxBottomRightHandCorner=[1.0, 1.0],
        BoundingBoxTextHorizontalJustification="LEFT",
    )
    return _item(GraphicLayer=TEXT, TextObjectSequence=[text])


def _waveform_annotation() -> Dataset:
    return _item(UnformattedTextValue=TEXT, ReferencedWaveformChannels=[1, 0])


def _flow() -> Dataset:
    return _item(FlowIdentifier=bytes(2))


_ITEMS: Mapping[BaseTag, Callable[[], Dataset]] = {
    Tag(tag_for_keyword(keyword) or 0): make
    for keyword, make in {
        "ContentSequence": _content_item,
        "FlowIdentifierSequence": _flow,
        "GraphicAnnotationSequence": _annotation,
        "InstitutionCodeSequence": unknown_code,
        "OperatorIdentificationSequence": _operator,
        "PersonIdentificationCodeSequence": unknown_code,
        "VerifyingObserverSequence": _observer,
        "WaveformAnnotationSequence": _waveform_annotation,
    }.items()
}
