"""Tests of the settings of Orthanc that the drive depends on."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from davfs.settings import setup


@pytest.mark.parametrize(
    ("settings", "uploads", "scripts"),
    [
        ({}, True, False),
        ({"StoreDicom": True, "LuaScripts": []}, True, False),
        ({"StoreDicom": False}, False, False),
        ({"LuaScripts": ["route.lua"]}, True, True),
        ({"PythonScript": "route.py"}, True, True),
    ],
)
def test_settings_that_matter(tmp_path: Path, settings: dict[str, Any], *, uploads: bool, scripts: bool) -> None:
    """An Orthanc that keeps no files takes no uploads; scripts in it may delete what was stored."""
    davfs = {"Spool": str(tmp_path / "spool"), "Catalog": str(tmp_path / "catalog.sqlite")}
    found = setup.prepare({"Davfs": davfs, **settings}, str(tmp_path))
    assert (found.settings.allow_upload, found.has_scripts) == (uploads, scripts)


def test_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    """New folders of the catalog, those above it too, are for their owner alone; existing ones stay as they are."""
    before = os.umask(0o022)
    try:
        (tmp_path / "there").mkdir()
        setup._make_folder("Davfs.Catalog", tmp_path / "there" / "davfs" / "a")
        setup._make_folder("Davfs.Catalog", tmp_path / "there" / "davfs" / "a")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"there": 0o755, "davfs": 0o700, "a": 0o700}
