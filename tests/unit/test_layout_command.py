"""``davfs layout check`` and ``davfs layout schema``."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from davfs.commands.application import app
from davfs.commands.layout import written_schema
from davfs.layout import shipped, shipped_names

DOCS = Path(__file__).parents[2] / "docs"
CORPUS = Path(__file__).parents[1] / "layouts"
SHIPPED = [str(shipped(name)) for name in shipped_names()]
BAD = {name: CORPUS / f"{name}.toml" for name in ("tag-misspelt", "no-level", "hash-without-key")}


def layout(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["layout", *arguments], prog_name="davfs")


def test_right_layouts_have_no_mistakes() -> None:
    """Valid layouts pass the check without output, those with hashes also without a key."""
    result = layout("check", *SHIPPED, str(BAD["hash-without-key"]))
    assert (result.exit_code, result.stdout) == (0, "")


def test_mistakes_are_told_with_their_line() -> None:
    """Each invalid file has one line of output in the format of compilers."""
    result = layout("check", SHIPPED[0], str(BAD["tag-misspelt"]), str(BAD["no-level"]), "/nowhere/x.toml")
    assert result.exit_code == 1
    first, second, third = result.stdout.splitlines()
    assert first.startswith(f'{BAD["tag-misspelt"]}:4: patient: unknown tag "PatientNamme"; known for a patient: ')
    assert second.startswith(f"{BAD['no-level']}: there is no level; ")
    assert third == "/nowhere/x.toml: the layout cannot be read: No such file or directory"


def test_mistakes_are_told_to_programs() -> None:
    """With --json, mistakes are printed as JSON."""
    result = layout("check", "--json", str(BAD["tag-misspelt"]), str(BAD["no-level"]))
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(one["file"], one["line"]) for one in found] == [
        (str(BAD["tag-misspelt"]), 4),
        (str(BAD["no-level"]), None),
    ]
    assert found[1]["reason"].startswith("there is no level")


def test_no_mistakes_are_an_empty_list() -> None:
    """Without mistakes, the JSON output is an empty list."""
    result = layout("check", "--json", SHIPPED[0])
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_tags_that_orthanc_keeps_besides() -> None:
    """Tags of ExtraMainDicomTags can be given by an option."""
    file = str(CORPUS / "tag-not-kept.toml")
    assert layout("check", file).exit_code == 1
    assert layout("check", "--tag", "series:SliceThickness", file).exit_code == 0


@pytest.mark.parametrize("tag", ["SliceThickness", "serie:SliceThickness", "series:Thickness"])
def test_tags_have_a_level(tag: str) -> None:
    """The message about a wrong option names the option."""
    result = layout("check", "--tag", tag, SHIPPED[0])
    assert result.exit_code == 2
    assert "is no tag of a level" in result.output


def test_a_file_has_to_be_named() -> None:
    """The command fails without a layout to check."""
    assert layout("check").exit_code == 2


def test_the_documentation_has_the_schema() -> None:
    """Editors are pointed at what is known here; ``davfs layout schema > docs/layout.schema.json`` makes it anew."""
    assert (DOCS / "layout.schema.json").read_text() == written_schema()
    assert layout("schema").stdout == written_schema()


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    """Return what an editor does with the schema."""
    schema = json.loads(written_schema())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: Path(file).stem)
def test_shipped_layouts_suit_the_schema(validator: jsonschema.Draft7Validator, file: str) -> None:
    """Editors underline nothing in them."""
    assert list(validator.iter_errors(document(Path(file)))) == []


@pytest.mark.parametrize(
    "name",
    [
        "title-missing",
        "title-number",
        "dates-unknown",
        "anonymised-text",
        "anonymised-below-level",
        "key-misspelt",
        "key-without-level",
        "levels-empty",
        "levels-single-brackets",
        "level-misspelt",
        "level-with-two",
        "level-number",
        "group-with-files",
        "group-without-tag",
        "files-report-of-series",
        "files-unknown-ending",
        "where-number",
        "where-empty-list",
        "where-backslash",
    ],
)
def test_editors_see_mistakes(validator: jsonschema.Draft7Validator, name: str) -> None:
    """Wrong keys, levels and types are underlined while somebody types; the rest is what `check` is for."""
    assert list(validator.iter_errors(document(CORPUS / f"{name}.toml")))


def document(file: Path) -> dict[str, Any]:
    """Read a file as an editor does."""
    return tomllib.loads(file.read_text())
