"""What Orthanc's own settings mean to the drive."""

from pathlib import Path
from typing import Any

import pytest

from davfs import setup


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
    found = setup.read({"Davfs": davfs, **settings}, str(tmp_path))
    assert (found.settings.allow_upload, found.has_scripts) == (uploads, scripts)
