"""Generates table.json from the text of the standard: ``python -m davfs.confidentiality.build part15.xml HIGHDICOM``.

1. ``part15.xml`` is DICOM PS3.15 in DocBook, as NEMA publishes it for each edition under
   ``…/medical/dicom/<edition>/source/docbook/part15/part15.xml``. Table E.1-1 has the action on each attribute, Table
   E.3.4-1 that on the content items of structured reports. The edition and the file's SHA-256 are recorded.
2. ``HIGHDICOM`` is the folder ``highdicom/_standard`` of that package (PyPI, MIT licence): the attributes of PS3.3's
   modules with their types, as JSON. If Table E.1-1 leaves a choice, ``X/Z/D``, the type decides (Table E.1-1a).

Only these facts are used. A table with other columns than expected is refused.
"""

import hashlib
import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword

_DOCBOOK = "{http://docbook.org/ns/docbook}"
_ID = "{http://www.w3.org/XML/1998/namespace}id"
_ATTRIBUTES = {"Attribute Name": 0, "Tag": 1, "Basic Prof.": 4, "Rtn. Pat. Chars. Opt.": 9}
_ATTRIBUTES |= {"Rtn. Long. Modif. Dates Opt.": 11, "Clean Struct. Cont. Opt.": 13}
_CONCEPTS = {"Code Value": 1, "Coding Scheme Designator": 2, "Value Type": 3, "Basic Prof.": 6}
_CONCEPTS |= {"Rtn. Pat. Chars. Opt.": 10, "Rtn. Long. Modif. Dates Opt.": 12}
_OPTIONS = {"patient": 9, "dates": 11, "structured": 13}
_STRICTNESS = {"1": 2, "1C": 2, "2": 1, "2C": 1}
_PRIVATE = "gggg,eeee"


def table(part15: bytes, modules: Path, types: str) -> dict[str, Any]:
    """Return the table.

    Args:
        part15: The standard's part 15.
        modules: The folder with the attributes' types.
        types: Source of the types.

    Raises:
        ValueError: The text has an unknown structure.
    """
    root = ET.fromstring(part15)  # noqa: S314  see above
    edition = re.search(r"PS3\.15 \d{4}[a-z]", _text(root.find(f"{_DOCBOOK}subtitle")))
    if not edition:
        raise ValueError("this is no part 15 of the standard")
    classes = json.loads((modules / "sop_class_iod_map.json").read_bytes())
    rows = list(_rows(root, "table_E.1-1", _ATTRIBUTES))
    required = _types(modules, classes, {_tag(row[1]) for row in rows if "/" in row[4]})
    return {
        "edition": edition[0],
        "sha256": hashlib.sha256(part15).hexdigest(),
        "types": types,
        "classes": sorted(classes),
        "attributes": {tag: one | required.get(tag, {}) for tag, one in sorted(_attributes(rows)) if tag != _PRIVATE},
        "concepts": sorted(_concepts(root)),
    }


def _attributes(rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in rows:
        yield _tag(row[1]), {"action": row[4]} | {name: row[at] for name, at in _OPTIONS.items() if row[at]}


def _concepts(root: ET.Element) -> Iterator[list[str]]:
    for row in _rows(root, "table_E.3.4-1", _CONCEPTS):
        yield [row[at] for at in _CONCEPTS.values()]


def _types(modules: Path, classes: Mapping[str, str], tags: set[str]) -> dict[str, dict[str, Any]]:
    """Return, by tag and by type (1 or 2), the SOP classes whose data sets must have an attribute at the top level."""
    iods = json.loads((modules / "iod_module_map.json").read_bytes())
    attributes = json.loads((modules / "module_attribute_map.json").read_bytes())
    found: dict[str, dict[str, Any]] = {tag: {} for tag in tags}
    for uid, iod in sorted(classes.items()):
        strictest = dict.fromkeys(tags, 0)
        for one in (one for module in iods[iod] for one in attributes.get(module["key"], ()) if not one["path"]):
            tag = f"{tag_for_keyword(one['keyword']) or 0:08x}"  # 0: unknown to this pydicom
            if tag in tags:
                strictest[tag] = max(strictest[tag], _STRICTNESS.get(one["type"], 0))
        for tag, strictness in strictest.items():
            if strictness:
                found[tag].setdefault("12"[2 - strictness], []).append(uid)
    return {tag: {"required": required} for tag, required in found.items() if required}


def _tag(text: str) -> str:
    found = re.match(r"\(([0-9A-Fa-fgexX]{4}),([0-9A-Fa-fgexX]{4})\)", text)
    if not found:
        raise ValueError(f"no tag: {text}")
    both = f"{found[1]}{found[2]}".lower()
    return _PRIVATE if both == "ggggeeee" else both


def _rows(root: ET.Element, name: str, columns: Mapping[str, int]) -> Iterator[list[str]]:
    (found,) = (one for one in root.iter(f"{_DOCBOOK}table") if one.get(_ID) == name)
    head, *rows = ([_text(cell) for cell in row] for row in found.iter(f"{_DOCBOOK}tr"))
    for column, at in columns.items():
        if not head[at].startswith(column):
            raise ValueError(f"{name} has other columns: {head}")
    yield from rows


def _text(element: ET.Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).replace("\u200b", "").split())


def _json_lines(found: Mapping[str, Any]) -> str:
    """Return JSON with a line for each attribute and concept, so that a diff compares two editions."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items() if isinstance(value, str)]
    lines.append(f'"classes": {json.dumps(found["classes"])}')
    attributes = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found["attributes"].items())
    concepts = ",\n".join(map(json.dumps, found["concepts"]))
    return ",\n".join(
        ["{" + lines[0], *lines[1:], f'"attributes": {{\n{attributes}}}', f'"concepts": [\n{concepts}]}}\n']
    )


if __name__ == "__main__":
    _part15, _modules = map(Path, sys.argv[1:])
    Path(__file__).with_name("table.json").write_text(
        _json_lines(table(_part15.read_bytes(), _modules, f"highdicom {metadata.version('highdicom')}"))
    )
