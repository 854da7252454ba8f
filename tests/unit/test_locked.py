"""Tests of requirements/: a hash for every file, in agreement with pyproject.toml, and nothing else is installed."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS: Mapping[str, Sequence[str]] = PROJECT["dependency-groups"]
DIRECT: Mapping[str, Sequence[str]] = {"davfs": PROJECT["project"]["dependencies"], **GROUPS}
"""By file of requirements/, what pyproject.toml asks for."""

HASH = r" \\\n    --hash=sha256:[0-9a-f]{64}"
LINE = re.compile(rf"^(?P<pin>[^\s#=]+==[^\\\n]+?)(?P<hashes>(?:{HASH})+)$", re.MULTILINE)
INSTALLS = re.compile(r"\bpip\b.* (?:install|wheel)\b|\$\(LOCKED\)")


class Locked(NamedTuple):
    """One line of a file in requirements/."""

    name: str
    version: Version


def locked(file: str) -> list[Locked]:
    """Return the pins of one file. Whatever is no pin with hashes, and no comment, is a mistake."""
    text = (ROOT / "requirements" / f"{file}.txt").read_text()
    left = LINE.sub("", text)
    assert [line for line in left.splitlines() if line.strip() and not line.strip().startswith("#")] == []
    pins = [Requirement(each["pin"]) for each in LINE.finditer(text)]
    return [Locked(canonicalize_name(pin.name), Version(str(pin.specifier).removeprefix("=="))) for pin in pins]


@pytest.mark.parametrize("file", DIRECT)
def test_what_pyproject_allows_is_locked(file: str) -> None:
    """Each direct dependency is pinned to a version within its range; `make lock` mends this."""
    pins = dict(locked(file))
    wanted = [Requirement(text) for text in DIRECT[file]]
    assert {canonicalize_name(each.name) for each in wanted} <= set(pins)
    assert [str(each) for each in wanted if pins[canonicalize_name(each.name)] not in each.specifier] == []


def test_files_agree() -> None:
    """A package that is locked for several environments has the same version in all of them."""
    together = set(chain(locked("davfs"), locked("build"), locked("dev"), locked("differential")))
    assert len(together) == len({name for name, _ in together})


def test_this_environment_is_the_locked_one() -> None:
    """The packages installed in this environment have the locked versions."""
    pins = dict(chain(locked("davfs"), locked("build"), locked("dev"), locked("differential")))
    installed = {canonicalize_name(each.name): Version(each.version) for each in distributions()}
    assert {canonicalize_name(Requirement(text).name) for text in DIRECT["davfs"]} <= set(installed)
    assert {name: version for name, version in installed.items() if version != pins.get(name, version)} == {}


def test_lowest_versions_are_the_bounds() -> None:
    """`make test-lowest` runs with what pyproject.toml gives as the lowest version."""
    pins = dict(locked("lowest"))
    for text in [*DIRECT["davfs"], *DIRECT["build"]]:
        requirement = Requirement(text)
        (lowest,) = [each.version for each in requirement.specifier if each.operator == ">="]
        assert pins[canonicalize_name(requirement.name)] == Version(lowest)


@pytest.mark.parametrize("file", ["Makefile", "docker/Dockerfile"])
def test_nothing_is_installed_without_a_hash(file: str) -> None:
    """Each call of pip requires hashes, or installs the local package without downloads."""
    commands = re.split(r"\n|&&", (ROOT / file).read_text().replace("\\\n", " "))
    calls = [command for command in commands if INSTALLS.search(command)]
    assert len(calls) > 1
    assert [call for call in calls if not re.search(r"\$\(LOCKED\)|--require-hashes|--no-deps ", call)] == []
