"""Cleans content items of structured reports: codes and measurements stay, unless they identify a person.

No item is removed, since items are referenced by their positions; its value is replaced. Texts, names, dates and UIDs
of content items are attributes like others, with their own rules; this module handles them by the concept of an item.

Source: DICOM PS3.15 section E.3.4, Table E.3.4-1; the items' values are those of PS3.3 C.17.3.2.
"""

from pydicom import DataElement, Dataset
from pydicom.tag import Tag

from davfs.confidentiality import table
from davfs.confidentiality.options import Options
from davfs.derived.dummies import dummy, unknown_code
from davfs.derived.stored_elements import StoredElement, stored_text

_CHARACTERISTICS = {
    ("8302-2", "LN"), ("50373000", "SCT"),  # height
    ("29463-7", "LN"), ("27113001", "SCT"),  # weight
    ("8277-6", "LN"), ("301898006", "SCT"),  # body surface area
    ("39156-5", "LN"), ("60621009", "SCT"),  # body mass index
    ("11449-6", "LN"), ("30525-0", "LN"), ("424144002", "SCT"),  # pregnancy, age
}  # fmt: skip
"""Concepts of attributes that Table E.1-1 lists, and that Table E.3.4-1 leaves out: "corresponding to" (E.3.4)."""
_CLOCKS = {"DATE": Tag("Date"), "DATETIME": Tag("DateTime"), "TIME": Tag("Time")}
_CODE, _MEASURED, _CONTENT = Tag("ConceptCodeSequence"), Tag("MeasuredValueSequence"), Tag("ContentSequence")


def is_hidden(item: Dataset, options: Options) -> bool:
    """Return True for a content item with an identifying concept.

    Args:
        item: The original content item.
        options: The options of the profile.
    """
    kind, code, scheme = stored_text(item, "ValueType"), *_concept(item)
    listed = table.hides_value(code, scheme, kind, options)
    if listed is None:
        return (code, scheme) in _CHARACTERISTICS and not options.patient_characteristics
    return listed


def replace_value(item: Dataset) -> None:
    """Replace the value of a content item by the code for "unknown", a dummy, or nothing."""
    kind = stored_text(item, "ValueType")
    if kind == "CODE" and _CODE in item:
        item[_CODE] = DataElement(_CODE, "SQ", [unknown_code()])
    elif kind == "NUM" and _MEASURED in item:
        item[_MEASURED] = DataElement(_MEASURED, "SQ", [])
    elif kind == "CONTAINER" and _CONTENT in item:
        del item[_CONTENT]
    elif kind in _CLOCKS and (tag := _CLOCKS[kind]) in item:
        item[tag] = dummy(tag, StoredElement(item, tag).representation)


def _concept(item: Dataset) -> tuple[str, str]:
    tag = Tag("ConceptNameCodeSequence")
    names = StoredElement(item, tag).items if tag in item else ()
    return (stored_text(names[0], "CodeValue"), stored_text(names[0], "CodingSchemeDesignator")) if names else ("", "")
