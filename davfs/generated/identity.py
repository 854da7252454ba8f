"""What tells who a patient is and may still be in a file that Orthanc anonymised.

Orthanc follows the Basic Profile of DICOM PS3.15 E.1, in the items of sequences too. But a PatientName and a PatientID
stay there (1.10.1), since they are replaced at the top only; overlays stay, which may show a name; and Orthanc cannot
know that somebody typed a name into a description.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydicom import Dataset
from pydicom.charset import python_encoding
from pydicom.tag import Tag

from davfs.generated.elements import Element, elements

_PATIENT = 0x0010
_CURVES, _OVERLAYS = 0x5000, 0x6000
_CODED = {0x0008, 0x0028}
"""Groups whose coded strings (CS) stay: without them an image could not be shown, or not as it is."""

_PSEUDONYMS = {Tag("PatientName"), Tag("PatientID")}
_ASKED = {"PatientName": "0010", "PatientID": "0020", "PatientBirthDate": "0030"}
_CHARACTER_SET = Tag("SpecificCharacterSet")
_TEXTS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT"}

_COMMON = ("utf-8", "latin-1")
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_LEAST_BYTES, _LEAST_LETTERS = 3, 2
"""Two letters of Latin are in many words; two of Chinese can be a whole name."""
_LEAST_NUMBER = 5


class Identity:
    """What is known of a patient.

    Args:
        names: Values of PatientName.
        numbers: PatientIDs, and dates of birth as DICOM writes them.
    """

    def __init__(self, names: Iterable[str], numbers: Iterable[str]) -> None:
        written = {_plain(each) for name in names for each in _writings(name)}
        known = {each for each in written if len(each.encode()) >= _LEAST_BYTES and len(each) >= _LEAST_LETTERS}
        self._known = known | {each for each in map(_plain, numbers) if len(each) >= _LEAST_NUMBER}

    @classmethod
    def of(cls, original: Mapping[str, Any], tags: Mapping[str, str]) -> Self:
        """Return the identity of a patient.

        Args:
            original: The tags of one of the patient's instances, as `davfs.orthanc.Orthanc.all_tags` has them.
            tags: The patient's main DICOM tags, by keyword.
        """
        both = {name: (original.get(f"0010,{element}"), tags.get(name)) for name, element in _ASKED.items()}
        found = {name: [value for value in values if isinstance(value, str)] for name, values in both.items()}
        return cls(found["PatientName"], found["PatientID"] + found["PatientBirthDate"])

    def remove_from(self, dataset: Dataset) -> None:
        """Remove all that tells who the patient is, but for the pseudonyms at the top of the data set."""
        self._remove(dataset, _COMMON, top=True)

    def _remove(self, dataset: Dataset, encodings: tuple[str, ...], *, top: bool) -> None:
        encodings = _encodings(dataset, encodings)
        for element in elements(dataset):
            if top and element.tag in _PSEUDONYMS:
                continue
            if _is_removed(element, top=top) or self._is_in(element, encodings):
                element.remove()
            elif element.representation == "SQ":
                for item in element.items:
                    self._remove(item, encodings, top=False)

    def _is_in(self, element: Element, encodings: tuple[str, ...]) -> bool:
        kind = element.representation
        if kind not in _TEXTS or element.tag == _CHARACTER_SET or (kind == "CS" and element.tag.group in _CODED):
            return False
        return any(known in text for text in _readings(element.value, encodings) for known in self._known)


def _is_removed(element: Element, *, top: bool) -> bool:
    """Tell whether an element is removed whatever its value is."""
    tag = element.tag
    if tag.is_private or tag.group & 0xFF00 in {_CURVES, _OVERLAYS}:
        return True
    return not top and bool(element.value) and (tag.group == _PATIENT or element.representation == "PN")


def _writings(name: str) -> list[str]:
    """Return the ways in which a name may be written: all of it, and family and given name in both orders."""
    found = []
    for group in name.split("="):
        family, given, *_ = [*group.split("^"), "", ""]
        found += [group, *([family + given, given + family] if family and given else [])]
    return found


def _plain(text: str) -> str:
    """Return the letters and digits of a text, without case and accents."""
    return "".join(each for each in unicodedata.normalize("NFKD", text).casefold() if each.isalnum())


def _readings(value: bytes, encodings: tuple[str, ...]) -> set[str]:
    """Return what a value may say, in every encoding that it may have: files do not always name the right one."""
    if value.isascii() and b"\x1b" not in value:
        return {_plain(value.decode("ascii"))}
    bare = _ESCAPE.sub(b"", value)
    return {_plain((value if one.startswith("iso2022") else bare).decode(one, errors="replace")) for one in encodings}


def _encodings(dataset: Dataset, above: tuple[str, ...]) -> tuple[str, ...]:
    """Return the encodings of a data set's texts: those above it, where it names none."""
    if _CHARACTER_SET not in dataset:
        return above
    terms = re.split(r"[^\w ]+", Element(dataset, _CHARACTER_SET).value.decode("latin-1"))
    named = (python_encoding.get(term.strip()) for term in terms)
    return tuple(dict.fromkeys([*filter(None, named), *_COMMON]))
