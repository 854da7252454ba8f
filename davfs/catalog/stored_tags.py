"""Tags as the index's file has them: a JSON object with a letter in place of each keyword that every Orthanc indexes.

Keywords would take more room than values.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from string import ascii_letters

KEYWORDS = (
    *("PatientName", "PatientBirthDate", "PatientSex", "OtherPatientIDs", "PatientID", "StudyDate", "StudyTime"),
    *("StudyID", "StudyDescription", "AccessionNumber", "StudyInstanceUID", "RequestedProcedureDescription"),
    *("InstitutionName", "RequestingPhysician", "ReferringPhysicianName", "TimezoneOffsetFromUTC", "SeriesDate"),
    *("SeriesTime", "Modality", "Manufacturer", "StationName", "SeriesDescription", "BodyPartExamined"),
    *("SequenceName", "ProtocolName", "SeriesNumber", "CardiacNumberOfImages", "ImagesInAcquisition"),
    *("NumberOfTemporalPositions", "NumberOfSlices", "NumberOfTimeSlices", "SeriesInstanceUID"),
    *("ImageOrientationPatient", "SeriesType", "OperatorsName", "PerformedProcedureStepDescription"),
    *("AcquisitionDeviceProcessingDescription", "ContrastBolusAgent", "PerformedProcedureStepStartDate"),
    "PerformedProcedureStepStartTime",
)
"""The keywords with a letter. Their order is a part of the file's format: a new one goes to the end."""
NO_TAGS = "{}"
_LETTERS = dict(zip(KEYWORDS, ascii_letters, strict=False))
_KEYWORDS = {letter: keyword for keyword, letter in _LETTERS.items()}
_ESCAPE = "."
"""First character of any other keyword that could be taken for a letter, or for one with this character."""
_SHAPES = 1000
"""Different sets of keywords whose form is cached; there are few in an archive."""


def dump(tags: Mapping[str, str]) -> str:
    """Return tags as text; equal tags in any order as the same text."""
    if not tags:
        return NO_TAGS
    keywords, form = _shape(tuple(tags))
    text = form % tuple([encode_basestring(tags[keyword]) for keyword in keywords])
    return text if _is_valid(text) else json.dumps({_key(one): tags[one] for one in keywords}, separators=(",", ":"))


def load(text: str) -> dict[str, str]:
    """Return the tags of a text.

    Raises:
        ValueError: It is no such text, so the file is damaged.
    """
    return {} if text == NO_TAGS else {_keyword(key): value for key, value in json.loads(text).items()}


def path(keyword: str) -> str:
    """Return the path of a tag's value in the text, for SQLite's ``json_extract``."""
    return f'$."{_key(keyword)}"'


@lru_cache(_SHAPES)
def _shape(keywords: Sequence[str]) -> tuple[list[str], str]:
    """Return keywords in the order of the text, and the text without values."""
    ordered = sorted(keywords)
    keys = (encode_basestring(_key(keyword)).replace("%", "%%") for keyword in ordered)
    return ordered, "{" + ",".join(f"{key}:%s" for key in keys) + "}"


def _key(keyword: str) -> str:
    escaped = len(keyword) == 1 or keyword.startswith(_ESCAPE)
    return _ESCAPE + keyword if escaped else _LETTERS.get(keyword, keyword)


def _keyword(key: str) -> str:
    return key[1:] if key.startswith(_ESCAPE) else _KEYWORDS.get(key, key)


def _is_valid(text: str) -> bool:
    """Return True if a text can be stored as it is: Orthanc's may have surrogates, which JSON can write as ASCII."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
