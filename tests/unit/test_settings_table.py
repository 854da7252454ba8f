"""README.md, docs/davfs.toml and the help of ``davfs serve`` describe the settings as the table declares them."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from davfs.commands.application import app
from davfs.settings.table import SECRETS, SETTINGS, RunMode, known_keys

ROOT = Path(__file__).parents[2]
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE))
"""The rows of README's table, by key."""


def test_readme_has_each_setting_of_the_plugin() -> None:
    """A row for each key, with its default; the keys of the server are in one row."""
    expected = known_keys(RunMode.PLUGIN)
    assert set(ROWS) == {key.partition(".")[0] for key in expected}
    for key in expected:
        table, _, inner = key.rpartition(".")
        default = SETTINGS[key].default
        if table:
            assert f"`{inner}`" in ROWS[table], key
        elif default != "":
            assert ROWS[key].startswith(f"`{json.dumps(default)}`"), key


def test_example_has_the_defaults() -> None:
    """docs/davfs.toml names each setting of ``davfs serve`` but secrets, and the default of each that has one."""
    example = re.sub(r"^#(\w+ = )", r"\1", (ROOT / "docs" / "davfs.toml").read_text(), flags=re.MULTILINE)
    found: dict[str, Any] = {}
    for key, value in tomllib.loads(example).items():
        found |= {f"{key}.{inner}": own for inner, own in value.items()} if isinstance(value, dict) else {key: value}
    assert found.keys() == set(known_keys(RunMode.STANDALONE)) - {by_value for by_value, _ in SECRETS}
    defaults = {key: SETTINGS[key].default for key in found}
    assert {key: found[key] for key, default in defaults.items() if default} == {
        key: default for key, default in defaults.items() if default
    }


def test_help_has_each_option() -> None:
    """Each option of a setting and its variable are in the help."""
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["serve", "--help"]).stdout
    for setting in SETTINGS.values():
        if setting.option:
            assert setting.option.partition(" ")[0] in shown
            assert f"[env var: {setting.variable}]" in shown


def test_secrets_are_no_options() -> None:
    """Other users of the machine can read a process's options, so secrets come from variables and files."""
    assert not any(SETTINGS[by_value].option for by_value, _ in SECRETS)
    assert all(SETTINGS[by_value].variable and SETTINGS[by_file].option for by_value, by_file in SECRETS)
