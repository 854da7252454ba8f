"""Finds names and numbers of the people in an instance in texts that stay: a device may have somebody's name.

Most texts are replaced (`davfs.confidentiality.unlisted`); this is a second check of the others.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from pydicom import Dataset
from pydicom.charset import python_encoding
from pydicom.tag import Tag

from davfs.derived.stored_elements import StoredElement, elements
from davfs.derived.work_limit import WorkLimit

COMMON = ("utf-8", "latin-1")
"""Encodings that texts may have, whatever character set their data set names."""

_NUMBERS = {Tag(keyword) for keyword in ("PatientID", "OtherPatientIDs", "PatientBirthDate", "AccessionNumber")}
_GROUPS = {0x0008, 0x0010, 0x0032, 0x0040, 0x0400}
"""Groups of the sequences that name people; the sequences of frames are many, and name nobody."""
_CHARACTER_SET = Tag("SpecificCharacterSet")
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_LEAST_BYTES, _LEAST_LETTERS = 3, 2
"""Two letters of Latin are in many words; two of Chinese can be a whole name."""
_LEAST_NUMBER = 5
_LEAST_WORD = 4
_FORMS = 4
"""Forms of a name that are made, or more."""


class Identity:
    """The names and numbers of people.

    Args:
        names: Values of representation PN.
        numbers: Identifiers, and dates of birth as DICOM writes them.
        work: Counts the texts in which they are looked for.
    """

    def __init__(self, names: Iterable[str], numbers: Iterable[str], work: WorkLimit | None = None) -> None:
        self._work = work or WorkLimit()
        names = list(names)
        written = {_plain(each) for name in names for each in _writings(name)}
        known = {each for each in written if len(each.encode()) >= _LEAST_BYTES and len(each) >= _LEAST_LETTERS}
        self._known = known | {each for each in map(_plain, numbers) if len(each) >= _LEAST_NUMBER}
        families = (_plain(group.partition("^")[0]) for name in names for group in name.split("="))
        self._families = {each for each in families if len(each) >= _LEAST_WORD}

    @classmethod
    def of(cls, dataset: Dataset, tags: Mapping[str, str], work: WorkLimit | None = None) -> Self:
        """Return the identity of all people that an instance names.

        Args:
            dataset: The instance.
            tags: The patient's main DICOM tags, by keyword.
            work: Counts names, and the texts in which they are looked for.

        Raises:
            NotAnonymised: There is too much to count.
        """
        work = work or WorkLimit()
        found = list(_values(dataset, COMMON, work))
        names = [text for text, number in found if not number]
        numbers = [text for text, number in found if number]
        return cls([*names, tags.get("PatientName", "")], [*numbers, tags.get("PatientID", "")], work)

    def is_in(self, value: bytes, encodings: tuple[str, ...]) -> bool:
        """Return True if a stored text contains one of them.

        A name is found whole, its parts in any order, and its family name as a word.

        Raises:
            NotAnonymised: The text is too long, or there were too many.
        """
        self._work.search(value, len(self._known), 1 if value.isascii() else len(encodings))
        return any(map(self._is_in, _readings(value, encodings)))

    def _is_in(self, text: str) -> bool:
        words = _words(text)
        plain = "".join(words)
        return any(known in plain for known in self._known) or not self._families.isdisjoint(words)


def encodings_of(dataset: Dataset, above: tuple[str, ...]) -> tuple[str, ...]:
    """Return the possible encodings of a data set's texts: those of the data set above, if it names none."""
    if _CHARACTER_SET not in dataset:
        return above
    terms = re.split(r"[^\w ]+", StoredElement(dataset, _CHARACTER_SET).value.decode("latin-1"))
    named = (python_encoding.get(term.strip()) for term in terms)
    return tuple(dict.fromkeys([*filter(None, named), *COMMON]))


def _values(dataset: Dataset, encodings: tuple[str, ...], work: WorkLimit) -> Iterator[tuple[str, bool]]:
    """Yield names and numbers, in all possible encodings, and True for numbers."""
    encodings = encodings_of(dataset, encodings)
    for element in elements(dataset):
        kind, tag = element.representation, element.tag
        if kind == "SQ" and tag.group in _GROUPS:
            for item in element.items:
                yield from _values(item, encodings, work)
        elif kind == "PN" or tag in _NUMBERS:
            for text in _readings(work.divide(element.value, _FORMS * len(encodings)), encodings):
                yield from ((one, tag in _NUMBERS) for one in text.split("\\"))


def _writings(name: str) -> list[str]:
    """Return the forms of a name: all of it, and family and given name in both orders."""
    found = []
    for group in name.split("="):
        family, given, *_ = [*group.split("^"), "", ""]
        found += [group, *([family + given, given + family] if family and given else [])]
    return found


def _words(text: str) -> list[str]:
    """Return the words of a text, of letters and digits without case and accents."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    spaced = "".join(each if each.isalnum() else "" if unicodedata.combining(each) else " " for each in folded)
    return spaced.split()


def _plain(text: str) -> str:
    return "".join(_words(text))


def _readings(value: bytes, encodings: tuple[str, ...]) -> set[str]:
    """Return a value in all possible encodings: files do not always name the right one."""
    if value.isascii() and b"\x1b" not in value:
        return {value.decode("ascii")}
    bare = _ESCAPE.sub(b"", value)
    return {(value if one.startswith("iso2022") else bare).decode(one, errors="replace") for one in encodings}
