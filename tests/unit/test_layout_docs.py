"""The examples in docs/layouts.md agree with the program."""

import re
from pathlib import Path

import pytest

from davfs.layout import HashKey, load_text, parse_template, shipped_names
from davfs.orthanc.model import Level, OrthancId

TEXT = (Path(__file__).parents[2] / "docs" / "layouts.md").read_text()
LAYOUTS = [block for block in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL) if "[[level]]" in block]
TEMPLATES = re.findall(r"^\| `(.*\{.*)` \| `(.*?)` \| .* \|$", TEXT, re.MULTILINE)
CONDITIONS = re.findall(r"^\| `(\w+ = .*?)` \|", TEXT, re.MULTILINE)
TAGS = {
    "PatientName": "Yamada^Tarou^^Dr=山田^太郎=やまだ^たろう",
    "PatientID": "P-17",
    "StudyDate": "20240229",
    "StudyTime": "142359",
    "StudyDescription": "CT HEAD",
    "SeriesNumber": "3",
    "ModalitiesInStudy": "CT\\SR",
}


def test_there_are_examples() -> None:
    """All of them are found."""
    assert (len(LAYOUTS), len(TEMPLATES), len(CONDITIONS)) == (4, 18, 10)


@pytest.mark.parametrize("text", LAYOUTS)
def test_layouts(text: str) -> None:
    """Each example in the documentation is a valid layout."""
    assert load_text(text, "layouts.md").levels


@pytest.mark.parametrize(("template", "name"), TEMPLATES)
def test_templates(template: str, name: str) -> None:
    """Each example has the name that stands beside it; hashes are those of the key KEY."""
    read = parse_template(template.replace(r"\|", "|"), Level.SERIES, key=HashKey(b"KEY"))
    assert read.render(TAGS, OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")) == name


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions(condition: str) -> None:
    """Each example can be written so."""
    assert load_text(f'title = "x"\n[where]\n{condition}\n[[level]]\nstudy = "{{id}}"\n', "layouts.md").where


def test_all_shipped_layouts_are_there() -> None:
    """The table of shipped layouts has each of them."""
    assert set(re.findall(r"^\| `([a-z-]+)` \| [a-z]", TEXT, re.MULTILINE)) >= set(shipped_names())
