"""The table of actions is what the standard's text says, and a text in another form is refused."""

import json
from pathlib import Path

import pytest

from davfs.confidentiality.build import table

CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"
HEAD: tuple[str, ...] = ("Attribute Name", "Tag", "Retd.", "In Std.", "Basic Prof.", "Priv.", "UIDs", "Dev.", "Inst.")
HEAD += ("Rtn. Pat. Chars. Opt.", "Full", "Rtn. Long. Modif. Dates Opt.", "Desc.", "Clean Struct. Cont. Opt.", "Graph.")
ROWS = (
    ("Content Date", "(0008,0023)", "", "", "Z/D", "", "", "", "", "", "K", "C", "", "", ""),
    ("Patient's Sex", "(0010,0040)", "", "", "Z", "", "", "", "", "K", "", "", "", "", ""),
    ("Overlay Data", "(60xx,3000)", "", "", "X", "", "", "", "", "", "", "", "", "", "C"),
    ("Private Attributes", "(gggg,eeee) where gggg is odd", "", "", "X", "C", "", "", "", "", "", "", "", "", ""),
)
CONCEPTS: tuple[str, ...] = (
    "Code Meaning",
    "Code Value",
    "Coding Scheme Designator",
    "Value Type",
    "Retd.",
    "In Std.",
    "Basic Prof.",
)
CONCEPTS += ("UIDs", "Dev.", "Inst.", "Rtn. Pat. Chars. Opt.", "Full", "Rtn. Long. Modif. Dates Opt.", "Desc.")
CONCEPT = ("Subject Age", "121033", "DCM", "NUM", "", "", "X", "", "", "", "K", "", "", "")


def part15(*head: str) -> bytes:
    """Return a text as NEMA publishes it, with another head of the first table where one is given."""
    tables = (("table_E.1-1", (head or HEAD, *ROWS)), ("table_E.3.4-1", (CONCEPTS, CONCEPT)))
    told = "".join(f'<table xml:id="{name}">{"".join(map(row, rows))}</table>' for name, rows in tables)
    title = "<subtitle>DICOM PS3.15 2030a - Security</subtitle>"
    return f'<book xmlns="http://docbook.org/ns/docbook">{title}{told}</book>'.encode()


def row(cells: tuple[str, ...]) -> str:
    """Return a row of a table; a tag is broken over lines by zero width spaces, as it is in the standard."""
    return "<tr>" + "".join(f"<td><para>{cell}\u200b</para></td>" for cell in cells) + "</tr>"


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """Attributes of two SOP classes, one of which must have a date of its content."""
    content_date = {"keyword": "ContentDate", "path": []}
    files = {
        "sop_class_iod_map": {CT: "ct", SR: "sr"},
        "iod_module_map": {"ct": [{"key": "image"}], "sr": [{"key": "image"}, {"key": "document"}]},
        "module_attribute_map": {
            "image": [content_date | {"type": "2C"}, content_date | {"type": "1", "path": ["SourceImageSequence"]}],
            "document": [content_date | {"type": "1"}],
        },
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_table(modules: Path) -> None:
    """Each attribute has its action, those of the options, and the classes whose type it is."""
    found = table(part15(), modules, "a test")
    assert (found["edition"], found["types"], found["classes"]) == ("PS3.15 2030a", "a test", [CT, SR])
    assert found["attributes"] == {
        "00080023": {"action": "Z/D", "dates": "C", "required": {"2": [CT], "1": [SR]}},
        "00100040": {"action": "Z", "patient": "K"},
        "60xx3000": {"action": "X"},
    }
    assert found["concepts"] == [["121033", "DCM", "NUM", "X", "K", ""]]


def test_other_columns_are_refused(modules: Path) -> None:
    """Where a column came or went, no action is taken for another."""
    with pytest.raises(ValueError, match="other columns"):
        table(part15(*HEAD[1:], "Attribute Name"), modules, "a test")
    with pytest.raises(ValueError, match="no part 15"):
        table(b"<book/>", modules, "a test")
