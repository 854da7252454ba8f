"""Decides if a DICOM file belongs to the folder of a layout on which it is dropped: to its study, or to its person."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydicom.charset import convert_encodings, decode_bytes

from davfs.attachments.identifiers import orthanc_id
from davfs.comparison.parsing import ParsedElement, Unreadable, parse_file
from davfs.errors import BadFile, Contradiction
from davfs.orthanc import Level, OrthancId, Resource

_CHARACTER_SET: Final = 0x00080005
_ESCAPE: Final = b"\x1b"
_TAGS: Final = {
    "PatientName": 0x00100010,
    "PatientID": 0x00100020,
    "PatientBirthDate": 0x00100030,
    "PatientSex": 0x00100040,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
    "SOPInstanceUID": 0x00080018,
}
_PERSON: Final = ("PatientName", "PatientBirthDate", "PatientSex")
_NAMES: Final = {"PatientName": "name", "PatientBirthDate": "birth date", "PatientSex": "sex"}
_ELSEWHERE: Final = "Nothing was imported. inbox/ takes it, and shows it where its own tags say."


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Whose image a DICOM file is, by its own tags.

    Attributes:
        tags: Its identifiers and patient attributes by keyword; empty for those that are missing.
    """

    tags: Mapping[str, str]

    def id(self, level: Level) -> OrthancId:
        """Return Orthanc's id of the instance, or of a resource above it."""
        levels = {Level.PATIENT: 1, Level.STUDY: 2, Level.SERIES: 3, Level.INSTANCE: 4}
        keywords = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        return orthanc_id(*(self.tags[keyword] for keyword in keywords[: levels[level]]))


def identity_of(content: memoryview) -> FileIdentity:
    """Read whose image a DICOM file is.

    Raises:
        BadFile: It cannot be read.
    """
    try:
        data = parse_file(content).data
    except (Unreadable, RecursionError) as error:
        raise BadFile("it cannot be parsed") from error
    encodings = _encodings(data.get(_CHARACTER_SET))
    tags = {keyword: _text(data.get(tag), encodings) for keyword, tag in _TAGS.items()}
    if not _decodes_as_orthanc(data.get(_CHARACTER_SET)):
        tags["PatientName"] = _text(_without_code_extensions(data.get(_TAGS["PatientName"])), encodings)
    return FileIdentity(tags)


def check_agreement(identity: FileIdentity, level: Level, resource: OrthancId, studies: Sequence[Resource]) -> None:
    """Check that a file belongs to a folder.

    Args:
        identity: That of the file.
        level: Level of the folder: patient, study or series.
        resource: Orthanc's id of its resource.
        studies: The studies of a patient folder, or the study of another one, with their own patient attributes.

    Raises:
        Contradiction: It does not.
    """
    if level is not Level.PATIENT and identity.id(level) != resource:
        named = level.value if level is Level.SERIES else "study"
        raise Contradiction(f"By its own tags it is of another {named} than this folder shows. {_ELSEWHERE}")
    if identity.id(Level.PATIENT) not in {each.parent for each in studies}:
        raise Contradiction(f"By its own tags it is of another patient than this folder shows. {_ELSEWHERE}")
    for study in studies:
        for keyword in _PERSON:
            own, shown = (_comparable(tags.get(keyword, "")) for tags in (identity.tags, study.patient))
            if any(one and other and one != other for one, other in zip(own, shown, strict=False)):
                raise Contradiction(f"It has another patient's {_NAMES[keyword]} than this folder. {_ELSEWHERE}")


def _comparable(value: str) -> list[str]:
    """Return a value without what makes no difference between persons: case, blanks, and empty components of a name.

    Returns:
        The groups of a name (PS3.5 §6.2.1.2): in Latin letters, ideographic, phonetic; one for another value.
    """
    groups = unicodedata.normalize("NFC", value.casefold()).split("=")
    return [" ".join(group.replace("^", " ").replace(".", " ").split()) for group in groups]


def _decodes_as_orthanc(character_sets: ParsedElement | None) -> bool:
    """Return False if Orthanc does not know what the escape sequences of a text mean (PS3.5 §6.1.2.5.3).

    It decodes them where the first character set is the default one, and reads all in the first one otherwise.
    """
    first, *others = bytes(character_sets.value).split(b"\\") if character_sets else [b""]
    return not others or not first.strip(b" \0")


def _without_code_extensions(name: ParsedElement | None) -> ParsedElement | None:
    """Return the groups of a name that end before its first escape sequence: the others cannot be compared."""
    if name is None or _ESCAPE not in bytes(name.value):
        return name
    known = bytes(name.value).partition(_ESCAPE)[0].rpartition(b"=")[0]
    return replace(name, value=memoryview(known))


def _encodings(element: ParsedElement | None) -> list[str]:
    values = bytes(element.value).decode("ascii", "replace").strip(" \0").split("\\") if element else []
    return convert_encodings([value.strip() for value in values] or [""])


def _text(element: ParsedElement | None, encodings: Sequence[str]) -> str:
    if element is None:
        return ""
    return decode_bytes(bytes(element.value), encodings, set(b"\\^=")).strip(" \0")
