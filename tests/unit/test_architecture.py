"""Tests of docs/architecture.md, of the names and docstrings of the code, and of the import rules."""

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MAP = (ROOT / "docs" / "architecture.md").read_text()
ON_THE_DRIVE = {"study.json", "inbox/", "inbox/rejected/", "incoming/"}
"""What the map names that is no file of the project."""
LEAKS = {
    "settings/layout_files.py": "import wsgidav",
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


def test_files_that_documents_name_are_there() -> None:
    """Whole paths of source and documentation in all pages, such as `docs/adr/README.md`."""
    path = re.compile(r"`((?:bench|davfs|docs|layouts|native|tests)/[\w./-]*\.(?:c|cc|h|json|md|py|sh|toml))`")
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        assert not [name for name in path.findall(page.read_text()) if not (ROOT / name).exists()], page


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
    """The import rules report each forbidden import, also in a new package."""
    assert lint(copied).returncode == 0
    for name, line in LEAKS.items():
        file = copied / "davfs" / name
        before = file.read_text() if line else ""
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{before}\n{line}\n")
        done = lint(copied)
        assert done.returncode == 1, (name, done.stdout)
        if line:
            file.write_text(before)
        else:
            shutil.rmtree(file.parent)
    assert lint(copied).returncode == 0


UNREADABLE = {"module": r"(What|Whether|How|Who|Which)\b", "function": r"(Tell|Say|Let|Look)s?\b"}
"""First words of docstrings that name neither a thing nor an action."""


@cache
def sources(top: str) -> dict[str, ast.Module]:
    """Parse all Python files below a folder."""
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text()) for file in sorted((ROOT / top).rglob("*.py"))}


def is_unreadable(tree: ast.Module) -> bool:
    """Return True if a docstring of the file begins as none should."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return bool(re.match(UNREADABLE["module"], ast.get_docstring(tree) or "")) or any(
        re.match(UNREADABLE["function"], ast.get_docstring(function) or "") for function in functions
    )


def class_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the classes, type aliases and NewTypes of a module, without leading underscores."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                yield name.lstrip("_")
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                yield name.lstrip("_")
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="NewType"))):
                yield name.lstrip("_")


def test_docstrings_begin_with_a_thing_or_an_action() -> None:
    """Modules do not begin with a question word, functions not with Tell, Say, Let or Look."""
    assert not [
        file
        for top in ("davfs", "native", "bench", "tests")
        for file, tree in sources(top).items()
        if is_unreadable(tree)
    ]


def test_each_class_has_a_name_of_its_own() -> None:
    """One name stands for one class or type in the whole package, whether private or not."""
    count = Counter(name for tree in sources("davfs").values() for name in class_names(tree))
    assert not [name for name, number in count.items() if number > 1]


def test_each_function_that_is_imported_by_its_name_has_a_name_of_its_own() -> None:
    """Where a module's name does not stand before it, a function's name says what it does, as `read_settings`."""
    trees = sources("davfs")
    functions = {
        (name.removesuffix(".py").removesuffix("/__init__").replace("/", "."), node.name)
        for name, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    imported = {
        (node.module or "", alias.name)
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    count = Counter(name for _, name in functions & imported)
    assert not [name for name, number in count.items() if number > 1]
    assert len(count) > 100
