"""De-identifies data sets by the Basic Application Level Confidentiality Profile (DICOM PS3.15 E.2).

Each attribute, in every item of every sequence, has an action: of the standard's table (`davfs.confidentiality.table`)
or, if it is not listed there, of rules of our own (`davfs.confidentiality.unlisted`). Unchanged values stay as they
were stored, byte for byte.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from pydicom import DataElement, Dataset
from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.tag import BaseTag, Tag

from davfs import __version__
from davfs.confidentiality.options import Options
from davfs.confidentiality.shifting import shift_dates
from davfs.confidentiality.table import EDITION, Action, AttributePlace, listed_action, profile_action
from davfs.confidentiality.unlisted import (
    BYTES,
    CLOCKS,
    CODES,
    KINDS,
    NUMBERS,
    NUMBERS_IN_TEXT,
    PUBLISHED_SCHEMES,
    TEXTS,
    unlisted_action,
)
from davfs.derived import content_items, dummies
from davfs.derived.identity import COMMON, Identity, encodings_of
from davfs.derived.stored_elements import StoredElement, elements, stored_text
from davfs.derived.work_limit import WorkLimit

_PIXELS = 0x7FE0
_REPEATING, _VARIABLE_PIXELS = 0xFF00, 0x7F00
"""Groups 7F00 to 7FFE could hold further pixels, until 2001."""
_NO_DATA_SETS = {0x0000, 0x0002, 0x0004}
"""Groups of commands, file meta information and media directories, which no data set has."""
_REFERENCES = Tag("ReferencedPerformedProcedureStepSequence")
"""A sequence that needs a dummy: its references serve, since their UIDs are replaced."""
_CHARACTER_SET, _MEANING = Tag("SpecificCharacterSet"), Tag("CodeMeaning")
_FIGURES = re.compile(rb"[0-9+\-.eE \\]*\0?")
"""The characters of numbers; no name consists of them."""
_CODE = re.compile("[A-Z0-9_ ]{0,16}")
_AGE = re.compile("(?:[0-9]{3}[DWMY])?")
_CODED = {0x0008, 0x0028}
"""Groups whose codes stay even if they are somebody's name: an image could not be shown correctly without them."""
_LONGEST_UID = 64


@dataclass(frozen=True, slots=True)
class Person:
    """The patient.

    Attributes:
        pseudonym: Replaces the name and the PatientID.
        days: Number of days by which dates are shifted.
        identity: The names of the patient, and of other people in the instance.
    """

    pseudonym: str
    days: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class Deidentifier:
    """De-identifies the data set of one instance.

    Attributes:
        options: The options of the profile.
        person: The patient.
        uid: Returns the replacement of a UID.
        place: The position of attributes: at the top, or in an item.
        encodings: The encodings of texts.
        structured: True if the data set is a content item.
        work: Limits the work.
    """

    options: Options
    person: Person
    uid: Callable[[str], str]
    place: AttributePlace
    encodings: tuple[str, ...] = COMMON
    structured: bool = False
    work: WorkLimit = field(default_factory=WorkLimit)

    def deidentify(self, dataset: Dataset) -> None:
        """De-identify the data set of an instance, and document that at its top.

        Raises:
            NotAnonymised: It would take too much work.
            Exception: pydicom's errors for a damaged data set.
        """
        replace(self, encodings=encodings_of(dataset, self.encodings)).apply(dataset)
        dataset.PatientName = dataset.PatientID = self.person.pseudonym
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = [f"davfs {__version__}", f"{EDITION} E.1-1"]
        dataset.DeidentificationMethodCodeSequence = [_code(*code) for code in self.options.codes]
        dataset.LongitudinalTemporalInformationModified = "MODIFIED" if self.options.modified_dates else "REMOVED"

    def apply(self, dataset: Dataset) -> None:
        """De-identify a data set, or an item, without documenting it."""
        hidden = self.structured and content_items.is_hidden(dataset, self.options)
        scheme = stored_text(dataset, "CodingSchemeDesignator").partition("\\")[0].strip(" \0")
        for element in elements(dataset):
            if element.tag == _MEANING and scheme not in PUBLISHED_SCHEMES:
                element.put(dummies.dummy(element.tag, "LO"))
            else:
                self._act(element)
        if hidden:
            content_items.replace_value(dataset)

    def _act(self, element: StoredElement) -> None:
        tag = element.tag
        is_other_image = tag.group & _REPEATING == _VARIABLE_PIXELS and (self.place.nested or tag.group != _PIXELS)
        kind = None if is_other_image else _known(tag, element.representation)
        if tag == _CHARACTER_SET:
            _check_character_set(element)
            return
        action = Action.REMOVE if kind is None else _action(tag, kind, self.options, self.place)
        if kind is None or action is Action.REMOVE:
            element.remove()
        elif action is Action.EMPTY:
            element.put(DataElement(tag, kind, [] if kind == "SQ" else None))
        elif kind == "SQ":
            self._act_on_sequence(element, action)
        else:
            self._act_on_value(element, action, kind)

    def _act_on_sequence(self, element: StoredElement, action: Action) -> None:
        if action is Action.DUMMY and element.tag != _REFERENCES:
            element.put(dummies.dummy_sequence(element.tag))
            return
        below = replace(self, place=replace(self.place, nested=True), structured=action is Action.CLEAN)
        for item in element.items:
            replace(below, encodings=encodings_of(item, self.encodings)).apply(item)

    def _act_on_value(self, element: StoredElement, action: Action, kind: str) -> None:
        if action is Action.SHIFT:
            self._shift(element, kind)
        elif kind == "UI" and action is not Action.KEEP:
            self._replace_uids(element)
        elif action is not Action.KEEP or not self._may_stay(element, kind):
            element.put(dummies.dummy(element.tag, kind))
        else:
            element.declare(kind)
            if kind == "CS":
                _clean_codes(element, self._values(element))

    def _shift(self, element: StoredElement, kind: str) -> None:
        value = "\\".join(self._values(element))
        moved = shift_dates(value, kind, self.person.days) if kind in CLOCKS else None
        if moved is not None:
            if moved != value:  # times stay as they are stored
                element.put(DataElement(element.tag, kind, moved))
            return
        action = profile_action(element.tag, self.place)
        if action is Action.REMOVE:
            element.remove()
        else:
            element.put(
                dummies.dummy(element.tag, kind) if action is Action.DUMMY else DataElement(element.tag, kind, None)
            )

    def _replace_uids(self, element: StoredElement) -> None:
        element.put(DataElement(element.tag, "UI", [self.uid(one) if one else "" for one in self._values(element)]))

    def _may_stay(self, element: StoredElement, kind: str) -> bool:
        """Return True if a value conforms to its representation, and names nobody."""
        if kind in NUMBERS or kind in BYTES:
            return True
        if kind == "UI":
            return all(map(_is_uid, self._values(element)))
        if kind in NUMBERS_IN_TEXT:
            return bool(_FIGURES.fullmatch(element.value))
        if kind == "AS":
            return all(map(_AGE.fullmatch, self._values(element)))
        if kind == "CS" and element.tag.group in _CODED:
            return True
        return not self.person.identity.is_in(element.value, self.encodings)

    def _values(self, element: StoredElement) -> list[str]:
        return _divided(self.work.divide(element.value))


@lru_cache(maxsize=10_000)
def _action(tag: BaseTag, kind: str, options: Options, place: AttributePlace) -> Action:
    found = listed_action(tag, options, place)
    if found is Action.SHIFT and kind not in CLOCKS:
        return profile_action(tag, place)  # such as the bytes of a time stamp
    return found or unlisted_action(keyword_for_tag(tag), kind, options)


@lru_cache(maxsize=10_000)
def _known(tag: BaseTag, stored: str) -> str | None:
    """Return the value representation of an element; None if it is removed, whatever its value.

    That is an element that the dictionary does not know, or with a representation of another kind: readers of the file
    could interpret it in either way.
    """
    if tag.is_private or tag.group in _NO_DATA_SETS or tag.element == 0:
        return None
    try:
        known = dictionary_VR(tag).split(" or ")
    except KeyError:
        return None
    if stored in known or stored == dictionary_VR(tag):
        return stored if stored in known else known[0]
    kinds = {KINDS.get(one): one for one in known}
    same = kinds.get(KINDS.get(stored))
    return same if same in TEXTS | CODES | CLOCKS | NUMBERS_IN_TEXT else None


def _check_character_set(element: StoredElement) -> None:
    """Remove an unknown character set; a known one stays, since texts are decoded by it."""
    if not all(one in python_encoding for one in _divided(element.value)):
        element.remove()


def _clean_codes(element: StoredElement, found: list[str]) -> None:
    """Replace the values of a code that look typed by a person: with small letters, or long."""
    if not all(map(_CODE.fullmatch, found)):
        cleaned = [one if _CODE.fullmatch(one) else dummies.TEXT for one in found]
        element.put(DataElement(element.tag, "CS", cleaned))


def _is_uid(value: str) -> bool:
    return len(value) <= _LONGEST_UID and all(part.isdecimal() for part in value.split(".") if value)


def _divided(value: bytes) -> list[str]:
    return [one.strip(" \0") for one in value.decode("latin-1").split("\\")]


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
