"""A JSON Schema of layout files, with which editors complete and check them.

It covers keys, levels and their places; templates are checked by the loader only.
"""

from typing import Any

from davfs.confidentiality.options import AS_THEY_ARE
from davfs.layout import tags
from davfs.layout.levels import EXTRA_FILE_KINDS, FILES, GROUP, RESOURCES
from davfs.layout.loader import RESERVED
from davfs.layout.model import Dates
from davfs.layout.profile import LISTS
from davfs.orthanc.model import Level

_ABOUT = {
    "title": "Name of the layout's folder on the drive.",
    "description": "One sentence for the people who use the drive.",
    "dates": "Which dates folders and files show: when Orthanc received them, or when the images were made.",
    "anonymised": "True if nothing in this tree may identify a patient; needs a key of hashes (HashKey).",
    "retain": "What an anonymised layout keeps: dates, shifted by a number of days for each patient; age, sex, size.",
    "clean": "What an anonymised layout keeps without texts: the coded and measured content of structured reports.",
    "pixels": "Whether an anonymised layout shows images that may have a name written in them.",
    "where": "Which studies appear: all conditions have to hold, each with one of its values.",
    "level": "Levels of folders from the top down; the last one names the files where it is instance.",
    "files": "Extra files in each folder of this level.",
}
_VALUE = 'A text (* and ? for any), "20240101-20241231", "last 30 days" or "today"; a list for alternatives.'


def schema() -> dict[str, Any]:
    """Return the schema, as JSON.

    Source: JSON Schema draft 7, which editors of TOML know best.
    """
    title = {"type": "string", "minLength": 1, "not": {"enum": list(RESERVED)}}
    properties: dict[str, Any] = {
        "title": title,
        "description": {"type": "string"},
        "dates": {"enum": [dates.value for dates in Dates], "default": Dates.RECEPTION.value},
        "anonymised": {"type": "boolean", "default": False},
        **{key: _choice(known) for key, known in LISTS.items()},
        "pixels": {"const": AS_THEY_ARE},
        "where": _where(),
        "level": {"type": "array", "minItems": 1, "items": {"oneOf": [*map(_resource, RESOURCES), _group()]}},
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A layout of the drive",
        "type": "object",
        "properties": {name: {"description": _ABOUT[name]} | value for name, value in properties.items()},
        "required": ["title", "level"],
        "additionalProperties": False,
    }


def _choice(known: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": list(known)}, "uniqueItems": True}


def _where() -> dict[str, Any]:
    text = {"type": "string", "pattern": r"^[^\\]*$"}
    value = {"description": _VALUE, "oneOf": [text, {"type": "array", "items": text, "minItems": 1}]}
    known = dict.fromkeys(sorted(tags.usable(Level.SERIES)), value)
    # Orthanc's ExtraMainDicomTags adds others, which an editor cannot know.
    others = {"^[A-Z][A-Za-z0-9]+$": value}
    return {"type": "object", "properties": known, "patternProperties": others, "additionalProperties": False}


def _resource(name: str) -> dict[str, Any]:
    level = RESOURCES[name]
    known = ", ".join(sorted(tags.usable(level)))
    entry: dict[str, Any] = {name: _template(f"How a {name} is called. Tags that Orthanc keeps: {known}.")}
    if level in EXTRA_FILE_KINDS:
        endings = "|".join(kind.value for kind in EXTRA_FILE_KINDS[level])
        file = {"type": "string", "pattern": rf"\.({endings}|{endings.upper()})$"}
        entry[FILES] = {"description": _ABOUT[FILES], "type": "array", "items": file, "uniqueItems": True}
    return _table(entry, name)


def _group() -> dict[str, Any]:
    about = "A folder for each value of tags of the resource below, such as {StudyDate:%Y} or {ModalitiesInStudy}."
    return _table({GROUP: _template(about)}, GROUP)


def _template(about: str) -> dict[str, Any]:
    return {"type": "string", "pattern": r"\{[^{}]+\}", "description": about}


def _table(properties: dict[str, Any], required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [required], "additionalProperties": False}
