"""Reads tags of DICOM files, with texts as Orthanc decodes them."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha1
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import EncapsulatedPDFStorage
from pydicom.values import convert_PN, convert_text

from davfs.orthanc.model import Level, OrthancId

_IDENTIFIERS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_LATIN = "ISO_IR 100"
"""Encoding that Orthanc assumes for texts without one (its option ``DefaultEncoding``)."""
_TEXTS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_NUMBERS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_LONGEST = 256
"""Characters of the longest text that Orthanc has among all tags of an instance; it leaves out longer ones."""
_PADDING = 0xFFFCFFFC
"""The tag DataSetTrailingPadding, which Orthanc ignores."""
_DOCUMENT = ("SOPClassUID", "MIMETypeOfEncapsulatedDocument", "EncapsulatedDocument")


@dataclass(frozen=True, slots=True)
class DicomFile:
    """A DICOM instance: identifiers, tags of each level, and its file."""

    ids: Mapping[Level, OrthancId]
    tags: Mapping[Level, Mapping[str, str]]
    sop_class: str
    path: Path
    size: int
    date: datetime


def read_dicom(path: Path, keywords: Mapping[Level, Iterable[str]]) -> DicomFile | None:
    """Read a file; return None if it is no DICOM instance.

    Args:
        path: The file.
        keywords: Main DICOM tags of each level.
    """
    wanted = ["SpecificCharacterSet", "SOPClassUID", *_IDENTIFIERS]
    wanted += [keyword for each in keywords.values() for keyword in each]
    try:
        with warnings.catch_warnings(action="ignore"):  # about values that DICOM forbids, and scanners write
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
            encodings = _encodings(data)
            sop_class, *values = (_text(data, keyword, encodings) for keyword in ("SOPClassUID", *_IDENTIFIERS))
            tags = {level: _texts(data, each, encodings) for level, each in keywords.items()}
        found = path.stat()
    except Exception:  # noqa: BLE001  pydicom raises errors of many kinds where a file is no DICOM, or damaged
        return None
    if not all(values[1:]):
        return None  # a DICOMDIR, for example; a PatientID may be missing
    ids = {level: _id(values[: depth + 1]) for depth, level in enumerate(Level)}
    return DicomFile(ids, tags, sop_class, path, found.st_size, datetime.fromtimestamp(int(found.st_mtime), UTC))


def document(file: Path | BinaryIO) -> bytes | None:
    """Return the PDF that a DICOM file encapsulates, or None."""
    data = pydicom.dcmread(file, specific_tags=list(_DOCUMENT))
    kind, media_type, content = (data.get(keyword) for keyword in _DOCUMENT)
    if kind != EncapsulatedPDFStorage or media_type != "application/pdf" or not content:
        return None
    return bytes(content).removesuffix(b"\0")  # which makes the length of an element even


def all_tags(file: Path | BinaryIO) -> dict[str, Any]:
    """Return all tags of a DICOM file, in the form of `davfs.orthanc.Orthanc.all_tags`."""
    with warnings.catch_warnings(action="ignore"):  # as above
        data = pydicom.dcmread(file)
        return _mapping(data, _encodings(data))


def _mapping(data: Dataset, encodings: list[str]) -> dict[str, Any]:
    return {_number(tag): _short(data, tag, encodings) for tag in sorted(data.keys()) if tag != _PADDING}


def _short(data: Dataset, tag: int, encodings: list[str]) -> Any:
    representation = _representation(data, tag)
    if representation == "SQ":
        return [_mapping(item, encodings) for item in data[tag].value]
    if representation in _BYTES:
        return None
    text = _value(data, tag, encodings)
    return text if len(text) <= _LONGEST else None


def _id(values: Sequence[str]) -> OrthancId:
    """Return Orthanc's identifier of a resource.

    Source: https://orthanc.uclouvain.be/book/faq/orthanc-ids.html
    """
    digest = sha1("|".join(values).encode(), usedforsecurity=False).hexdigest()
    return OrthancId("-".join(digest[start : start + 8] for start in range(0, 40, 8)))


def _encodings(data: Dataset) -> list[str]:
    return convert_encodings(data.get("SpecificCharacterSet") or _LATIN)


def _texts(data: Dataset, keywords: Iterable[str], encodings: list[str]) -> dict[str, str]:
    texts = ((keyword, _text(data, keyword, encodings)) for keyword in keywords)
    return {keyword: text for keyword, text in texts if text}


def _text(data: Dataset, keyword: str, encodings: list[str]) -> str:
    tag = tag_for_keyword(keyword)
    return "" if tag is None or tag not in data else _value(data, tag, encodings)


def _value(data: Dataset, tag: int, encodings: list[str]) -> str:
    """Return a value as Orthanc has it: decoded, several joined by backslashes, without trailing white space."""
    value = data.get_item(tag).value
    if value is None or value in (b"", ""):
        return ""
    return _joined(_decoded(data, tag, value, _representation(data, tag), encodings)).rstrip(" \t\r\n\0")


def _representation(data: Dataset, tag: int) -> str:
    """Return the value representation; files with implicit ones do not contain it."""
    told = data.get_item(tag).VR
    return told or (dictionary_VR(tag) if dictionary_has_tag(tag) else "UN")


def _decoded(data: Dataset, tag: int, value: Any, representation: str, encodings: list[str]) -> Any:
    if representation in _NUMBERS or not isinstance(value, bytes):
        return data[tag].value
    if representation == "PN":
        return convert_PN(value, encodings)
    if representation in _TEXTS:
        return convert_text(value, encodings, representation)
    return value.decode("ascii", "replace")


def _joined(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\\".join(map(_joined, value))
    if isinstance(value, BaseTag):
        return _number(value)
    return f"{value:.17g}" if type(value) is float else str(value)  # a decimal string is a float that has its own text


def _number(tag: int) -> str:
    return f"{tag >> 16:04x},{tag & 0xFFFF:04x}"
