"""docs/architecture.md is true to the code, and the import rules find what they are there for."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MAP = (ROOT / "docs" / "architecture.md").read_text()
ON_THE_DRIVE = {"study.json", "inbox/", "inbox/rejected/", "incoming/"}
"""What the map names that is no file of the project."""
LEAKS = {
    "settings/layouts.py": "import wsgidav",
    "filesystem/tree.py": "from cheroot import wsgi",
    "orthanc/rest.py": "from _davfs_sdk import lib",
    "names.py": "from davfs import entry",
    "newcomer/__init__.py": "",
}
"""What must not be imported where, and a package to which nobody gave a place."""


def test_what_the_map_names_is_there() -> None:
    """Files and folders, by their path or, within a row or a step, by its end."""
    named = set(re.findall(r"`((?:\w+/)*[\w-]+\.(?:py|c|cc|hh?|toml|json)|(?:[\w-]+/)+)`", MAP))
    tops = [ROOT / top for top in ("davfs", "native", "layouts", "tests", "bench", "pyproject.toml")]
    there = [f"/{path.relative_to(ROOT)}" for top in tops for path in (top, *top.rglob("*"))]
    missing = {name for name in named if not any(path.endswith("/" + name.rstrip("/")) for path in there)}
    assert missing == ON_THE_DRIVE
    assert len(named) > 50


def test_what_the_map_names_of_the_code_is_in_it() -> None:
    """Classes and methods, as `Class.method`."""
    code = "".join(path.read_text() for path in (ROOT / "davfs").rglob("*.py"))
    for owner, method in re.findall(r"`([A-Z]\w+)\.(\w+)`", MAP):
        assert f"class {owner}" in code, owner
        assert f"def {method}(" in code, method


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter over a copy of the package."""
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", program, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package, and of the rules."""
    shutil.copytree(ROOT / "davfs", tmp_path / "davfs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_import_rules_find_each_leak(copied: Path) -> None:
    """Whatever is imported where it must not be, in a package that nobody thought of too."""
    assert lint(copied).returncode == 0
    for name, line in LEAKS.items():
        file = copied / "davfs" / name
        before = file.read_text() if file.exists() else None
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{before or ''}\n{line}\n")
        done = lint(copied)
        assert done.returncode == 1, (name, done.stdout)
        if before is None:
            shutil.rmtree(file.parent)
        else:
            file.write_text(before)
