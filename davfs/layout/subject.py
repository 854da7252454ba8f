"""Identifies the person of a study by the study's own patient attributes, for pseudonyms.

Only this study counts, so that a pseudonym never depends on what else is in the archive:

1. Studies are of one person where PatientID, PatientName and PatientBirthDate are the same.
2. Names are compared without case, accents, punctuation, and the prefix (``Dr``).
3. An empty PatientID identifies nobody: each study without one is of another person.

So people who share a PatientID by mistake, such as ``0000``, stay apart. A person whose name is spelled in two ways
counts as two: that loses a link between studies, while the opposite mistake would take two people for one.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from davfs.layout.text import WITHOUT_STROKES

_PREFIX = 3
"""Which component of a name is its prefix, from 0. Source: DICOM PS3.5 section 6.2.1.1."""
_CACHED = 1000
"""People that are cached: the studies of one are often indexed together."""
_ASCII_LETTERS = re.compile("[a-z0-9]+")
_APOSTROPHES = str.maketrans("", "", "'\u2019\u02bc`\u00b4")


def subject(tags: Mapping[str, str]) -> str:
    """Return a text that is the same for all studies of one person, and different for each person.

    Args:
        tags: The patient attributes of a study, and its StudyInstanceUID, by keyword.

    Returns:
        ``19700101/doe john/P-17``: birth date, name and PatientID; ``study/1.2.3`` for a study without a PatientID.
    """
    person = _person(tags.get("PatientID", ""), tags.get("PatientName", ""), tags.get("PatientBirthDate", ""))
    return person or f"study/{_spaced(tags.get('StudyInstanceUID', ''))}"


@lru_cache(_CACHED)
def _person(patient_id: str, name: str, birth_date: str) -> str:
    """Return the text of a person; an empty one without a PatientID."""
    identifier = unicodedata.normalize("NFC", _spaced(patient_id))
    return f"{_letters(birth_date, between='')}/{_name(name)}/{identifier}" if identifier else ""


def _name(value: str) -> str:
    """Return the first writing of a name with any letters, without its prefix unless there is nothing else."""
    writings = [group.split("^") for group in value.split("=")]
    shortened = (" ".join(part for at, part in enumerate(one) if at != _PREFIX) for one in writings)
    whole = (" ".join(one) for one in writings)
    found = (_letters(one, between=" ") for some in (shortened, whole) for one in some)
    return next(filter(None, found), _spaced(value).replace("/", " "))


def _letters(text: str, *, between: str) -> str:
    """Return the letters and digits of a text in lower case, without accents."""
    if text.isascii():  # most are, and that takes a tenth of the time
        return between.join(_ASCII_LETTERS.findall(text.translate(_APOSTROPHES).lower()))
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).casefold())
    plain = "".join(each for each in apart if not "\u0300" <= each <= "\u036f").translate(WITHOUT_STROKES)
    return between.join("".join(each if _is_letter(each) else " " for each in plain).split())


def _is_letter(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")  # such as the vowels of Hindi


def _spaced(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())
