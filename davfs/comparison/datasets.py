"""Finds the first attribute in which two data sets differ."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from pydicom.datadict import keyword_for_tag

from davfs.comparison.parsing import DataSet, ParsedElement, Unreadable, parse_sequence
from davfs.comparison.values import CHARACTER_SET, character_sets, equal

ABOUT_TRANSPORT = frozenset(
    {
        0x00080052,  # QueryRetrieveLevel
        0x00080053,  # QueryRetrieveView
        0x00080054,  # RetrieveAETitle
        0x00080056,  # InstanceAvailability
        0x00081190,  # RetrieveURL
        0x00880130,  # StorageMediaFileSetID
        0x00880140,  # StorageMediaFileSetUID
        0x00083002,  # AvailableTransferSyntaxUID
        0x00201200,  # NumberOfPatientRelatedStudies
        0x00201202,  # NumberOfPatientRelatedSeries
        0x00201204,  # NumberOfPatientRelatedInstances
        0x00201206,  # NumberOfStudyRelatedSeries
        0x00201208,  # NumberOfStudyRelatedInstances
        0x00201209,  # NumberOfSeriesRelatedInstances
    }
)
"""Attributes of responses to queries, which some archives leave in the images that they send. They tell where an image
can be retrieved and what else there is, and belong to no image (DICOM PS3.4 sections C.3.4 and C.4.1.1.3.2; PS3.18
section 10.6 for the last of the first half)."""


def first_difference(one: DataSet, other: DataSet, ignored: AbstractSet[int]) -> str:
    """Return the first attribute in which two data sets differ: keywords, never values; empty if there is none.

    Args:
        one: The first.
        other: The second.
        ignored: Tags that are ignored at the top.
    """
    return next(_differences(one, other, ignored, ((), ())), "")


def name(tag: int) -> str:
    """Return an attribute's keyword, or its tag if it has none."""
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _differences(
    one: DataSet, other: DataSet, ignored: AbstractSet[int], inherited: tuple[Sequence[str], Sequence[str]]
) -> Iterator[str]:
    sets = _sets(one, inherited[0]), _sets(other, inherited[1])
    for tag in sorted((one.keys() | other.keys()) - ignored - {CHARACTER_SET}):
        if tag in one and tag in other:
            yield from _difference(tag, one[tag], other[tag], sets)
        elif not _is_empty(one.get(tag) or other[tag]):
            yield name(tag)


def _difference(
    tag: int, one: ParsedElement, other: ParsedElement, sets: tuple[Sequence[str], Sequence[str]]
) -> Iterator[str]:
    if one.fragments is not None or other.fragments is not None:
        if one.fragments != other.fragments:
            yield name(tag)
        return
    if one.items is None and other.items is None:
        if not equal(one, other, sets):
            yield name(tag)
        return
    items, others = _items(one), _items(other)
    if items is None or others is None or len(items) != len(others):
        yield name(tag)
        return
    for first, second in zip(items, others, strict=True):
        yield from (f"{name(tag)} > {inner}" for inner in _differences(first, second, frozenset(), sets))


def _sets(data: DataSet, inherited: Sequence[str]) -> Sequence[str]:
    if CHARACTER_SET in data or not inherited:
        return character_sets(data.get(CHARACTER_SET))
    return inherited


def _is_empty(element: ParsedElement) -> bool:
    """Return True if an element has no value, which means the same as a missing one (PS3.5 section 7.4.3)."""
    return not element.value and not element.items and element.fragments is None


def _items(element: ParsedElement) -> tuple[DataSet, ...] | None:
    """Return the items of a sequence, known or unknown; None for anything else."""
    if element.items is not None:
        return element.items
    try:
        return parse_sequence(element.value)
    except Unreadable:
        return None
